"""Reads the conformance flows that lie beside the checkout, and runs one without a cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from penstock.catalog import expressions
from penstock.engine import flowables, instant
from penstock.engine.actions import Observation, Report, StartAttempt
from penstock.engine.engine import Engine
from penstock.flow.document import Flow
from penstock.flow.parse import FlowParser
from penstock.flow.types import TYPE_NOT_CARRIED, TaskType, TaskTypes
from penstock.local.execution import LocalExecution, OnLog
from penstock.local.files import FlowFile, FoundFlow, read_flow_file
from penstock.local.resource import new_identity, new_spec
from penstock.resources.execution import ExecutionStatus, State, TaskRun
from penstock.tasks import registry
from penstock.tasks.local import run_locally

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "conformance"
LIMIT = timedelta(seconds=60)

_STUB = "test-only task type"
_ENCRYPTION = "encryption key configured"
_RUNNABLE_STATES = {"SUCCESS", "WARNING", "FAILED"}

STUBS = {
    "io.kestra.core.runners.test.TaskWithAlias": ("io.kestra.core.runners.test.task.Alias",),
    "io.kestra.core.tasks.test.NullOutputTask": (),
}
"""Task types that exist only in Kestra's tests, with their aliases."""

INPUTS: dict[str, dict[str, Any]] = {
    "inputs-large.yaml": {"string": "x" * 11 * 1024},
    "inputs-large.yaml#0": {"string": "x" * 200_000},
}
"""Inputs that the expectations only describe."""

NOT_YET = {
    "errors.yaml": "the function `errorLogs()` needs logs that are kept",
}
"""Flows that need something else than a task type."""


@dataclass(frozen=True)
class Case:
    """One run of a flow with what is expected of it."""

    file: str
    variant: int | None
    state: str | None
    task_runs: int | None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return Path(self.file).name

    def __str__(self) -> str:
        return self.name if self.variant is None else f"{self.name}#{self.variant}"

    def why_not(self, found: FlowFile) -> str | None:
        """Why it can't be run today; None where it can."""
        missing = missing_types(found)
        if missing:
            return f"types not carried yet: {', '.join(missing)}"
        if self.name in NOT_YET:
            return NOT_YET[self.name]
        if self.state is None:
            return "no test of Kestra runs it"
        needs = [need for need in self.needs if _STUB not in need and need != _ENCRYPTION]
        if needs:
            return f"needs {'; '.join(needs)}"
        unserved = [item.path for item in found.warnings if item.code == "not_served"]
        if [path for path in unserved if not path.startswith("triggers")]:
            return f"not served yet: {', '.join(unserved)}"
        if self.state not in _RUNNABLE_STATES:
            return f"the state {self.state} is not reached by a run alone"
        if self.name not in INPUTS and any("<" in str(value) for value in self.inputs.values()):
            return "an input has to be prepared"
        if any("restart" in note for note in self.notes) and self.variant is not None:
            return "needs a restart"
        return None


class Silent:
    """Watches without a word."""

    def changed(self, status: ExecutionStatus) -> None: ...

    def logged(self, run: TaskRun, stream: str, line: str) -> None: ...

    def reported(self, report: Report) -> None: ...


@cache
def parser() -> FlowParser:
    """All types of the product, and stubs of those that only Kestra's tests have."""
    types = TaskTypes()
    flowables.register(types)
    instant.register(types)
    registry.register(types)
    for name, aliases in STUBS.items():
        types.register(TaskType(name, aliases))
    return FlowParser(types, expressions().check)


def expectations() -> dict[str, Any]:
    """Everything that is expected; empty where the folder is not there."""
    file = FOLDER / "expectations.json"
    if not file.exists():
        return {"valids": [], "invalids": []}
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def valid_cases() -> Iterator[Case]:
    """Every run of every valid flow."""
    for flow in expectations()["valids"]:
        expected = flow["expected"]
        if expected is None:
            yield Case(flow["file"], None, None, None)
            continue
        yield _case(flow["file"], None, expected, expected)
        for index, variant in enumerate(expected.get("variants", [])):
            yield _case(flow["file"], index, variant, expected)


def _case(
    file: str, variant: int | None, expected: Mapping[str, Any], base: Mapping[str, Any]
) -> Case:
    inputs = dict(expected["inputs"])
    run = Path(file).name if variant is None else f"{Path(file).name}#{variant}"
    inputs |= INPUTS.get(run, {})
    return Case(
        file,
        variant,
        expected["state"],
        expected["taskRuns"],
        inputs,
        tuple(base["needs"]),
        tuple(expected["notes"]),
    )


def read(file: str) -> FlowFile:
    return read_flow_file(FOLDER / file, parser())


def missing_types(found: FlowFile) -> list[str]:
    """Types that stop the flow from being read, and are no mistake of its author."""
    return sorted(
        {
            str(flow.value_at(problem.location))
            for flow in found.flows
            for problem in flow.problems
            if problem.code == TYPE_NOT_CARRIED or _is_test_type(flow, problem.location)
        }
    )


def _is_test_type(flow: FoundFlow, location: tuple[str | int, ...]) -> bool:
    value = flow.value_at(location)
    return isinstance(value, str) and ".test." in value


async def execute(found: FlowFile, inputs: Mapping[str, Any]) -> ExecutionStatus:
    """Run the flow to its end."""
    flow = found.flows[0].flow
    assert flow is not None, [str(problem) for problem in found.problems]
    flow = _below_the_input_check(flow, inputs)
    identity = new_identity(flow, {"testvalue": "test"})
    execution = LocalExecution(
        Engine(flow, expressions()), identity, new_spec(flow, inputs, {}), Silent(), _run_task
    )
    return await execution.run(LIMIT)


def _below_the_input_check(flow: Flow, given: Mapping[str, Any]) -> Flow:
    """Kestra's tests call its engine directly, where nobody misses a required input."""
    declared = [
        item
        for item in flow.inputs
        if item.id in given or item.defaults is not None or not item.required
    ]
    return flow.model_copy(update={"inputs": declared})


async def _run_task(start: StartAttempt, on_log: OnLog) -> Observation:
    if start.task.type not in STUBS:
        return await run_locally(start, on_log)
    outputs = {"value": None} if start.task.type.endswith("NullOutputTask") else None
    return Observation(State.SUCCESS, outputs=outputs)
