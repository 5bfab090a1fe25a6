"""A real `penstock git` process, asked over HTTP, with real Git servers behind it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from e2e.gitserver import GitServer, Repository, create_repository
from penstock.controller.gitsources.git_client import GitClient, GitServiceUnavailable
from penstock.git import GitError, Limits, Reference, Remote, Wanted
from penstock.git.wire import RESOLVE, SNAPSHOT
from penstock.git_service.app import FETCHES_PER_TENANT, LOOKS_PER_TENANT
from penstock.network import RefusedNetworks
from tests.fixtures.gitservice import RunningGit, running_git

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with GitServer(tmp_path_factory.mktemp("repositories")) as running:
        yield running


@pytest.fixture
def repository(server: GitServer, request: pytest.FixtureRequest) -> Iterator[Repository]:
    name = f"flows-{abs(hash(request.node.name))}"
    create_repository(server.root, name)
    with Repository(server.clone_url(name)) as clone:
        yield clone


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def git(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGit]:
    async with running_git(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def hanging() -> Iterator[str]:
    """The URL of a repository whose server takes connections, and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/x.git"


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def until(condition: object, seconds: float = 20) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come to that"
        await asyncio.sleep(0.05)


async def test_a_commit_and_its_files(git: RunningGit, repository: Repository) -> None:
    # given
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    files: dict[str, str | bytes | None]
    files = {"a.yaml": "a", "empty.yaml": "", "large.yaml": b"x" * 900_000, "lfs.yaml": pointer}
    sha = repository.commit(files)
    remote = Remote(repository.url, Reference(branch="main"))
    # when
    assert await git.client.resolve("team", remote) == sha
    found = await git.snapshot(remote, sha)
    # then
    assert found.commit == sha
    assert {file.path: file.content for file in found.files} == {
        "a.yaml": b"a",
        "empty.yaml": b"",
        "large.yaml": b"x" * 900_000,
    }
    assert [(item.path, item.reason) for item in found.skipped] == [
        ("lfs.yaml", "Git LFS files are not fetched")
    ]
    # and what is known is not sent again
    blob = next(file.blob for file in found.files if file.path == "large.yaml")
    again = await git.snapshot(remote, sha, known={"large.yaml": blob, "a.yaml": "another"})
    assert {file.path: file.content for file in again.files} == {
        "a.yaml": b"a",
        "empty.yaml": b"",
        "large.yaml": None,
    }


async def test_an_error_comes_as_it_is(git: RunningGit, repository: Repository) -> None:
    sha = repository.commit({"a.yaml": "aa", "b.yaml": "bb"})
    for branch, reason, message in (
        ("none", "NotFound", "The branch 'none' does not exist"),
        ("--upload-pack=x", "InvalidReference", "is not a valid name"),
    ):
        with pytest.raises(GitError, match=message) as caught:
            await git.client.resolve("team", Remote(repository.url, Reference(branch=branch)))
        assert caught.value.reason == reason
    remote = Remote(repository.url, Reference())
    with pytest.raises(GitError, match="together") as caught:
        await git.snapshot(remote, sha, limits=Limits(max_total_bytes=3))
    assert caught.value.reason == "TooLarge"
    with pytest.raises(GitError, match="reached") as caught:
        await git.client.resolve("team", Remote("http://u:s3cret@127.0.0.1:9/x", Reference()))
    assert "s3cret" not in caught.value.message


async def test_nobody_gets_an_answer_without_the_token(git: RunningGit) -> None:
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"Authorization": "Bearer guess"}, {"Authorization": "Basic eDp5"}):
            for path in (RESOLVE, SNAPSHOT):
                async with session.post(git.url + path, headers=headers, data=b"{}") as answer:
                    assert answer.status == 401
    stranger = GitClient(git.client._address, lambda: "guess")
    with pytest.raises(GitServiceUnavailable, match="refuses: 401"):
        await stranger.resolve("team", Remote("http://x", Reference()))


