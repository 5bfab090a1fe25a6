"""Core tasks over files do in a pod what they do on one machine: the same outputs and files."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from penstock.engine.interface.actions import StartAttempt
from penstock.engine.kinds.flowables import for_each_item
from penstock.flow.task import RunnableTask
from penstock.kubernetes.jobs.job import JobDefaults, Owner, build_job
from penstock.kubernetes.pods.files_sidecar import PodStorage, needs_storage, rights
from penstock.local.attempt import run_locally
from penstock.local.services import ExecutionServices, LocalServices
from penstock.resources.execution import Attempt, State, TaskRun
from penstock.storage.execution import NamespaceFiles
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.core_types import core_type
from penstock.tasks.contract.framing import Result
from penstock.tasks.contract.kv_effects import PairUse
from penstock.tasks.contract.services import Origin
from penstock.tasks.pod.main import run
from penstock.tasks.registry.definitions import TASK_VARIABLE, container
from penstock.tasks.remote.storage import GRANT_VARIABLE, URL_VARIABLE
from tests.fixtures.storageservice import GRANT, Running, running

CORE = "io.kestra.plugin.core"
PLACE = ExecutionPlace("company.team", "tried", "run-1")
ORIGIN = Origin(PLACE.namespace, PLACE.flow, PLACE.execution, "t", "r")
ITEMS = '{"id": 1, "n": 5}\n{"id": 2, "n": 50}\n{"id": 1, "n": 7}\n'


def start(task_type: str, properties: Mapping[str, Any]) -> StartAttempt:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    return StartAttempt(
        TaskRun(id="r", task_id="t", state=State.CREATED, start_date=now),
        Attempt(number=1, state=State.CREATED, created_date=now),
        RunnableTask(id="t", type=task_type),
        properties,
    )


@dataclass(frozen=True)
class Around:
    """The controller has nothing to tell but who it is."""

    origin: Origin = ORIGIN

    def snapshot(self, use: PairUse) -> Mapping[str, Any]:
        raise AssertionError("no task over files has to do with pairs")


class Worlds:
    """Two storages with equal files: on this machine, and behind a storage service."""

    def __init__(self, local: LocalServices, service: Running, pods: Path) -> None:
        self._host: ExecutionServices = local.execution(PLACE)
        self._service = service
        self._storages = (local.storage, service.storage.of(GRANT.tenant))
        self._pods = pods

    def store(self, text: str, name: str = "file.txt") -> str:
        for storage in self._storages:
            path = PLACE.task_file("before", "r0", name)
            storage.put(path, io.BytesIO(text.encode()))
        return f"kestra://{path}"

    def namespace_file(self, namespace: str, path: str, text: str) -> None:
        for storage in self._storages:
            NamespaceFiles(storage, namespace).put(path, io.BytesIO(text.encode()))

    async def locally(self, task_type: str, properties: Mapping[str, Any]) -> Result:
        seen = await run_locally(start(task_type, properties), host=self._host)
        return Result(dict(seen.outputs) if seen.outputs is not None else None, seen.message)

    def in_a_pod(
        self, task_type: str, properties: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> Result:
        """Run a task with the environment that the Job of the attempt gives its container, and
        nothing else."""
        begun = start(task_type, properties)
        what = container(task_type, properties, Around())
        storage = None
        if needs_storage(begun, what):
            grant = replace(
                GRANT, place=PLACE, parents=(), task="t", task_run="r", rights=rights(begun, what)
            )
            self._service.known.start(grant)
            token = grant.token(self._service.key)
            storage = PodStorage(PLACE, {URL_VARIABLE: self._service.url, GRANT_VARIABLE: token})
        objects = build_job(begun, Owner("run-1", "team", "uid"), what, JobDefaults(), storage)
        (made,) = objects.job["spec"]["template"]["spec"]["containers"]
        env = {item["name"]: item["value"].replace("$$", "$") for item in made["env"]}
        with monkeypatch.context() as patched:
            for name, value in env.items():
                patched.setenv(name, value)
            if "TMPDIR" in env:
                folder = self._pods / f"pod-{len(list(self._pods.iterdir()))}"
                folder.mkdir()
                patched.setenv("TMPDIR", str(folder))
            return run(json.loads(env[TASK_VARIABLE]))[1]

    def files(self) -> list[dict[str, bytes]]:
        """All files of the execution and of namespaces, on either side."""
        return [dict(_read(storage)) for storage in self._storages]


def _read(storage: Storage) -> Iterator[tuple[str, bytes]]:
    for path in storage.list("/"):
        with storage.open(path) as file:
            yield path, file.read()


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Worlds]:
    (tmp_path / "pods").mkdir()
    with running(tmp_path / "service") as service:
        yield Worlds(LocalServices(tmp_path / "local"), service, tmp_path / "pods")


@pytest.mark.parametrize(
    ("task_type", "properties"),
    [
        ("storage.Write", {"content": "héllo", "extension": ".txt"}),
        ("storage.Size", {"uri": "FILE"}),
        ("storage.Size", {"uri": "kestra:///company/team/tried/executions/run-1/tasks/t/r/no"}),
        ("storage.Concat", {"files": ["FILE", "FILE"], "separator": ";"}),
        ("storage.Reverse", {"from": "FILE"}),
        ("storage.Split", {"from": "FILE", "rows": 2}),
        ("storage.Split", {"from": "FILE", "partitions": 2}),
        ("storage.Split", {"from": "FILE"}),
        ("storage.FilterItems", {"from": "FILE", "filterCondition": "{{ n > 6 }}"}),
        ("storage.FilterItems", {"from": "FILE", "filterCondition": "{{ nothing }}"}),
        ("storage.DeduplicateItems", {"from": "FILE", "expr": "{{ id }}"}),
        ("storage.Delete", {"uri": "FILE"}),
        ("storage.Delete", {"uri": "nsfile:///q.sql"}),
        ("storage.Delete", {"uri": "nsfile://other/q.sql"}),
        ("storage.LocalFiles", {"inputs": {"a.txt": "x", "b.txt": "FILE"}, "outputs": ["*.txt"]}),
        ("storage.PurgeCurrentExecutionFiles", {}),
        ("namespace.UploadFiles", {"namespace": "other", "filesMap": {"n/x": "FILE", "y": "1"}}),
        ("namespace.UploadFiles", {"namespace": "other", "filesMap": {"q.sql": "1"},
                                   "conflict": "ERROR"}),
        ("namespace.DownloadFiles", {"namespace": "other", "files": ["*.sql"]}),
        ("namespace.DeleteFiles", {"namespace": "other", "files": "q.sql"}),
        ("templating.TemplatedTask", {"spec": f"{{type: {CORE}.storage.Size, uri: FILE}}"}),
        ("templating.TemplatedTask", {"spec": "{type: nothing.Known}"}),
        ("flow.ForEachItem$ForEachItemSplit", {"items": "FILE", "batch": {"rows": 2}}),
        ("flow.ForEachItem$ForEachItemMergeOutputs", {"children": [{"a": 1}, {"a": 2}]}),
        ("flow.ForEachItem$ForEachItemMergeOutputs", {"children": []}),
        ("metric.Publish", {"metrics": [{"type": "counter", "name": "n", "value": 1}]}),
    ],
)  # fmt: skip
async def test_a_pod_does_what_a_machine_does(
    worlds: Worlds,
    monkeypatch: pytest.MonkeyPatch,
    task_type: str,
    properties: dict[str, Any],
) -> None:
    # given
    uri = worlds.store(ITEMS)
    worlds.namespace_file("other", "q.sql", "select 1")
    worlds.namespace_file("company.team", "q.sql", "select 2")
    given = json.loads(json.dumps(properties).replace("FILE", uri))
    # when
    try:
        pod = worlds.in_a_pod(f"{CORE}.{task_type}", given, monkeypatch)
    except Exception as error:  # what the controller refuses fails the attempt with its text
        pod = Result(message=str(error))
    local = await worlds.locally(f"{CORE}.{task_type}", given)
    # then
    assert (pod.outputs, pod.message) == (local.outputs, local.message)
    here, there = worlds.files()
    assert there == here


async def test_a_file_of_another_execution_is_refused_in_a_pod_too(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    given = {"uri": "kestra:///company/team/other/executions/x/tasks/t/r/f"}
    # when
    pod = worlds.in_a_pod(f"{CORE}.storage.Size", given, monkeypatch)
    local = await worlds.locally(f"{CORE}.storage.Size", given)
    # then
    refused = f"Unable to read the file '{given['uri']}' as it didn't belong to the current"
    assert str(local.message).startswith(refused)
    assert str(pod.message).startswith(refused), "though the pod's grant can't tell exactly why"


def test_what_is_published_is_in_the_result(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = worlds.in_a_pod(
        f"{CORE}.namespace.DeleteFiles", {"namespace": "none", "files": "*"}, monkeypatch
    )
    assert result.metrics == ({"type": "counter", "name": "deleted", "value": 0.0, "tags": {}},)


@pytest.mark.parametrize(
    ("task_type", "properties", "wanted"),
    [
        ("log.Log", {"message": "m"}, None),
        ("metric.Publish", {"metrics": []}, None),
        ("http.Request", {"uri": "http://x"}, None),
        ("http.Request", {"uri": "http://x", "formData": {"f": "kestra:///a"}}, set()),
        ("storage.Write", {"content": "x"}, set()),
        ("storage.Delete", {"uri": "kestra:///a"}, {"delete"}),
        ("namespace.UploadFiles", {"namespace": "n", "filesMap": {}}, {"namespaces"}),
        ("templating.TemplatedTask", {"spec": f"{{type: {CORE}.storage.Delete, uri: u}}"},
         {"delete"}),
    ],
)  # fmt: skip
def test_a_task_gets_a_grant_for_what_its_type_needs(
    task_type: str, properties: dict[str, Any], wanted: set[str] | None
) -> None:
    begun = start(f"{CORE}.{task_type}", properties)
    what = container(begun.task.type, properties, Around())
    assert needs_storage(begun, what) is (wanted is not None)
    assert wanted is None or rights(begun, what) == wanted


def test_the_parts_of_a_for_each_item_are_those_that_the_engine_asks_for() -> None:
    for name in (for_each_item.SPLIT, for_each_item.MERGE):
        found = core_type(name)
        assert found is not None
        assert found.name == name
