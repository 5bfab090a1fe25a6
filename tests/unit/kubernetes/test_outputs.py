"""Large outputs: beside the status, and never lost when they change."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.kubernetes.api.client import ApiError, Object, Resource
from penstock.kubernetes.api.configmap_store import ValueLost
from penstock.kubernetes.status.large_outputs import OutputsKeeper, without_large_outputs
from penstock.resources.execution import ExecutionStatus, State, TaskRun

NOW = datetime(2030, 1, 1, tzinfo=UTC)
EXECUTION: Object = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "Execution",
    "metadata": {"name": "run", "namespace": "ns", "uid": "u"},
}


class ConfigMaps:
    """The API server, as far as it keeps ConfigMaps."""

    def __init__(self) -> None:
        self.kept: dict[str, Object] = {}

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        return self.kept[name]

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        name = body["metadata"]["name"]
        if name in self.kept:
            raise ApiError(409, "AlreadyExists", name)
        self.kept[name] = body
        return body


def status(outputs: dict[str, Any] | None, before: ExecutionStatus | None = None) -> Any:
    run = TaskRun(id="r", task_id="a", state=State.RUNNING, start_date=NOW)
    if before is not None:
        run = before.task_runs[0]
    return ExecutionStatus(task_runs=[run.model_copy(update={"outputs": outputs})])


def large(text: str) -> dict[str, Any]:
    return {"text": text * 3000}


async def stored(api: ConfigMaps, written: ExecutionStatus) -> dict[str, Any] | None:
    """The outputs as a controller that was just started reads them."""
    read = ExecutionStatus.from_json(without_large_outputs(written))
    keeper = OutputsKeeper(api)  # type: ignore[arg-type]
    return (await keeper.fetch("ns", read)).task_runs[0].outputs


async def test_outputs_that_change_are_kept_anew_and_the_old_ones_until_that_is_stored() -> None:
    api = ConfigMaps()
    keeper = OutputsKeeper(api)  # type: ignore[arg-type]
    # given large outputs
    first = await keeper.put_away(EXECUTION, status(large("a")))
    # when others take their place, three times
    second = await keeper.put_away(EXECUTION, status(large("b"), first), first)
    # then a crash before the status is written loses nothing
    assert await stored(api, first) == large("a")
    assert await stored(api, second) == large("b")
    third = await keeper.put_away(EXECUTION, status(large("c"), second), second)
    assert await stored(api, second) == large("b")
    assert await stored(api, third) == large("c")


async def test_a_config_map_of_the_name_with_another_text_is_not_taken() -> None:
    api = ConfigMaps()
    first = await OutputsKeeper(api).put_away(EXECUTION, status(large("a")))  # type: ignore[arg-type]
    # given: somebody made one with the name and the owner, and a text of their own
    (name,) = api.kept
    api.kept[name] = api.kept[name] | {"binaryData": {}}
    # then
    with pytest.raises(ValueLost, match=name):
        await OutputsKeeper(api).put_away(EXECUTION, status(large("a")))  # type: ignore[arg-type]
    assert first.task_runs[0].outputs_ref is not None


@pytest.mark.parametrize("name", ["x" * 179 + ".y", "x" * 179 + "-.y"])
async def test_a_config_map_has_a_name_that_kubernetes_takes(name: str) -> None:
    api = ConfigMaps()
    execution = EXECUTION | {"metadata": EXECUTION["metadata"] | {"name": name}}
    await OutputsKeeper(api).put_away(execution, status(large("a")))  # type: ignore[arg-type]
    (kept,) = api.kept
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", kept)


async def test_outputs_that_did_not_change_are_not_written_again() -> None:
    api = ConfigMaps()
    keeper = OutputsKeeper(api)  # type: ignore[arg-type]
    first = await keeper.put_away(EXECUTION, status(large("a")))
    api.kept.clear()
    assert await keeper.put_away(EXECUTION, first, first) is first
    assert api.kept == {}


async def test_outputs_that_became_small_stand_in_the_status() -> None:
    api = ConfigMaps()
    keeper = OutputsKeeper(api)  # type: ignore[arg-type]
    first = await keeper.put_away(EXECUTION, status(large("a")))
    second = await keeper.put_away(EXECUTION, status({"n": 1}, first), first)
    assert second.task_runs[0].outputs_ref is None
    assert await stored(api, second) == {"n": 1}
