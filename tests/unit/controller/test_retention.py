"""Which executions others need."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.controller.flows.reconciler import done_again, is_over
from penstock.controller.runtime.indexes import ObjectStore


def execution(name: str, state: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "ns", "name": name}, "spec": spec, "status": {"state": state}}


@pytest.mark.parametrize(
    ("last", "needed"), [("RUNNING", {"a", "b", "c"}), ("SUCCESS", set()), ("FAILED", set())]
)
def test_what_a_running_execution_does_again_is_needed(last: str, needed: set[str]) -> None:
    own = [
        execution("a", "SUCCESS"),
        execution("b", "RETRIED", replay={"execution": "a"}),
        execution("c", "RETRIED", retry={"original": "b"}),
        execution("d", last, replay={"execution": "c"}),
        execution("e", "SUCCESS", replay={"execution": "unknown"}),
    ]
    assert done_again(own) == needed


@pytest.mark.parametrize(("top", "over"), [("RUNNING", False), ("PAUSED", False), ("FAILED", True)])
def test_what_was_called_is_needed_while_any_of_its_callers_runs(top: str, over: bool) -> None:
    # given: top called middle, which called inner
    bodies = [
        execution("top", top),
        execution("middle", "SUCCESS", parent={"execution": "top"}),
        execution("inner", "SUCCESS", parent={"execution": "middle"}),
    ]
    executions = ObjectStore()
    for body in bodies:
        executions.put(body)
    # then
    assert [is_over(body, executions) for body in bodies] == [over] * 3


def test_executions_that_claim_to_have_called_each_other_are_over() -> None:
    # given
    bodies = [execution(a, "SUCCESS", parent={"execution": b}) for a, b in (("a", "b"), ("b", "a"))]
    executions = ObjectStore()
    for body in bodies:
        executions.put(body)
    # then
    assert all(is_over(body, executions) for body in bodies)
