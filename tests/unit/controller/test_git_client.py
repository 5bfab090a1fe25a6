"""What the controller makes of answers of the Git service that are not as they should be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from penstock.controller.gitsources.commit_files import CommitFiles
from penstock.controller.gitsources.git_client import GitClient, GitServiceUnavailable
from penstock.git import Begun, FileHead, GitError, Record, Reference, Remote, Skipped, Wanted
from penstock.git.wire import Done, Failed, Resolved, Told, encoded
from penstock.kubernetes.api.client import ApiError
from penstock.tls.entrance import Entrance
from penstock.tls.trust import GIT, trusting
from tests.fixtures.certificates import authority, served_by

REMOTE = Remote("https://git.example.com/x.git", Reference())
WHOLE: list[Told] = [
    Begun("c" * 40),
    Skipped("link.yaml", "symbolic links are not followed"),
    FileHead("known.yaml", "blob", None),
    FileHead("größe.yaml", "blob", 7),
    b"id: ",
    b"\n{}",
    FileHead("empty.yaml", "blob", 0),
]


def client_of(url: str) -> GitClient:
    async def address() -> str:
        return url

    return GitClient(address, lambda: "token")


@asynccontextmanager
async def serving(
    write: Callable[[web.StreamResponse], Awaitable[None]],
) -> AsyncIterator[GitClient]:
    """A service that answers with what `write` writes."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await write(response)
        return response

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = client_of(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


async def snapshot(client: GitClient) -> list[Record]:
    async with client.snapshot("team", "source", REMOTE, Wanted("c" * 40)) as records:
        return [record async for record in records]


@asynccontextmanager
async def telling(*told: Told | bytes) -> AsyncIterator[GitClient]:
    async def write(response: web.StreamResponse) -> None:
        for one in told:
            await response.write(b"\n" + encoded(one))

    async with serving(write) as client:
        yield client


async def test_records_come_as_they_were_sent_with_signs_of_life_between_them() -> None:
    async with telling(*WHOLE, Done()) as client:
        assert await snapshot(client) == WHOLE


@pytest.mark.parametrize("count", range(len(WHOLE) + 1))
async def test_an_answer_without_its_end_mark_is_cut_off(count: int) -> None:
    async with telling(*WHOLE[:count]) as client:
        with pytest.raises(GitServiceUnavailable, match="broke off"):
            await snapshot(client)


async def test_an_answer_that_ends_within_a_piece_is_cut_off() -> None:
    async def write(response: web.StreamResponse) -> None:
        await response.write(encoded(WHOLE[3]) + b'{"piece": 100}\nid: ')

    async with serving(write) as client:
        with pytest.raises(GitServiceUnavailable):
            await snapshot(client)


async def test_an_error_after_some_files_is_that_error() -> None:
    async with telling(*WHOLE, Failed(GitError("Timeout", "no answer"))) as client:
        with pytest.raises(GitError, match="no answer") as caught:
            await snapshot(client)
    assert caught.value.reason == "Timeout"


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b"{}\n", b'{"new": 1}\n', b"[1]\n", b"x" * 200_000]
)
async def test_what_is_no_record_is_told(line: bytes) -> None:
    async def write(response: web.StreamResponse) -> None:
        await response.write(line)

    async with serving(write) as client:
        with pytest.raises(GitServiceUnavailable):
            await snapshot(client)


async def test_an_answer_without_a_commit_is_none() -> None:
    async with telling(Done()) as client:
        with pytest.raises(GitServiceUnavailable, match="without a commit"):
            await client.resolve("team", REMOTE)
    async with telling(Resolved("c" * 40), Done()) as client:
        assert await client.resolve("team", REMOTE) == "c" * 40


async def test_who_stops_waiting_ends_the_connection() -> None:
    # given: a service that never answers
    gone = asyncio.Event()

    async def write(response: web.StreamResponse) -> None:
        try:
            while True:
                await response.write(b"\n")
                await asyncio.sleep(0.01)
        except ConnectionError:
            gone.set()

    async with serving(write) as client:
        call = asyncio.create_task(client.resolve("team", REMOTE))
        await asyncio.sleep(0.2)
        # when
        call.cancel()
        # then
        async with asyncio.timeout(5):
            await gone.wait()


@pytest.mark.parametrize("talks", [True, False], ids=["while it talks", "while it is silent"])
async def test_who_stops_waiting_ends_the_call_by_tls(tmp_path: Path, talks: bool) -> None:
    # given: a service of a cluster that never comes to an end
    own, asked, gone = authority(), asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        asked.set()
        try:
            while True:
                if talks:
                    await response.write(b"\n" * 100_000)  # more than the client takes in
                await asyncio.sleep(0.01)
        finally:
            gone.set()

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    assert runner.server is not None
    entrance = Entrance(runner.server, served_by(own, tmp_path / "tls", GIT))
    async with entrance.listening(0, "127.0.0.1") as port:

        async def address() -> str:
            return f"https://127.0.0.1:{port}"

        client = GitClient(address, lambda: "token", trust=lambda: trusting(own.pem))
        async with asyncio.timeout(5):
            async with client.snapshot("team", "source", REMOTE, Wanted("c" * 40)):
                await asked.wait()
            # then: leaving the answer is seen there
            await gone.wait()
        await client.close()
    await runner.cleanup()


async def test_a_service_of_which_nobody_knows_where_it_is_is_waited_for() -> None:
    async def address() -> str:
        raise ApiError(503, "ServiceUnavailable", "later")

    with pytest.raises(GitServiceUnavailable, match="later"):
        await GitClient(address, lambda: "token").resolve("team", REMOTE)


def test_the_files_of_a_commit_are_bounded() -> None:
    with CommitFiles(limit=10) as files:
        files.take(FileHead("a.yaml", "blob", 20))
        files.take(b"x" * 10)
        with pytest.raises(GitError, match="more than 10 bytes"):
            files.take(b"x")


def test_files_are_read_one_after_the_other() -> None:
    with CommitFiles() as files:
        for record in WHOLE:
            assert not isinstance(record, Resolved | Failed | Done)
            files.take(record)
        assert [(file.path, file.content) for file in files] == [
            ("größe.yaml", b"id: \n{}"),
            ("empty.yaml", b""),
        ]
        assert (files.commit, files.unchanged) == ("c" * 40, ["known.yaml"])
        assert [item.path for item in files.skipped] == ["link.yaml"]
