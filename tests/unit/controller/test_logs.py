"""Logs of pods reach the archive: whole, once, and also what was printed before a pod was lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from penstock.controller.files.storage_access import StorageAccess
from penstock.controller.logs import archiver as logs
from penstock.controller.logs import kubelets
from penstock.controller.logs import uploader as logkeeping
from penstock.controller.logs.archiver import FETCH, Logs
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.queue import Key
from penstock.engine.interface.actions import StartAttempt
from penstock.flow.task import RunnableTask
from penstock.kubernetes.api.client import Api, ApiError
from penstock.kubernetes.api.names import job_name
from penstock.kubernetes.logs import collect as logcatching
from penstock.kubernetes.logs.archive import LogArchive
from penstock.resources.execution import Attempt, State, TaskRun
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.core.templated import TEMPLATED

PLACE = ExecutionPlace("company.team", "f", "run-1")
EXECUTION = {
    "metadata": {"namespace": "team", "name": "run-1", "uid": "u-1", "resourceVersion": "1"},
    "status": {"flow": {"namespace": "company.team", "id": "f"}},
}
STATE = {"exitCode": 0, "startedAt": "2026-11-21T16:00:00Z"}
ASKING = Key("Execution", "team", "run-1")


def line(second: int, text: str) -> bytes:
    return f"2026-11-21T16:00:{second:02}.000000000Z {text}\n".encode()


class Kubelet:
    """Answers with the log of a pod, or with an error."""

    def __init__(self) -> None:
        self.log = b""
        self.error: ApiError | None = None
        self.asked: list[dict[str, str]] = []

    async def log_stream(
        self, namespace: str, pod: str, query: Mapping[str, str], silence: float | None = None
    ) -> AsyncIterator[bytes]:
        self.asked.append(dict(query))
        if self.error is not None:
            raise self.error
        lines = self.log.splitlines(keepends=True)
        for found in lines[-int(query["tailLines"]) :] if "tailLines" in query else lines:
            yield found


def pod(state: str, *, run: str = "r", number: int = 1, version: int = 1, **meta: Any) -> Any:
    job = job_name("run-1", "u-1", "t", run, number)
    return {
        "metadata": {
            "namespace": "team",
            "name": f"{job}-x",
            "uid": f"pod-{run}-{number}",
            "resourceVersion": str(version),
            "labels": {
                "penstock.dev/execution-uid": "u-1",
                "penstock.dev/task-run": run,
                "penstock.dev/attempt": str(number),
            },
            "annotations": {
                "penstock.dev/execution-name": "run-1",
                "penstock.dev/task-id": "t",
            },
            "ownerReferences": [{"kind": "Job", "name": job}],
            **meta,
        },
        "spec": {"containers": [{"name": "task"}]},
        "status": {
            "containerStatuses": [
                {
                    "name": "task",
                    "state": {state: {"exitCode": 0, "startedAt": "2026-11-21T16:00:00Z"}},
                }
            ]
        },
    }


class Stage:
    """The archiver, with a kubelet that a test writes and an archive that it reads."""

    def __init__(self, folder: Path) -> None:
        self.kubelet = Kubelet()
        self.executions = ObjectStore()
        self.executions.put(EXECUTION)
        self.storage = Storage.local(str(folder))
        self.told: list[Key] = []
        self.logs = self._made()
        self._work = asyncio.create_task(self.logs.run())

    def restart(self) -> None:
        """Let a controller start anew."""
        self._work.cancel()
        self.logs = self._made()
        self._work = asyncio.create_task(self.logs.run())

    def _made(self) -> Logs:
        def look_again(key: Key, wait: float) -> None:
            self.told.append(key)

        self.memories = ExecutionMemories()
        storage = access_of(self.storage)
        return Logs(cast("Api", self.kubelet), storage, self.executions, self.memories, look_again)

    def messages(self) -> list[str]:
        found = self.archive.entries(lambda key: True)
        return [entry["message"] for entry in found]

    @property
    def archive(self) -> LogArchive:
        return LogArchive(self.storage.of("team"), PLACE, "u-1")

    @property
    def ended(self) -> bool:
        return self.archive.has_ended(("r", 1))

    async def until(self, what: Callable[[], Any]) -> None:
        async with asyncio.timeout(60):
            while not what():  # noqa: ASYNC110
                await asyncio.sleep(0.005)


def access_of(storage: Storage) -> StorageAccess:
    class Access:
        def storage(self, tenant: str) -> Storage:
            return storage.of(tenant)

    return cast("StorageAccess", Access())


@pytest.fixture
async def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def fetch(seconds_ago: float = 0, **properties: Any) -> StartAttempt:
    made = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    attempt = Attempt(number=1, state=State.CREATED, created_date=made)
    run = TaskRun(id="fetch", task_id="fetch", state=State.CREATED, start_date=made)
    task = RunnableTask(id="fetch", type=FETCH)
    return StartAttempt(run, attempt, task, properties)


async def test_an_ended_pod_is_archived_once(stage: Stage) -> None:
    # given
    stage.kubelet.log = line(1, "one") + line(2, "two")
    # when
    stage.logs.seen(pod("terminated"))
    await stage.until(lambda: stage.ended)
    stage.logs.seen(pod("terminated", version=2))
    # then
    await stage.until(lambda: stage.logs.queue.depth == 0)
    assert stage.messages() == ["one", "two"]
    assert len(stage.kubelet.asked) == 1


async def test_a_new_controller_archives_what_ended_while_it_was_away(stage: Stage) -> None:
    # given
    stage.kubelet.log = line(1, "one")
    stage.logs.seen(pod("terminated"))
    await stage.until(lambda: stage.ended)
    # when
    stage.restart()
    stage.logs.seen(pod("terminated"))
    stage.logs.seen(pod("terminated", run="other"))
    await stage.until(lambda: stage.archive.has_ended(("other", 1)))
    # then
    assert stage.messages() == ["one", "one"]
    assert len(stage.kubelet.asked) == 2


async def test_parts_of_a_long_log_follow_each_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(logs, "FIRST_PART", 0.01)
    stage.kubelet.log = line(1, "one") + line(2, "tw")[:-1]
    stage.logs.seen(pod("running"))
    await stage.until(lambda: stage.messages() == ["one"])
    # when
    stage.restart()
    stage.kubelet.log = line(1, "one") + line(2, "two") + line(3, "three")
    stage.logs.seen(pod("terminated", version=2))
    await stage.until(lambda: stage.ended)
    # then
    assert stage.messages() == ["one", "two", "three"]
    assert stage.kubelet.asked[-1]["sinceTime"] == "2026-11-21T16:00:01Z"


async def test_what_the_kubelet_moved_away_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(logs, "FIRST_PART", 0.01)
    stage.kubelet.log = line(1, "one")
    stage.logs.seen(pod("running"))
    await stage.until(lambda: stage.messages() == ["one"])
    # when
    stage.kubelet.log = line(9, "nine")
    stage.logs.seen(pod("terminated", version=2))
    await stage.until(lambda: stage.ended)
    # then
    assert stage.messages() == ["one", logcatching.GAP, "nine"]


async def test_a_very_long_log_keeps_its_beginning_and_its_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(logcatching, "HEAD_BYTES", 200)
    monkeypatch.setattr(logcatching, "TAIL_LINES", 2)
    stage.kubelet.log = b"".join(line(second, f"line {second}") for second in range(1, 60))
    # when
    stage.logs.seen(pod("terminated"))
    await stage.until(lambda: stage.ended)
    # then
    assert stage.messages() == [
        *(f"line {second}" for second in range(1, 6)),
        logcatching.CUT,
        "line 58",
        "line 59",
    ]


async def test_a_pod_that_is_being_deleted_is_read_to_its_end(stage: Stage) -> None:
    stage.kubelet.log = line(1, "one")
    stage.logs.seen(pod("running", deletionTimestamp="2026-11-21T16:00:00Z"))
    await stage.until(lambda: stage.ended)
    assert stage.kubelet.asked[0]["follow"] == "true"
    assert stage.messages() == ["one"]


async def test_a_pod_that_is_gone_leaves_a_word(stage: Stage) -> None:
    stage.kubelet.error = ApiError(404, "NotFound", "gone")
    stage.logs.seen(pod("terminated"))
    await stage.until(lambda: stage.ended)
    assert stage.messages() == [logkeeping.LOST]


async def test_a_kubelet_without_the_log_is_told_of(stage: Stage) -> None:
    stage.kubelet.log = b"unable to retrieve container logs for containerd://x"
    stage.logs.seen(pod("terminated"))
    await stage.until(lambda: stage.ended)
    (message,) = stage.messages()
    assert message.startswith("the log could not be read: unable to retrieve")


async def test_a_container_that_ended_before_it_had_a_log_is_asked_for_once(stage: Stage) -> None:
    stage.kubelet.error = ApiError(400, "BadRequest", 'container "task" is terminated')
    stage.logs.seen(pod("terminated"))
    await stage.until(lambda: stage.ended)
    (message,) = stage.messages()
    assert message == 'the log could not be read: container "task" is terminated'
    assert len(stage.kubelet.asked) == 1


async def test_what_fails_is_tried_again(stage: Stage) -> None:
    # given
    stage.kubelet.error = ApiError(503, "Unavailable", "the node is away")
    stage.logs.seen(pod("terminated"))
    await stage.until(lambda: stage.kubelet.asked)
    assert not stage.ended
    # when
    stage.kubelet.error, stage.kubelet.log = None, line(1, "one")
    stage.logs.seen(pod("terminated", version=2))
    await stage.until(lambda: stage.ended)
    # then
    assert stage.messages() == ["one"]


async def test_a_kubelet_that_fails_is_not_asked_for_each_of_its_logs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(kubelets, "FIRST_WAIT", 0.05)
    stage.kubelet.error = ApiError(500, "InternalError", "connection refused")
    # when
    for number in range(1, 31):
        stage.logs.seen(pod("terminated", number=number))
    await asyncio.sleep(0.3)
    # then
    assert 1 < len(stage.kubelet.asked) < 10
    # and when it answers again, no log is missing
    stage.kubelet.error, stage.kubelet.log = None, line(1, "one")
    keys = [("r", number) for number in range(1, 31)]
    await stage.until(lambda: all(stage.archive.has_ended(key) for key in keys))
    assert stage.messages() == ["one"] * 30


async def test_a_log_that_no_kubelet_gives_for_long_is_told_of(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(kubelets, "FIRST_WAIT", 0.05)
    monkeypatch.setattr(logs, "_PATIENCE", 0.2)
    stage.kubelet.error = ApiError(500, "InternalError", "connection refused")
    # when
    for number in (1, 2, 3):
        stage.logs.seen(pod("terminated", number=number))
    await stage.until(lambda: all(stage.archive.has_ended(("r", n)) for n in (1, 2, 3)))
    # then
    assert len(stage.kubelet.asked) < 6
    assert all("the log could not be read" in message for message in stage.messages())


async def test_nothing_is_kept_of_an_execution_that_is_gone(stage: Stage) -> None:
    stage.kubelet.log = line(1, "one")
    stage.executions.remove(EXECUTION)
    stage.logs.seen(pod("terminated"))
    await stage.until(lambda: stage.logs.queue.depth == 0)
    assert stage.messages() == []
    assert stage.kubelet.asked == []


@pytest.mark.parametrize(
    "meta",
    [
        {"ownerReferences": []},
        {"ownerReferences": [{"kind": "Job", "name": "another"}]},
        {"annotations": {}},
        {"labels": {}},
    ],
)
async def test_a_pod_with_somebody_elses_labels_is_no_task(
    stage: Stage, meta: dict[str, Any]
) -> None:
    stage.logs.seen(pod("terminated", **meta))
    assert stage.logs.queue.depth == 0


async def test_a_task_that_reads_logs_waits_for_them(stage: Stage) -> None:
    # given
    stage.kubelet.log = line(1, "one")
    stage.logs.seen(pod("terminated"))
    # then
    assert stage.logs.hold(EXECUTION, fetch())
    stage.told.clear()
    await stage.until(lambda: stage.told)
    assert stage.told == [ASKING]
    assert stage.messages() == ["one"]
    assert not stage.logs.hold(EXECUTION, fetch())


@pytest.mark.parametrize(
    ("spec", "waits"),
    [
        (f"{{id: x, type: {FETCH}, executionId: run-1}}", True),
        ("{id: x, type: io.kestra.core.tasks.log.Fetch}", True),
        (f"{{id: x, type: {FETCH}, executionId: unknown}}", False),
        ("{id: x, type: io.kestra.plugin.core.log.Log, message: x}", False),
        ("no: [task", False),
    ],
)
async def test_a_task_that_is_written_when_it_runs_waits_as_well(
    stage: Stage, spec: str, waits: bool
) -> None:
    # given
    stage.kubelet.log = line(1, "one")
    stage.logs.seen(pod("terminated"))
    asking = fetch(spec=spec)
    # then
    templated = replace(asking, task=RunnableTask(id="fetch", type=TEMPLATED))
    assert stage.logs.hold(EXECUTION, templated) is waits


async def test_it_reads_what_running_tasks_printed_so_far(stage: Stage) -> None:
    # given
    stage.kubelet.log = line(1, "one")
    stage.logs.seen(pod("running"))
    # then
    assert stage.logs.hold(EXECUTION, fetch(executionId="run-1"))
    stage.told.clear()
    await stage.until(lambda: stage.told)
    assert stage.messages() == ["one"]
    assert not stage.logs.hold(EXECUTION, fetch(executionId="run-1"))


async def test_it_does_not_wait_for_ever_nor_for_nothing(stage: Stage) -> None:
    assert not stage.logs.hold(EXECUTION, fetch())
    stage.logs.seen(pod("terminated"))
    assert not stage.logs.hold(EXECUTION, fetch(seconds_ago=61))
    assert not stage.logs.hold(EXECUTION, fetch(executionId="unknown"))
