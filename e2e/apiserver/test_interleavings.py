"""Whatever happens, in whatever order: every execution ends, and as it should.

Each test is one story of some seconds, made from its seed: several executions of three flows, while
the vandal acts, calls are lost and answers are late. `PENSTOCK_SEEDS="7 8"` tells other stories.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest

from e2e.apiserver import invariants
from e2e.apiserver.stage import Stage
from e2e.apiserver.vandal import Vandal
from penstock.resources.execution import State

SEEDS = [int(text) for text in os.environ.get("PENSTOCK_SEEDS", "").split()] or range(1, 9)
FLOWS = {
    "chain": """
        id: chain
        namespace: company.team
        tasks:
          - {id: large, type: io.kestra.plugin.core.debug.Return, format: "{{ flow.id }}"}
          - id: next
            type: io.kestra.plugin.core.debug.Return
            format: "{{ outputs.large.value }}"
          - {id: last, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.next.value }}"}
    """,
    "wide": """
        id: wide
        namespace: company.team
        tasks:
          - id: each
            type: io.kestra.plugin.core.flow.ForEach
            values: [1, 2, 3, 4]
            concurrencyLimit: 2
            tasks:
              - {id: one, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}"}
    """,
    "again": """
        id: again
        namespace: company.team
        tasks:
          - id: flaky
            type: io.kestra.plugin.core.debug.Return
            format: x
            retry: {type: constant, interval: PT0.5S, maxAttempts: 3}
          - {id: after, type: io.kestra.plugin.core.debug.Return, format: y}
    """,
}
EACH = 3
ACTS = 10


def script(task: str, attempt: int) -> tuple[int, dict[str, Any]]:
    """`flaky` succeeds the second time; what `large` gives does not fit a status."""
    if task == "flaky" and attempt == 1:
        return 1, {}
    return 0, {"value": "x" * 3_000 if task == "large" else task}


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_execution_ends_as_it_should(stage: Stage, seed: int) -> None:
    # given
    random = Random(seed)
    stage.script = script
    stage.random.seed(seed)
    vandal = Vandal(random, stage.api, stage.namespace, stage.plane, stage.proxy, stage.controller)
    for text in FLOWS.values():
        await stage.flow(text)
    for number in range(EACH):
        for flow in FLOWS:
            await stage.execute(flow, f"{flow}-{number}")
    # when
    controller, faults = stage.controller, stage.controller.faults
    controller.seed = seed
    faults.lost_calls, faults.lost_answers, faults.delayed = 0.03, 0.05, 0.2
    controller.start()
    await controller.ready()
    await vandal.act(ACTS)
    faults.lost_calls = faults.lost_answers = faults.delayed = faults.clock = 0
    found = await stage.ended()
    # then
    try:
        await invariants.check(stage, vandal.deleted_jobs)
        invariants.every_call_is_allowed(controller.calls)
        for name, status in found.items():
            assert status.finished, f"{name} is {status.state}: {status.conditions}"
            if name not in vandal.harmed:
                assert status.state is State.SUCCESS, f"{name}: {status.state} {status.message}"
        assert len(found) == EACH * len(FLOWS)
    except AssertionError as error:
        error.add_note(f"seed {seed}: {vandal.done}, crashes: {controller.crashes}")
        error.add_note(await controller.tell())
        raise
