"""Kestra's own core flows: the state and the number of task runs that its tests assert.

The flows are not part of this repository. Where they do not lie beside the checkout, this is
skipped; where a flow needs what Penstock does not carry yet, its test says so.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.harness import (
    FOLDER,
    Case,
    execute,
    expectations,
    missing_types,
    read,
    valid_cases,
)

pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="../shared/conformance is not beside the checkout"
)

ENDS_OTHERWISE = {
    # No test of Kestra asserts the state. `taskrun.value` is read outside of any loop, and a
    # variable that is missing is an error.
    "disable-flowable.yaml": "FAILED",
    # Kestra's limit is that of a message with the whole execution in it. Here outputs are limited
    # by task.
    "inputs-large.yaml#0": "SUCCESS",
}
"""Runs that end otherwise than in Kestra, on purpose, with their end."""

TASK_RUNS_OTHERWISE = {
    # Both values of the loop may run at once. The first fails while it opens, and so the second is
    # not begun; Kestra begins both before it looks.
    "flowable-with-parent-fail.yaml": 3,
}
"""Runs with another number of task runs than in Kestra."""

ACCEPTED = {
    # Listeners were replaced by triggers long ago: they are told of in a warning and not looked at.
    "listener.yaml": "not_served",
}
"""Flows that Kestra refuses, by the code of the warning with which they are accepted."""


@pytest.mark.parametrize("case", list(valid_cases()), ids=str)
async def test_a_flow_ends_as_in_kestra(case: Case) -> None:
    found = read(case.file)
    reason = case.why_not(found)
    if reason is not None:
        pytest.skip(reason)
    assert not found.problems, [str(problem) for problem in found.problems]

    status = await execute(found, case.inputs)

    expected = ENDS_OTHERWISE.get(str(case), case.state)
    runs = [f"{run.task_id} [{run.value}] {run.state} {run.message}" for run in status.task_runs]
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
    if Path(file).name in ACCEPTED:
        assert {warning.code for warning in found.warnings} == {ACCEPTED[Path(file).name]}
    else:
        assert found.problems
