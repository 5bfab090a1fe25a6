"""The server of the demo and the tests is itself a program, and speaks HTTP correctly."""

from __future__ import annotations

import gzip
import http.client
import signal
import subprocess
import sys
from pathlib import Path

from e2e.gitserver import GitServer, Repository
from penstock.git import Reference, Remote
from tests.fixtures.git import resolve

TOP = Path(__file__).parents[3]


def test_the_program_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "e2e.gitserver", "--root", str(tmp_path), "--port", "0"]
    with subprocess.Popen(
        [*command, "--repository", "flows"], cwd=TOP, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            url = process.stdout.readline().removeprefix("gitserver: ready at ").strip()
            with Repository(f"{url}/flows.git") as repository:
                sha = repository.commit({"a.yaml": "a"})
                assert resolve(Remote(repository.url, Reference())) == sha
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
        finally:
            process.kill()


def test_two_clones_meet_on_the_server(repository: Repository) -> None:
    first = repository.commit({"a.yaml": "a", "b.yaml": "b"})
    with Repository(repository.url) as other:
        assert other.head() == first
        other.commit({"b.yaml": None}, branch="new")
        assert [p.name for p in other.worktree.glob("*.yaml")] == ["a.yaml"]
        other.delete("refs/heads/new")
        assert "new" not in other.git("ls-remote", "origin")


def test_bodies_may_be_compressed_and_in_chunks(server: GitServer, repository: Repository) -> None:
    sha = repository.commit({"a.yaml": "a"})
    body = gzip.compress(b"0014command=ls-refs\n0000")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    headers = {
        "Content-Type": "application/x-git-upload-pack-request",
        "Content-Encoding": "gzip",
        "Git-Protocol": "version=2",
    }
    for _ in range(2):  # The connection is kept, so nothing may be left over of the first.
        connection.request(
            "POST",
            f"/{repository.name}.git/git-upload-pack",
            body=iter([body[:7], body[7:]]),
            headers=headers | {"Transfer-Encoding": "chunked"},
            encode_chunked=True,
        )
        response = connection.getresponse()
        assert response.status == 200
        assert sha.encode() in response.read()
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b"ok\n"
    connection.close()


def test_nothing_outside_the_root_is_served(server: GitServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/none.git/HEAD"):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert response.status in (403, 404, 500)
    connection.close()
