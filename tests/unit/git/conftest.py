"""A real server on the loopback, and a repository of its own for every test."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.gitserver import GitServer, Repository, create_repository
from penstock.git import Reference, Remote

_numbers = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A temporary directory of this run alone: others may run tests beside it."""
    before = tempfile.tempdir
    tempfile.tempdir = str(tmp_path_factory.mktemp("temporary").resolve())
    yield
    tempfile.tempdir = before


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with GitServer(tmp_path_factory.mktemp("repositories")) as running:
        yield running


@pytest.fixture
def repository(server: GitServer) -> Iterator[Repository]:
    name = f"flows-{next(_numbers)}"
    create_repository(server.root, name)
    with Repository(server.clone_url(name)) as clone:
        yield clone


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def remote(repository: Repository) -> Callable[..., Remote]:
    """A remote for the test's repository: ``remote(branch="main", path="flows")``."""

    def make(
        *,
        branch: str | None = None,
        tag: str | None = None,
        commit: str | None = None,
        path: str = ".",
        timeout: float = 20.0,
    ) -> Remote:
        return Remote(repository.url, Reference(branch, tag, commit), path, timeout)

    return make


def _processes() -> set[str]:
    """Processes in a home that Penstock made for git, whoever their parent is, and children of
    ours, but for the server's.
    """
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            _, _, rest = (process / "stat").read_text().partition(" (")
            name, _, fields = rest.rpartition(") ")
            command = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        child = fields.split()[1] == str(os.getpid()) and b"http-backend" not in command
        if child or f"HOME={tempfile.gettempdir()}/penstock-git-".encode() in environment:
            found.add(f"{process.name} {name} {fields.split()[0]}")
    return found


def _descriptors() -> set[str]:
    links = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if "penstock-git-" in target or "/cache" in target:
            links.add(target)
    return links


def _left_behind() -> set[str]:
    """The processes and files that outlive a call, after a moment in which the system ends killed
    ones."""
    deadline = time.monotonic() + 0.5
    while (found := _processes() | _descriptors()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


@pytest.fixture
def left_behind() -> Callable[[], set[str]]:
    return _left_behind


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """No process of ours and no open file outlives a call, in any test."""
    yield
    assert not _left_behind()
