"""What broken and unwilling machines do: servers, caches, and the environment."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.gitserver import GitServer, Repository, create_repository
from penstock.git import GitError, Reference, Remote
from tests.fixtures.git import resolve, snapshot

Make = Callable[..., Remote]


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"])
def test_a_server_that_hangs(
    cache: Path, answer: bytes, left_behind: Callable[[], set[str]]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                connection.sendall(answer)
                connections.append(connection)

        connections: list[socket.socket] = []
        threading.Thread(target=hang, daemon=True).start()
        remote = Remote(f"http://127.0.0.1:{listener.getsockname()[1]}/x", Reference(), timeout=0.4)
        for call in (resolve, lambda remote: snapshot(remote, "0" * 40, cache)):
            started = time.monotonic()
            with pytest.raises(GitError) as caught:
                call(remote)
            assert caught.value.reason == "Timeout"
            assert time.monotonic() - started < 15
            # Git's helper would wait on, as long as the server holds the connection.
            assert not left_behind()
        for connection in connections:
            connection.close()


def test_a_server_that_is_down(cache: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    remote = Remote(f"http://user:s3cret@127.0.0.1:{port}/x", Reference())
    for call in (resolve, lambda remote: snapshot(remote, "0" * 40, cache)):
        with pytest.raises(GitError, match=f"reached.*http://127.0.0.1:{port}/x") as caught:
            call(remote)
        assert caught.value.reason == "GitOperationFailed"
        assert "s3cret" not in str(caught.value)


def test_credentials(tmp_path: Path, cache: Path) -> None:
    create_repository(tmp_path, "private")
    with GitServer(tmp_path, auth="bot:p@ss/wörd") as server:
        base = f"127.0.0.1:{server.port}/private.git"
        right = f"http://bot:p%40ss%2Fw%C3%B6rd@{base}"
        with Repository(right) as repository:
            sha = repository.commit({"a.yaml": "a"})
        remote = Remote(right, Reference())
        assert resolve(remote) == sha
        assert len(snapshot(remote, sha, cache).files) == 1
        assert not any(b"rd" in f.read_bytes() for f in cache.rglob("config"))
        for url in (f"http://{base}", f"http://bot:wr0ng@{base}", f"http://wr0ng@{base}"):
            for call in (resolve, lambda at: snapshot(at, sha, tmp_path / "none")):
                with pytest.raises(GitError) as caught:
                    call(Remote(url, Reference()))
                assert caught.value.reason == "AuthenticationFailed"
                assert "wr0ng" not in caught.value.message
                assert base64.b64encode(b"bot:wr0ng").decode() not in caught.value.message


def _truncate(directory: Path) -> None:
    for pack in directory.glob("objects/pack/*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:40])


def _flip(directory: Path) -> None:
    for pack in directory.glob("objects/pack/*.pack"):
        pack.chmod(0o600)
        data = bytearray(pack.read_bytes())
        for index in range(12, len(data) - 20):
            data[index] ^= 0x55
        pack.write_bytes(data)


def _lock(directory: Path) -> None:
    (directory / "shallow.lock").touch()
    (directory / "refs/penstock/current.lock").touch()


def _no_head(directory: Path) -> None:
    (directory / "HEAD").unlink()


def _bad_config(directory: Path) -> None:
    (directory / "config").write_text("[nonsense")


@pytest.mark.parametrize("damage", [_truncate, _flip, _lock, _no_head, _bad_config])
def test_a_damaged_cache_is_replaced(
    repository: Repository, remote: Make, cache: Path, damage: Callable[[Path], None]
) -> None:
    sha = repository.commit({"a.yaml": "a" * 50, "b.yaml": "b"})
    assert len(snapshot(remote(), sha, cache).files) == 2
    damage(cache / "repository.git")
    assert [f.content for f in snapshot(remote(), sha, cache).files] == [b"a" * 50, b"b"]
    damage(cache / "repository.git")
    sha = repository.commit({"a.yaml": "a2"})
    assert [f.content for f in snapshot(remote(), sha, cache).files] == [b"a2", b"b"]


def test_a_cache_behind_a_link_is_refused(
    repository: Repository, remote: Make, cache: Path, tmp_path: Path
) -> None:
    sha = repository.commit({"a.yaml": "a"})
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").touch()
    cache.symlink_to(victim)
    with pytest.raises(GitError, match="symbolic link") as caught:
        snapshot(remote(), sha, cache)
    assert caught.value.reason == "GitOperationFailed"
    cache.unlink()
    cache.mkdir()
    (cache / "repository.git").symlink_to(victim)
    assert len(snapshot(remote(), sha, cache).files) == 1
    assert (victim / "precious").exists()


def test_the_environment_has_no_say(
    repository: Repository,
    remote: Make,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sha = repository.commit({"a.yaml": "a"})
    trace = tmp_path / "trace"
    evil = f'[url "http://127.0.0.1:9/"]\n insteadOf = http://\n[alias]\n x = !touch {trace}\n'
    (tmp_path / ".gitconfig").write_text(evil)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / ".gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(tmp_path / ".gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'http.proxy=http://127.0.0.1:9'")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_TRACE_CURL", str(trace))
    monkeypatch.setenv("GIT_TRACE", str(trace))
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ext")
    assert resolve(remote()) == sha
    assert len(snapshot(remote(), sha, cache).files) == 1
    assert not trace.exists()
