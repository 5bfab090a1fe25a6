"""The log of an execution is shown once, in order, wherever its parts are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from penstock.cluster.execution_logs import ExecutionLogs
from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError, Object, Resource
from penstock.kubernetes.api.names import job_name

PATH = "/api/v1/namespaces/p/services/s:storage/proxy/v1/logs/team/n/f/run-1"
DATE = "2026-11-21T16:00:00Z"


def at(second: int) -> str:
    return f"2026-11-21T16:00:{second:02}.000000000Z"


class Cluster:
    """An execution, its pods and its archive, as a test writes them."""

    def __init__(self) -> None:
        self.state = "RUNNING"
        self.rounds = 0
        self.logs: Object | None = {"path": PATH, "token": "secret"}
        self.pods: dict[str, Object] = {}
        self.printed: dict[str, list[tuple[int, str]]] = {}
        self.archived: dict[str, tuple[bool, list[tuple[int, str]]]] = {}
        self.forbidden: set[str] = set()
        self.tokens: set[str | None] = set()

    def pod(self, task: str, *printed: tuple[int, str], state: str = "running") -> None:
        job = job_name("run-1", "u-1", task, f"r-{task}", 1)
        self.printed[f"{job}-x"] = list(printed)
        self.pods[task] = {
            "metadata": {
                "namespace": "team",
                "name": f"{job}-x",
                "labels": {
                    "penstock.dev/execution-uid": "u-1",
                    "penstock.dev/task-run": f"r-{task}",
                    "penstock.dev/attempt": "1",
                },
                "annotations": {
                    "penstock.dev/execution-name": "run-1",
                    "penstock.dev/task-id": task,
                },
                "ownerReferences": [{"kind": "Job", "name": job}],
            },
            "spec": {},
            "status": {
                "containerStatuses": [{"name": "task", "state": {state: {"startedAt": DATE}}}]
            },
        }

    def archive(self, task: str, *printed: tuple[int, str], ended: bool = True) -> None:
        self.archived[task] = ended, list(printed)

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        assert (resource, namespace, name) == (EXECUTIONS, "team", "run-1")
        self.rounds += 1
        tasks = {*self.pods, *self.archived}
        attempt = {"number": 1, "state": "RUNNING", "createdDate": DATE, "startDate": DATE}
        run = {"state": "RUNNING", "startDate": DATE}
        runs = [
            run | {"id": f"r-{task}", "taskId": task, "attempts": [attempt | {"job": "j"}]}
            for task in tasks
        ]
        status = {"state": self.state, "taskRuns": runs, "logs": self.logs}
        return {"metadata": {"uid": "u-1", "name": name}, "status": status}

    async def list(self, resource: Resource, namespace: str, selector: str) -> list[Object]:
        if "pods" in self.forbidden:
            raise ApiError(403, "Forbidden", "no pods for you")
        assert selector == "penstock.dev/execution-uid=u-1"
        return list(self.pods.values())

    async def log_stream(
        self, namespace: str, pod: str, query: Mapping[str, str], silence: float | None = None
    ) -> AsyncIterator[bytes]:
        if "log" in self.forbidden:
            raise ApiError(403, "Forbidden", "no logs for you")
        for second, text in self.printed[pod]:
            yield f"{at(second)} {text}\n".encode()

    async def stream(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> AsyncIterator[bytes]:
        if "archive" in self.forbidden:
            raise ApiError(403, "Forbidden", "no proxy for you")
        self.tokens.add(headers.get("Penstock-Token"))
        if path == f"{PATH}/attempts":
            yield json.dumps([self._told(task) for task in self.archived]).encode()
            return
        assert path == PATH
        found = sorted(
            (second, task, text)
            for task, (_, printed) in self.archived.items()
            for second, text in printed
            if query.get("taskRunId") in (None, f"r-{task}")
        )
        text = "".join(json.dumps(_entry(*item)) + "\n" for item in found).encode()
        for start in range(0, len(text), 50):
            yield text[start : start + 50]

    def _told(self, task: str) -> Object:
        ended, printed = self.archived[task]
        told: Object = {"taskRunId": f"r-{task}", "attempt": 1, "ended": ended}
        return told if ended else told | {"last": at(printed[-1][0]), "size": 10}


def _entry(second: int, task: str, text: str) -> Object:
    return {
        "timestamp": at(second),
        "level": "INFO",
        "message": text,
        "taskId": task,
        "taskRunId": f"r-{task}",
        "attempt": 1,
    }


class Reader:
    """Somebody who reads the log."""

    def __init__(self, cluster: Cluster) -> None:
        self.warnings: list[str] = []
        self.logs = ExecutionLogs(
            cast("Api", cluster), "team", "run-1", lambda entry: True, self.warnings.append
        )

    async def round(self) -> list[Any]:
        return [(entry["taskId"], entry["message"]) async for entry in self.logs.news()]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for between two rounds."""
    monkeypatch.setattr("penstock.cluster.execution_logs._ROUND", 0.0)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def reader(cluster: Cluster) -> Reader:
    return Reader(cluster)