async def test_a_request_that_is_none_is_refused(git: RunningGit) -> None:
    headers = {"Authorization": f"Bearer {git.client._credentials()}"}
    async with aiohttp.ClientSession() as session:
        for body, path in ((b"{", RESOLVE), (b"{}", RESOLVE), (b'{"tenant": 1}', SNAPSHOT)):
            async with session.post(git.url + path, headers=headers, data=body) as answer:
                assert answer.status == 400
    remote = Remote("http://127.0.0.1:9/x", Reference())
    for source in ("", "..", "../x", "a/b", ".x", "x" * 200):
        with pytest.raises(GitServiceUnavailable, match="refuses: 400"):
            await git.snapshot(remote, "0" * 40, source=source)


async def test_who_hangs_holds_up_no_other_tenant(
    git: RunningGit, repository: Repository, hanging: str
) -> None:
    # given: a tenant with many more sources that hang than it has turns
    sha = repository.commit({"a.yaml": "a"})
    slow = Remote(hanging, Reference(), timeout=600)
    calls: list[asyncio.Task[Any]]
    calls = [asyncio.create_task(git.client.resolve("hostile", slow)) for _ in range(20)]
    calls += [
        asyncio.create_task(git.snapshot(slow, "0" * 40, "hostile", f"s{number}"))
        for number in range(10)
    ]
    # Each git starts a helper, which talks to the server.
    await until(lambda: git.gits >= LOOKS_PER_TENANT + FETCHES_PER_TENANT)
    # when
    remote = Remote(repository.url, Reference(), timeout=60)
    async with asyncio.timeout(30):
        assert await git.client.resolve("team", remote) == sha
        assert len((await git.snapshot(remote, sha)).files) == 1
    # then: they hang still
    assert not any(call.done() for call in calls)
    # and when whoever asked goes, so does each git
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    await until(lambda: git.gits == 0)
    # and its turns are free again
    async with asyncio.timeout(30):
        assert await git.client.resolve("hostile", remote) == sha


async def test_the_clock_of_a_call_begins_with_its_turn(
    git: RunningGit, repository: Repository, hanging: str
) -> None:
    # given: calls that take all turns of a tenant, for longer than the next one may take
    sha = repository.commit({"a.yaml": "a"})
    slow = Remote(hanging, Reference(), timeout=6)
    calls = [asyncio.create_task(git.client.resolve("team", slow)) for _ in range(LOOKS_PER_TENANT)]
    await until(lambda: git.gits >= LOOKS_PER_TENANT)
    # when
    began = time.monotonic()
    assert await git.client.resolve("team", Remote(repository.url, Reference(), timeout=5)) == sha
    # then
    assert time.monotonic() - began > 4
    for call in calls:
        with pytest.raises(GitError) as caught:
            await call
        assert caught.value.reason == "Timeout"


async def test_large_files_pass_through_with_little_memory(
    git: RunningGit, repository: Repository
) -> None:
    # given: files of which each is larger than the memory that it may take
    size = 30 * MIB
    repository.git("config", "core.bigFileThreshold", "1m")  # lest the push looks for differences
    sha = repository.commit({f"{number}.yaml": b"\0" * (size - number) for number in range(4)})
    limits = Limits(max_file_bytes=64 * MIB, max_total_bytes=256 * MIB)
    wanted = Wanted(sha, limits=limits)
    before = git.most_memory
    # when
    received, largest = 0, 0
    remote = Remote(repository.url, Reference(), timeout=300)
    async with git.client.snapshot("team", "large", remote, wanted) as records:
        async for record in records:
            if isinstance(record, bytes):
                received += len(record)
                largest = max(largest, len(record))
    # then
    assert received == 4 * size - 6
    assert largest <= 64 * 1024
    assert git.most_memory - before < 24 * MIB


async def test_a_reader_that_is_slow_holds_the_service_back(
    git: RunningGit, repository: Repository
) -> None:
    # given
    size = 40 * MIB
    repository.git("config", "core.compression", "0")  # which takes long, and can't make it smaller
    sha = repository.commit({"a.yaml": os.urandom(size)})
    limits = Limits(max_file_bytes=64 * MIB, max_total_bytes=256 * MIB)
    before = git.most_memory
    # when: it takes a little, and then nothing for a while
    remote = Remote(repository.url, Reference(), timeout=300)
    async with git.client.snapshot("team", "slow", remote, Wanted(sha, limits=limits)) as records:
        seen = 0
        async for record in records:
            seen += len(record) if isinstance(record, bytes) else 0
            if MIB < seen < MIB + 65537:
                await asyncio.sleep(1)
    # then
    assert seen == size
    assert git.most_memory - before < 24 * MIB


