"""Objects that are nested as deep as the API server takes them hurt nobody but who made them."""

from __future__ import annotations

from typing import Any

from e2e.apiserver.raw import raw, send, to_text
from e2e.apiserver.stage import Stage
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, KEY_VALUES, Object, Resource
from penstock.resources import API_VERSION

DEEP = 9_900
"""The API server takes objects of up to 10,000 levels."""
HELLO = """
    id: hello
    namespace: company.team
    inputs: [{id: tree, type: JSON, required: false}]
    tasks: [{id: say, type: io.kestra.plugin.core.debug.Return, format: hello}]
"""


async def create_deep(stage: Stage, kind: str, resource: Resource, name: str, spec: str) -> None:
    """Create an object whose spec is a text: it is too deep to be written from values."""
    body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": raw(spec)}
    status, answer = await send(stage.api, "POST", resource, stage.namespace, to_text(body))
    assert status == 201, answer


def lists(levels: int = DEEP) -> str:
    return "[" * levels + "]" * levels


async def create_each_kind(stage: Stage, suffix: str) -> None:
    value = f'{{"namespace": "company.team", "key": "k{suffix}", "value": {lists()}}}'
    await create_deep(stage, "KeyValue", KEY_VALUES, f"deep-{suffix}", value)
    wanted = f'{{"flow": {{"name": "hello"}}, "inputs": {{"tree": {lists()}}}}}'
    await create_deep(stage, "Execution", EXECUTIONS, f"deep-{suffix}", wanted)
    flow = f"""{{"id": "deep-{suffix}", "namespace": "company.team", "tasks": [
        {{"id": "a", "type": "io.kestra.plugin.core.debug.Return", "format": {lists()}}}]}}"""
    await create_deep(stage, "Flow", FLOWS, f"deep-{suffix}", flow)


async def test_deep_objects_are_refused_and_everybody_else_is_served(stage: Stage) -> None:
    # given: some of each kind before the controller starts
    await stage.flow(HELLO)
    await create_each_kind(stage, "early")
    stage.controller.start()
    await stage.controller.ready()
    # and some while it watches
    await create_each_kind(stage, "late")
    # when
    await stage.execute("hello", "other")
    ended = await stage.ended(["other", "deep-early", "deep-late"])
    # then
    assert ended["other"].state == "SUCCESS"
    for suffix in ("early", "late"):
        deep = ended[f"deep-{suffix}"]
        assert (deep.state, deep.refusal) == ("FAILED", "InvalidInputs")
        assert "`tree`" in str(deep.message)
        assert "nested deeper than 100 levels" in str(deep.message)
        assert "nested deeper" in (await stage.events(f"deep-{suffix}"))["TooDeep"]
        flow = await stage.api.get(FLOWS, stage.namespace, f"deep-{suffix}")
        assert "nested" in ready(flow)["message"], flow["status"]
        assert ready(flow)["reason"] == "Invalid"
    # and when it starts again, with all of them there
    await stage.controller.kill()
    stage.controller.start()
    await stage.controller.ready()
    await stage.execute("hello", "another")
    assert (await stage.ended(["another"]))["another"].state == "SUCCESS"
    assert stage.controller.crashes == []


async def test_a_task_whose_result_is_nested_too_deep_fails_and_holds_up_nothing(
    stage: Stage,
) -> None:
    # given: a result that the API server would take into no status
    value: Any = []
    for _ in range(300):
        value = [value]
    stage.script = lambda task, attempt: (0, {"value": value})
    await stage.flow(HELLO)
    stage.controller.start()
    await stage.controller.ready()
    # when
    await stage.execute("hello", "deep")
    ended = (await stage.ended(["deep"]))["deep"]
    # then
    assert ended.state == "FAILED"
    (run,) = ended.task_runs
    assert "nested deeper than 100 levels" in str(run.attempts[-1].message), run


def ready(body: Object) -> dict[str, Any]:
    found = (body.get("status") or {}).get("conditions") or ()
    return next((item for item in found if item["type"] == "Ready"), {})