async def test_pods_and_archive_are_one_log(cluster: Cluster, reader: Reader) -> None:
    cluster.archive("a", (1, "one"), (4, "four"))
    cluster.pod("b", (2, "two"), (5, "five"))
    cluster.pod("c", (3, "three"))
    assert await reader.round() == [
        ("a", "one"),
        ("b", "two"),
        ("c", "three"),
        ("a", "four"),
        ("b", "five"),
    ]
    assert cluster.tokens == {"secret"}
    assert reader.warnings == []


async def test_of_a_running_task_the_archive_comes_before_the_pod(
    cluster: Cluster, reader: Reader
) -> None:
    cluster.archive("a", (1, "one"), (2, "two"), ended=False)
    cluster.pod("a", (2, "two"), (3, "three"))
    assert await reader.round() == [("a", "one"), ("a", "two"), ("a", "three")]
    assert await reader.round() == []
    assert not reader.logs.is_complete


async def test_each_round_shows_what_is_new(cluster: Cluster, reader: Reader) -> None:
    # given
    cluster.pod("a", (1, "one"))
    assert await reader.round() == [("a", "one")]
    # when
    cluster.pod("a", (1, "one"), (2, "two"))
    cluster.pod("b", (3, "three"))
    # then
    assert await reader.round() == [("a", "two"), ("b", "three")]
    # when
    cluster.archive("a", (1, "one"), (2, "two"), (4, "four"))
    cluster.pod("a", state="terminated")
    cluster.pod("b", (3, "three"), (5, "five"), state="terminated")
    # then
    assert await reader.round() == [("a", "four"), ("b", "five")]
    assert reader.logs.is_complete
    # when
    cluster.archive("b", (3, "three"), (5, "five"))
    # then
    assert await reader.round() == []


async def test_what_is_forbidden_is_said_once(cluster: Cluster, reader: Reader) -> None:
    cluster.archive("a", (1, "one"))
    cluster.pod("b", (2, "two"))
    cluster.forbidden = {"archive"}
    assert await reader.round() == [("b", "two")]
    await reader.round()
    assert len(reader.warnings) == 1
    assert "no proxy for you" in reader.warnings[0]


@pytest.mark.parametrize("what", ["pods", "log"])
async def test_who_may_not_read_pods_reads_the_archive(
    cluster: Cluster, reader: Reader, what: str
) -> None:
    cluster.archive("a", (1, "one"))
    cluster.pod("b", (2, "two"))
    cluster.forbidden = {what}
    assert await reader.round() == [("a", "one")]
    assert len(reader.warnings) == 1


async def test_an_execution_without_an_archive_has_its_pods(
    cluster: Cluster, reader: Reader
) -> None:
    cluster.logs = None
    cluster.pod("b", (2, "two"))
    assert await reader.round() == [("b", "two")]
    assert reader.warnings == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/secrets",
        f"{PATH}?x=y",
        "/api/v1/namespaces/a/services/b/proxy/other",
        "x" + PATH,
        PATH + "/%2e%2e/x",
    ],
)
async def test_a_status_leads_nowhere_else(cluster: Cluster, reader: Reader, path: str) -> None:
    cluster.logs = {"path": path, "token": "t"}
    cluster.pod("b", (2, "two"))
    assert await reader.round() == [("b", "two")]
    assert "names no place" in reader.warnings[0]
    assert cluster.tokens == set()


@pytest.mark.usefixtures("at_once")
async def test_who_follows_reads_until_all_logs_of_the_ended_execution_are_there(
    cluster: Cluster, reader: Reader
) -> None:
    cluster.pod("a", (1, "one"))
    read = []

    async for entry in reader.logs.followed():
        read.append(entry["message"])
        if read == ["one"]:
            cluster.pod("a", (1, "one"), (2, "two"))
        else:
            cluster.state = "SUCCESS"
            cluster.pod("a", (1, "one"), (2, "two"), state="terminated")

    assert read == ["one", "two"]
    assert reader.logs.is_complete


@pytest.mark.usefixtures("at_once")
async def test_logs_that_never_come_are_not_waited_for_without_end(
    cluster: Cluster, reader: Reader
) -> None:
    cluster.state = "FAILED"
    cluster.pod("a", (1, "one"))

    assert [entry["message"] async for entry in reader.logs.followed()] == ["one"]

    assert not reader.logs.is_complete
    assert cluster.rounds == 15
