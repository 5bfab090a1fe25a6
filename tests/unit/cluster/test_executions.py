"""What people and programs ask of Executions in a cluster, and what they are told."""

from __future__ import annotations

from typing import Any, cast

import pytest

from penstock.cluster.errors import ClusterError, ControlFailed, ExecutionNotFound
from penstock.cluster.executions import Executions
from penstock.kubernetes.api.client import Api, ApiError, Object, Resource
from penstock.resources.execution import (
    Control,
    ExecutionSpec,
    FlowReference,
    ReplayRequest,
    RestartRequest,
    State,
)
from tests.fixtures.memory_api import MemoryApi

SPEC = ExecutionSpec(flow=FlowReference(name="company.team.report"), inputs={"day": "2026-11-01"})
RESTART = Control(id="again", restart=RestartRequest(revision=2))


@pytest.fixture
def api() -> MemoryApi:
    return MemoryApi()


@pytest.fixture
def executions(api: MemoryApi) -> Executions:
    return Executions(cast("Api", api), "data")


async def controls(executions: Executions, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await executions.get(name))["spec"].get("controls", [])
    return found


async def test_what_is_created_is_listed_and_read(executions: Executions) -> None:
    await executions.create("report-1", SPEC)

    (body,) = await executions.list()
    whole = await executions.read("report-1")

    assert body["spec"] == {"flow": {"name": "company.team.report"}, "inputs": SPEC.inputs}
    assert body["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "penstock"
    assert (whole.body, whole.status.state) == (body, State.CREATED)


async def test_one_that_is_not_there_is_told_with_its_namespace(executions: Executions) -> None:
    with pytest.raises(
        ExecutionNotFound, match=r"report-2 in the namespace `data`: `penstock execution list"
    ):
        await executions.read("report-2")


async def test_a_cluster_without_penstock_is_not_taken_for_a_missing_execution(
    executions: Executions, api: MemoryApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def get(resource: Resource, namespace: str, name: str) -> Object:
        raise ApiError(404, "404", "404 page not found")

    monkeypatch.setattr(api, "get", get)

    with pytest.raises(ApiError, match="page not found"):
        await executions.read("report-1")


async def test_a_config_map_that_is_gone_is_told_with_what_it_held(
    executions: Executions, api: MemoryApi
) -> None:
    await executions.create("report-1", SPEC)
    reference = {"configMap": "report-1-outputs-r", "key": "k", "bytes": 9, "sha256": "0"}
    run = {"id": "r", "taskId": "sum", "state": "SUCCESS", "startDate": "2026-11-01T00:00:00Z"}
    body = api.objects["data", "report-1"]
    body["status"] = {"state": "SUCCESS", "taskRuns": [run | {"outputsRef": reference}]}

    with pytest.raises(ClusterError, match="report-1-outputs-r, which holds outputs") as refused:
        await executions.read("report-1")

    assert refused.value.reason == "ValueGone"


async def test_a_control_is_asked_for_once_beside_those_of_others(executions: Executions) -> None:
    await executions.create("report-1", SPEC)
    replay = Control(id="once more", replay=ReplayRequest(task="load"))

    for control in (RESTART, replay, RESTART):
        await executions.add_control("report-1", control)

    found = await controls(executions, "report-1")
    assert [item["id"] for item in found] == ["again", "once more"]
    assert found[0]["restart"] == {"revision": 2}
    assert (found[1]["replay"]["task"], "restart" in found[1]) == ("load", False)


async def test_controls_that_two_add_at_once_do_not_replace_each_other(
    executions: Executions, api: MemoryApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    await executions.create("report-1", SPEC)
    other = Executions(cast("Api", api), "data")
    get, reads = api.get, 0

    async def get_and_be_late(resource: Resource, namespace: str, name: str) -> Object:
        nonlocal reads
        reads += 1
        body = await get(resource, namespace, name)
        if reads == 1:
            await other.add_control("report-1", Control(id="label", labels={"team": "data"}))
        return body

    monkeypatch.setattr(api, "get", get_and_be_late)

    await executions.add_control("report-1", RESTART)

    found = await controls(executions, "report-1")
    assert [item["id"] for item in found] == ["label", "again"]


async def test_a_control_that_never_gets_its_turn_may_be_tried_again(
    executions: Executions, api: MemoryApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    await executions.create("report-1", SPEC)

    async def changed_meanwhile(*arguments: Any) -> Object:
        raise ApiError(409, "Conflict", "changed meanwhile")

    monkeypatch.setattr(api, "patch", changed_meanwhile)

    with pytest.raises(ApiError, match="changed meanwhile"):
        await executions.add_control("report-1", RESTART)


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (ApiError(404, "NotFound", "x"), "ExecutionNotFound", "no Execution `report-1`"),
        (ApiError(403, "Forbidden", "not for you"), "Forbidden", "refused: not for you"),
    ],
)
async def test_a_control_that_can_not_be_given_is_told(
    executions: Executions,
    api: MemoryApi,
    monkeypatch: pytest.MonkeyPatch,
    error: ApiError,
    reason: str,
    words: str,
) -> None:
    await executions.create("report-1", SPEC)

    async def refuse(*arguments: Any) -> Object:
        raise error

    monkeypatch.setattr(api, "patch", refuse)

    with pytest.raises(ControlFailed, match=words) as refused:
        await executions.add_control("report-1", RESTART)

    assert refused.value.reason == reason


async def test_a_kill_is_written_into_the_spec(executions: Executions) -> None:
    await executions.create("report-1", SPEC)

    body = await executions.kill("report-1")

    assert body["spec"]["kill"] is True
    assert body["spec"]["flow"] == {"name": "company.team.report"}
