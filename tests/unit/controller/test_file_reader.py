"""Files from Git are read where they may take memory and time: large ones in a worker process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from penstock.controller.gitsources import file_reader
from penstock.controller.gitsources.commit_files import SourceFile
from penstock.controller.gitsources.file_reader import FileReader
from penstock.controller.workers.checking import SMALL
from penstock.controller.workers.pool import Workers

FLOW = b"id: one\nnamespace: company.team\ntasks: [{id: t, type: io.kestra.plugin.core.log.Log,"
GOOD, BAD = FLOW + b" message: x}]\n", FLOW + b" mesage: x}]\n"
PADDING = b"# " + b"x" * SMALL + b"\n"


def file(content: bytes) -> SourceFile:
    return SourceFile("flows/one.yaml", "blob", content)


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    workers = Workers()
    yield workers
    await workers.close()


async def test_what_a_worker_reads_of_a_file_is_what_is_read_here(workers: Workers) -> None:
    reader = FileReader(workers)
    for content in (GOOD, BAD, b"- no flow\n", b"a: {{ x }}\n"):
        small, large = (
            await reader.read("team", file(content)),
            await reader.read("team", file(content + PADDING)),
        )
        assert (small.flows, small.problems) == (large.flows, large.problems)
    assert workers._alive


async def test_a_small_file_asks_no_worker(workers: Workers) -> None:
    reading = await FileReader(workers).read("team", file(GOOD))
    assert [flow.name for flow in reading.flows] == ["company.team.one"]
    assert not workers._alive


async def test_a_fault_of_ours_is_the_problem_of_that_file(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # given
    def faulty(*_: object) -> None:
        raise KeyError("a secret word")

    monkeypatch.setattr(file_reader, "read_file", faulty)
    # when
    reading = await FileReader(workers).read("team", file(GOOD))
    # then
    (problem,) = reading.problems
    assert "Penstock made an error (KeyError): please report it" in problem.message
    assert "flows/one.yaml" in caplog.text