async def test_default_settings_refuse_what_is_on_this_machine(
    tmp_path: Path, repository: Repository
) -> None:
    repository.commit({"a.yaml": "a"})
    async with running_git(tmp_path / "service", refused="") as strict:
        for url in (repository.url, "http://169.254.169.254/x.git", "http://localhost/x.git"):
            with pytest.raises(GitError, match=r"settings\.network\.refused") as caught:
                await strict.client.resolve("team", Remote(url, Reference()))
            assert caught.value.reason == "GitOperationFailed"


async def test_what_is_the_controllers_own_is_refused_too(
    git: RunningGit, repository: Repository
) -> None:
    repository.commit({"a.yaml": "a"})
    refused = RefusedNetworks([], own=["127.0.0.1"])
    client = GitClient(git.client._address, git.client._credentials, refused)
    with pytest.raises(GitError, match="does not ask"):
        await client.resolve("team", Remote(repository.url, Reference()))
    await client.close()


async def test_a_stream_that_is_cut_off_is_seen_as_such(
    tmp_path: Path, repository: Repository
) -> None:
    # given
    repository.git("config", "core.compression", "0")  # which takes long, and can't make it smaller
    sha = repository.commit({"a.yaml": os.urandom(30 * MIB), "b.yaml": "b"})
    limits = Limits(max_file_bytes=64 * MIB, max_total_bytes=256 * MIB)
    remote = Remote(repository.url, Reference(), timeout=300)
    async with running_git(tmp_path / "service") as mortal:

        async def read() -> None:
            wanted = Wanted(sha, limits=limits)
            async with mortal.client.snapshot("team", "source", remote, wanted) as records:
                async for record in records:
                    # when: it is killed in the middle of a file
                    if isinstance(record, bytes) and is_running(pid):
                        os.kill(pid, signal.SIGKILL)

        pid = mortal.pid
        with pytest.raises(GitServiceUnavailable):
            await read()
        # and nobody is there any more
        with pytest.raises(GitServiceUnavailable, match="can't be reached"):
            await mortal.client.resolve("team", remote)


async def test_it_ends_with_the_controller_that_started_it(tmp_path: Path, hanging: str) -> None:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(running_git(tmp_path / "service"))
        call = asyncio.create_task(
            running.client.resolve("team", Remote(hanging, Reference(), timeout=600))
        )
        await until(lambda: running.gits)
        pid = running.pid
    assert not is_running(pid)
    await until(lambda: not running.gits)
    call.cancel()


async def test_the_disk_is_shared_and_bounded(tmp_path: Path, server: GitServer) -> None:
    # given: three repositories, of which the disk holds two
    remotes = []
    for number in range(3):
        name = f"noise-{number}"
        create_repository(server.root, name)
        with Repository(server.clone_url(name)) as repository:
            sha = repository.commit({"a.yaml": os.urandom(900_000)})
        remotes.append((Remote(server.clone_url(name), Reference()), sha))
    async with running_git(tmp_path / "service", size="3Mi") as small:
        cache = small.folder / "cache"
        for number in (0, 1, 0, 2):
            remote, sha = remotes[number]
            assert len((await small.snapshot(remote, sha, source=f"s{number}")).files) == 1
        # then: what was not used for longest has made way
        assert sorted(path.name for path in cache.iterdir()) == ["s0", "s2"]
        # and one that is too large for it is told
        name = "huge"
        create_repository(server.root, name)
        with Repository(server.clone_url(name)) as repository:
            sha = repository.commit({f"{n}.yaml": os.urandom(900_000) for n in range(5)})
        with pytest.raises(GitError, match=r"git\.cacheSize") as caught:
            await small.snapshot(Remote(server.clone_url(name), Reference()), sha, source="huge")
        assert caught.value.reason == "TooLarge"
        used = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
        assert used < 3 * MIB
