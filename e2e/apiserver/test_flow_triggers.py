"""Flow triggers: each execution that counts starts one, whoever kills the controller meanwhile."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from e2e.apiserver import invariants
from e2e.apiserver.stage import Stage
from penstock.kubernetes.api.client import TRIGGER_STATES, Object

RETURN = "io.kestra.plugin.core.debug.Return"
LOAD = f"""
    id: load
    namespace: company.team
    tasks:
      - {{id: large, type: {RETURN}, format: rows}}
      - {{id: last, type: {RETURN}, format: done}}
"""
CLEAN = f"""
    id: clean
    namespace: company.other
    tasks: [{{id: small, type: {RETURN}, format: rows}}]
"""
EACH = """
    id: each
    namespace: company.team
    inputs: [{id: size, type: INT}]
    tasks:
      - id: keep
        type: io.kestra.plugin.core.execution.Labels
        labels: {of: "{{ trigger.executionId }}", size: "{{ inputs.size }}"}
    triggers:
      - id: load
        type: io.kestra.plugin.core.trigger.Flow
        inputs: {size: "{{ outputs.large.value | length }}"}
        states: [SUCCESS]
        conditions:
          - type: io.kestra.plugin.core.condition.ExecutionFlow
            namespace: company.team
            flowId: load
"""
BOTH = """
    id: both
    namespace: company.team
    tasks:
      - {id: keep, type: io.kestra.plugin.core.execution.Labels, labels: {done: "1"}}
    triggers:
      - id: ready
        type: io.kestra.plugin.core.trigger.Flow
        preconditions:
          id: day
          flows: [{namespace: company.team, flowId: load, states: [SUCCESS]}]
          where:
            - id: other
              filters:
                - {field: NAMESPACE, type: STARTS_WITH, value: company.o}
                - {field: STATE, type: EQUAL_TO, value: SUCCESS}
"""
LARGE = 3_000
EACH_TIMES = 6


def script(task: str, attempt: int) -> tuple[int, dict[str, Any]]:
    """What `large` gives does not fit the status of its execution."""
    return 0, {"value": "x" * LARGE if task == "large" else task}


async def armed(stage: Stage, *names: str) -> None:
    """Wait until triggers are armed."""
    for _ in range(600):
        found = {
            body["metadata"]["name"]: (body.get("status") or {}).get("state")
            for body in await stage.api.list(TRIGGER_STATES, stage.namespace)
        }
        if all(found.get(name) == "Armed" for name in names):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def made(stage: Stage, flow: str) -> list[Object]:
    """The executions of a flow, once they are as many for half a second and have ended."""
    count = -1
    while True:
        found = [
            body for body in await stage.executions() if body["spec"]["flow"].get("name") == flow
        ]
        await stage.ended([body["metadata"]["name"] for body in found] or None)
        if len(found) == count:
            return found
        count = len(found)
        await asyncio.sleep(1.5)


@pytest.mark.parametrize("seed", [1, 2])
async def test_each_execution_starts_one_though_the_controller_is_killed(
    stage: Stage, seed: int
) -> None:
    # given
    random = Random(seed)
    stage.script = script
    for text in (LOAD, CLEAN, EACH, BOTH):
        await stage.flow(text)
    stage.controller.seed = seed
    stage.controller.start()
    await stage.controller.ready()
    await armed(stage, "each.load", "both.ready")
    # when
    stage.controller.faults.lost_answers = 0.05
    names = [f"load-{number}" for number in range(EACH_TIMES)]
    for name in names:
        await stage.execute("load", name)
    for _ in range(4):
        await asyncio.sleep(random.uniform(0.2, 1.0))
        await stage.controller.kill()
        stage.controller.start()
    await stage.ended(names)
    stage.controller.faults.lost_answers = 0
    # then each of them started one, with what is kept beside its status
    found = await made(stage, "each")
    labels = [body["status"]["labels"] for body in found]
    assert sorted(item["of"] for item in labels) == names
    assert {item["size"] for item in labels} == {str(LARGE)}
    assert await made(stage, "both") == []
    # when what the other one waits for ends as well, and the controller is killed again
    await stage.execute("clean", "clean-0")
    await stage.ended(["clean-0"])
    await stage.controller.kill()
    stage.controller.start()
    # then
    await stage.controller.ready()
    for _ in range(100):
        if await made(stage, "both"):
            break
    assert len(await made(stage, "both")) == 1
    assert len(await made(stage, "each")) == EACH_TIMES
    await invariants.check(stage)
    invariants.every_call_is_allowed(stage.controller.calls)
