"""Whom git asks: what an administrator allows, at the address that was looked at, and no other."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from e2e.gitserver import GitServer, Repository
from penstock.git import GitError, Reference, Remote
from penstock.network import RefusedNetworks
from tests.fixtures.git import resolve, snapshot


@dataclass
class Listener:
    """A server that answers every request in one way, and remembers them."""

    port: int
    answer: Callable[[str], bytes]
    paths: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        with connection:
            path = connection.recv(65536).split(b" ")[1].decode()
            self.paths.append(path)
            connection.sendall(self.answer(path))


@contextmanager
def listening(answer: Callable[[str], bytes]) -> Iterator[Listener]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = Listener(server.getsockname()[1], answer)

        def accept() -> None:
            while True:
                try:
                    listener.serve(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield listener
        server.shutdown(socket.SHUT_RDWR)


def redirect(location: Callable[[str], str]) -> Callable[[str], bytes]:
    def answer(path: str) -> bytes:
        head = f"HTTP/1.1 301 Moved\r\nLocation: {location(path)}\r\n"
        return f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()

    return answer


def renamed(server: GitServer, repository: Repository) -> Callable[[str], bytes]:
    """As a server answers of a repository that has another name now."""
    return redirect(lambda path: f"{server.url}/{repository.name}.git/{path.split('/', 2)[2]}")


def test_a_redirect_to_a_repository_is_followed(
    server: GitServer, repository: Repository, cache: Path
) -> None:
    # given
    sha = repository.commit({"a.yaml": "a"})
    with listening(renamed(server, repository)) as old:
        remote = Remote(f"{old.url}/old-name", Reference())
        # then
        assert resolve(remote) == sha
        assert [file.path for file in snapshot(remote, sha, cache).files] == ["a.yaml"]


def test_two_redirects_are_followed_and_a_third_is_not(
    server: GitServer, repository: Repository
) -> None:
    sha = repository.commit({"a.yaml": "a"})
    with (
        listening(renamed(server, repository)) as old,
        listening(redirect(lambda path: f"{old.url}{path}")) as older,
    ):
        # two of them: from HTTP to HTTPS, and to the new name
        assert resolve(Remote(f"{older.url}/name", Reference())) == sha
        with (
            listening(redirect(lambda path: f"{older.url}{path}")) as oldest,
            pytest.raises(GitError, match="redirects") as caught,
        ):
            resolve(Remote(f"{oldest.url}/name", Reference()))
    assert caught.value.reason == "GitOperationFailed"


def test_credentials_do_not_follow_a_redirect(server: GitServer, repository: Repository) -> None:
    repository.commit({"a.yaml": "a"})
    with listening(renamed(server, repository)) as old:
        server.requests.clear()
        with pytest.raises(GitError, match=f"{server.url}/{repository.name}.git") as caught:
            resolve(Remote(f"http://user:t0ken@127.0.0.1:{old.port}/name", Reference()))
    assert "t0ken" not in caught.value.message
    assert not server.requests


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:{port}/x/info/refs?service=git-upload-pack",
        "http://169.254.169.254/x/info/refs?service=git-upload-pack",
        "ftp://127.0.0.1:{port}/x/info/refs?service=git-upload-pack",
        "http://user:word@127.0.0.1:{port}/x/info/refs?service=git-upload-pack",
        "http://127.0.0.1:{port}/login",
        "file:///etc/passwd",
        "//",
    ],
)
def test_a_redirect_to_elsewhere_is_refused(location: str) -> None:
    # given: a server that may be asked, and others that may not
    refused = RefusedNetworks(["127.0.0.2/32", "169.254.0.0/16"])
    with (
        listening(lambda path: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as other,
        listening(redirect(lambda path: location.format(port=other.port))) as server,
    ):
        # when
        with pytest.raises(GitError, match=r"redirects|does not ask") as caught:
            resolve(Remote(f"{server.url}/x", Reference(), timeout=10), refused)
        # then
        assert caught.value.reason == "GitOperationFailed"
        assert other.paths == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "localhost.", "127.1", "2130706433", "[::ffff:127.0.0.1]"]
)
def test_a_refused_address_is_not_even_connected_to(host: str, cache: Path) -> None:
    with listening(lambda path: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as server:
        remote = Remote(f"http://{host}:{server.port}/x.git", Reference())
        for call in (resolve, lambda *asked: snapshot(asked[0], "0" * 40, cache, refused=asked[1])):
            with pytest.raises(GitError, match=r"settings\.network\.refused") as caught:
                call(remote, RefusedNetworks())
            assert caught.value.reason == "GitOperationFailed"
        assert server.paths == []


def test_git_connects_to_the_address_that_was_looked_at(
    server: GitServer, repository: Repository, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a name that git itself could not resolve
    sha = repository.commit({"a.yaml": "a"})
    real = socket.getaddrinfo

    def resolved(host: str, port: int, *rest: object, **more: object) -> object:
        if host == "git.example.com" and not more.get("flags"):
            return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]
        return real(host, port, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    for name in ("git.example.com", "GIT.Example.com", "git.example.com."):
        remote = Remote(f"http://{name}:{server.port}/{repository.name}.git", Reference())
        assert resolve(remote) == sha
        assert len(snapshot(remote, sha, cache).files) == 1


def test_a_host_without_an_address() -> None:
    with pytest.raises(GitError, match="cannot be resolved") as caught:
        resolve(Remote("http://no-such-host.invalid/x.git", Reference()))
    assert caught.value.reason == "GitOperationFailed"


def test_the_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(lambda path: b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "inside.example.com")
        with pytest.raises(GitError, match="no such repository"):
            resolve(Remote("http://outside.example.com/x.git", Reference()))
        assert proxy.paths == ["http://outside.example.com/x.git/info/refs?service=git-upload-pack"]
        # and an address is looked at, whoever connects to it
        with pytest.raises(GitError, match="does not ask"):
            resolve(Remote("http://169.254.169.254/x.git", Reference()), RefusedNetworks())
        with pytest.raises(GitError, match="cannot be resolved"):
            resolve(Remote("http://inside.example.com/x.git", Reference()))
        assert len(proxy.paths) == 1
