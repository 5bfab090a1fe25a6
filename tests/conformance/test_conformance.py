"""Kestra's own core flows: the state, the number of task runs and the notes of its tests.

The flows are not part of this repository. Where they do not lie beside the checkout, this is
skipped; where a flow needs what Penstock does not carry yet, its test says so.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.local.execution import LocalExecution
from penstock.resources.execution import State
from tests.conformance.cases import (
    FOLDER,
    Case,
    expectations,
    given_inputs,
    missing_types,
    read,
    valid_cases,
)
from tests.conformance.deviations import (
    BEGINS_OTHERWISE,
    ENDS_OTHERWISE,
    NOT_RUN,
    TASK_RUNS_OTHERWISE,
)
from tests.conformance.notes import CHECKS, Ran
from tests.conformance.scenarios import SCENARIOS, plain
from tests.conformance.stage import Stage

pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="../shared/conformance is not beside the checkout"
)

PASSED_THROUGH = ("CREATED", "PAUSED", "RESTARTED")
"""States at which Kestra's tests look while the execution goes on."""


@pytest.mark.parametrize("case", list(valid_cases()), ids=str)
async def test_a_flow_ends_as_in_kestra(case: Case, tmp_path: Path) -> None:
    found = read(case.file)
    missing = missing_types(found)
    if missing:
        pytest.skip(f"types not carried yet: {', '.join(missing)}")
    if case.name in NOT_RUN:
        pytest.skip(NOT_RUN[case.name])
    if case.state is None:
        pytest.skip("no test of Kestra runs it")
    assert not found.problems, [str(problem) for problem in found.problems]
    flow = found.flows[0].flow
    assert flow is not None

    scenario = SCENARIOS.get(str(case), plain)
    with Stage.set(tmp_path / "storage", flow, given_inputs(case)) as stage:
        execution = await scenario(stage, stage.flow(flow), case, tmp_path)

        _assert_state(stage, execution, case)
        for note, check in CHECKS.get(str(case), {}).items():
            assert note in case.notes, "the note is none of the expectations'"
            assert check(Ran(stage, execution)), note


def _assert_state(stage: Stage, execution: LocalExecution, case: Case) -> None:
    status = execution.status
    expected = (ENDS_OTHERWISE | BEGINS_OTHERWISE).get(str(case), case.state)
    runs = [f"{run.task_id} [{run.value}] {run.state} {run.message}" for run in status.task_runs]
    if expected == "error":
        assert str(case) in CHECKS
        return
    if expected in PASSED_THROUGH:
        assert expected in [step.state for step in status.history], (status.state, runs)
        if expected == "PAUSED" and case.task_runs is not None:
            seen = stage.seen(execution).statuses
            paused = {len(item.task_runs) for item in seen if item.state is State.PAUSED}
            assert case.task_runs in paused
        return
    assert str(status.state) == expected, (status.message, runs)
    wanted = TASK_RUNS_OTHERWISE.get(str(case), case.task_runs)
    if wanted is not None:
        assert len(status.task_runs) == wanted, runs


@pytest.mark.parametrize("file", [flow["file"] for flow in expectations()["invalids"]])
def test_an_invalid_flow_is_refused(file: str) -> None:
    found = read(file)
    missing = missing_types(found)
    others = [problem for problem in found.problems if problem.code != "type_not_carried"]
    if missing and not others:
        pytest.skip(f"types not carried yet: {', '.join(missing)}")
    assert found.problems
