"""Tasks that delete: what is deleted, what the outputs say, and a controller killed in between."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from penstock.cluster.key_value_writer import KeyValueWriter
from penstock.controller.files.execution_index import ExecutionIndex
from penstock.controller.gc.purge_tasks import PurgeTasks
from penstock.controller.keyvalues.index import KeyValueIndex, pair_keys
from penstock.controller.runtime.attempt_cache import SeenAttempt
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import execution_keys
from penstock.controller.runtime.queue import Key
from penstock.engine.interface.actions import Observation, Perform, Purge
from penstock.engine.interface.selecting import PurgeExecutions, PurgeLogs, PurgePairs, Selection
from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError
from penstock.kubernetes.logs.archive import LogArchive, Part
from penstock.kubernetes.logs.lines import Source
from penstock.resources.execution import Attempt, State, TaskRun
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.kv_effects import Change
from tests.fixtures.executions import places
from tests.fixtures.memory_api import MemoryApi

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUN = TaskRun(id="r1", task_id="purge", state=State.CREATED, start_date=NOW)
ATTEMPT = Attempt(number=1, state=State.CREATED, created_date=NOW)
EVERYTHING = PurgeExecutions(Selection())
LINE = "2026-01-02T12:00:00.000000000Z"


class Given:
    """Executions with files and logs, in an API server and a storage."""

    def __init__(self, folder: Path) -> None:
        self.api = MemoryApi()
        self.executions = ObjectStore(execution_keys)
        self.storage = Storage.local(str(folder))
        self.told: list[Key] = []
        self.pairs = KeyValueIndex(ObjectStore(pair_keys), is_listed=True)
        self.writer = KeyValueWriter(
            cast("Api", self.api), self.pairs, lambda tenant, attempt: False
        )
        self.starts_anew()

    def starts_anew(self) -> None:
        """Start a controller anew, as after a kill."""
        self.housekeeping = PurgeTasks(
            cast("Api", self.api),
            ExecutionIndex(self.executions, places(self.executions)),
            self.storage.of,
            self.pairs,
            self.writer,
            lambda key, wait: self.told.append(key),
        )

    async def execution(self, name: str, state: str = "SUCCESS", tenant: str = "ns") -> None:
        flow = {"namespace": "company.team", "id": "flow"}
        body: dict[str, Any] = {
            "metadata": {"namespace": tenant, "name": name},
            "spec": {"flow": flow},
            "status": {
                "state": state,
                "flow": flow,
                "startDate": "2026-01-02T12:00:00Z",
                "taskRuns": [{"metrics": [{"name": "rows"}]}, {}],
            },
        }
        self.executions.put(await self.api.create(EXECUTIONS, tenant, body))
        place = ExecutionPlace("company.team", "flow", name)
        files = self.storage.of(tenant)
        files.put(place.task_file("t", "r", "a.txt"), io.BytesIO(b"x"))
        part = Part(Source("t", "r", 1), LINE, LINE, 10)
        lines = io.BytesIO(f"{LINE} one\n{LINE} two\n".encode())
        LogArchive(files, place, f"uid-{name}").write(part, None, lines)

    def logged(self, name: str) -> int:
        archive = LogArchive(self.storage.of("ns"), ExecutionPlace("company.team", "flow", name))
        return len(list(archive.entries(lambda key: True)))

    def is_gone(self, name: str) -> None:
        """The watch tells of a deletion."""
        body = self.executions.get("ns", name)
        assert body is not None
        self.executions.remove(body)

    async def purged(self, asked: Purge, attempt: int = 1) -> Observation | None:
        """The end of a task of the execution `own`; None where it is tried again."""
        seen = SeenAttempt()
        action = Perform(RUN, ATTEMPT.model_copy(update={"number": attempt}), asked)
        body = self.api.objects["ns", "own"]
        before = len(self.told)
        for _ in range(2):
            self.housekeeping.begin(body, action, asked, seen)
        async with asyncio.timeout(5):
            while len(self.told) == before:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert self.told[before:] == [Key("Execution", "ns", "own")]
        return seen.outcome

    async def outputs(self, asked: Purge, attempt: int = 1) -> Any:
        ended = await self.purged(asked, attempt)
        assert ended is not None
        assert ended.state is State.SUCCESS, ended.message
        return ended.outputs

    def names(self) -> set[tuple[str, str]]:
        return set(self.api.objects)


@pytest.fixture
async def given(tmp_path: Path) -> Given:
    given = Given(tmp_path)
    await given.execution("own", "RUNNING")
    await given.execution("runs", "RUNNING")
    await given.execution("a")
    await given.execution("b", "FAILED")
    await given.execution("a", tenant="other")
    return given


async def test_executions_that_have_ended_are_deleted_in_their_namespace(given: Given) -> None:
    outputs = await given.outputs(EVERYTHING)
    assert outputs == {
        "executionsCount": 2,
        "logsCount": 4,
        "storagesCount": 2,
        "metricsCount": 2,
    }
    assert given.names() == {("ns", "own"), ("ns", "runs"), ("other", "a")}


async def test_executions_may_stay_without_their_files_and_logs(given: Given) -> None:
    # given
    asked = PurgeExecutions(
        Selection(states=frozenset({State.SUCCESS})), executions=False, metrics=False
    )
    # when
    outputs = await given.outputs(asked)
    # then
    assert outputs == {
        "executionsCount": 0,
        "logsCount": 2,
        "storagesCount": 1,
        "metricsCount": 0,
    }
    assert ("ns", "a") in given.names()
    files = [path for path in given.storage.of("ns").list("/") if "/a/tasks/" in path]
    assert (given.logged("a"), given.logged("b"), files) == (0, 2, [])


async def test_a_controller_that_was_killed_deletes_the_rest_and_says_how_much_it_was(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    delete = given.api.delete

    async def killed(resource: Any, namespace: str, name: str, *more: Any) -> None:
        if name == "b":
            raise ApiError(0, "Unreachable", "gone")
        await delete(resource, namespace, name, *more)

    monkeypatch.setattr(given.api, "delete", killed)
    assert await given.purged(EVERYTHING) is None
    assert ("ns", "b") in given.names()
    # when
    monkeypatch.undo()
    given.is_gone("a")
    given.starts_anew()
    outputs = await given.outputs(EVERYTHING)
    # then
    assert outputs["executionsCount"] == 2
    assert ("ns", "b") not in given.names()


async def test_what_another_attempt_counted_is_not_taken_over(given: Given) -> None:
    # given
    first = await given.outputs(EVERYTHING)
    given.is_gone("a")
    given.is_gone("b")
    # when
    second = await given.outputs(EVERYTHING, attempt=2)
    # then
    assert (first["executionsCount"], second["executionsCount"]) == (2, 0)


async def test_a_storage_that_fails_fails_the_task(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Storage, folder: str) -> Any:
        raise OSError("the bucket does not answer")

    monkeypatch.setattr(Storage, "list", broken)
    ended = await given.purged(EVERYTHING)
    assert ended is not None
    assert (ended.state, ended.reason) == (State.FAILED, "StorageFailed")
    assert ended.message == "the bucket does not answer"


async def test_logs_of_all_executions_are_purged_in_their_namespace(given: Given) -> None:
    # when
    outputs = await given.outputs(
        PurgeLogs(Selection("company"), None, None, datetime(2026, 2, 1, tzinfo=UTC))
    )
    # then
    assert outputs == {"count": 8, "executionLogsCount": 8, "nonExecutionLogsCount": 0}
    assert [given.logged(name) for name in ("own", "runs", "a", "b")] == [0, 0, 0, 0]
    other = LogArchive(given.storage.of("other"), ExecutionPlace("company.team", "flow", "a"))
    assert len(list(other.entries(lambda key: True))) == 2


async def test_keys_are_purged_in_their_namespace(given: Given) -> None:
    # given
    for tenant, key in (("ns", "tmp_1"), ("ns", "kept"), ("other", "tmp_1")):
        await given.writer.change(tenant, Change("set", "company.team", key, 1))
    asked = PurgePairs(("company",), True, None, "tmp_*", expired_only=False)
    # when
    outputs = await given.outputs(asked)
    # then
    assert outputs == {"size": 1}
    assert given.pairs.keys("ns", "company.team") == ["kept"]
    assert given.pairs.keys("other", "company.team") == ["tmp_1"]


async def test_keys_whose_time_is_over_go_without_a_task(given: Given) -> None:
    await given.writer.change("ns", Change("set", "company.team", "k", 1))
    outputs = await given.outputs(PurgePairs((), True, None, None, expired_only=True))
    assert outputs == {"size": 0}
    assert given.pairs.keys("ns", "company.team") == ["k"]
