"""Approval: a person's yes or no."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fixtures.engine import Given

Flow = Callable[[str], Given]


def approval(properties: str = "") -> str:
    return f"""
tasks:
  - {{id: a, type: Approval{properties and ", " + properties}}}
  - {{id: after, type: Work}}
errors: [{{id: e, type: Work}}]
"""


ENDS = [
    # behavior, end, what ran, the state of the approval
    ("CONTINUE", "SUCCESS", ["after"], "SUCCESS"),
    ("WARN", "WARNING", ["after"], "WARNING"),
    ("FAIL", "FAILED", ["e"], "FAILED"),
    ("SUCCEED", "SUCCESS", [], "SUCCESS"),
    ("CANCEL", "CANCELLED", [], "CANCELLED"),
    ("KILL", "KILLED", [], "KILLED"),
]


@pytest.mark.parametrize(("behavior", "end", "ran", "state"), ENDS)
def test_what_follows_when_it_is_approved(
    given: Flow, behavior: str, end: str, ran: list[str], state: str
) -> None:
    outcome = given(approval(f"approveBehavior: {behavior}")).at(5).resume(approve=True).run()
    outcome.then.ended(end).ran(*ran).states(a=state)


@pytest.mark.parametrize(("behavior", "end", "ran", "state"), ENDS)
def test_what_follows_when_it_is_denied(
    given: Flow, behavior: str, end: str, ran: list[str], state: str
) -> None:
    outcome = given(approval(f"denyBehavior: {behavior}")).at(5).resume(approve=False).run()
    outcome.then.ended(end).ran(*ran).states(a=state)


@pytest.mark.parametrize(("behavior", "end", "ran", "state"), ENDS)
def test_what_follows_when_nobody_decided(
    given: Flow, behavior: str, end: str, ran: list[str], state: str
) -> None:
    flow = approval(f"timeout: PT5S, expireBehavior: {behavior}")
    outcome = given(flow).run()
    outcome.then.ended(end).ran(*ran).states(a=state)
    assert (outcome.task_run("a").outputs or {})["decision"] == "EXPIRED"


@pytest.mark.parametrize(("approve", "end"), [(True, "SUCCESS"), (False, "CANCELLED")])
def test_by_default_a_yes_goes_on_and_a_no_cancels(given: Flow, approve: bool, end: str) -> None:
    given(approval()).at(5).resume(approve=approve).run().then.ended(end)


def test_without_a_timeout_it_waits_for_ever(given: Flow) -> None:
    given(approval()).rest().then.is_in("PAUSED").states(a="PAUSED").ran()


def test_approved_by_itself_nobody_is_asked(given: Flow) -> None:
    flow = approval(
        'autoApprove: "{{ inputs.auto }}", onWait: [{id: w, type: Work}], '
        "onApprove: [{id: yes, type: Work}]"
    )
    flow += "inputs: [{id: auto, type: BOOL}]"
    outcome = given(flow).inputs(auto=True).run()
    outcome.then.ended("SUCCESS").ran("yes", "after").history("CREATED", "RUNNING", "SUCCESS")
    outcome.then.outputs("a", decision="APPROVED", auto=True, inputs={})
    given(flow).inputs(auto=False).rest().then.is_in("PAUSED").ran("w")


BRANCHES = (
    "onWait: [{id: w, type: Work}], onApprove: [{id: yes, type: Work}], "
    "onDeny: [{id: no, type: Work}], denyBehavior: CONTINUE"
)


@pytest.mark.parametrize(("approve", "branch"), [(True, "yes"), (False, "no")])
def test_the_branch_of_the_decision_runs(given: Flow, approve: bool, branch: str) -> None:
    outcome = given(approval(BRANCHES)).at(5).resume(approve=approve).run()
    outcome.then.ended("SUCCESS").ran("w", branch, "after")


def test_neither_branch_runs_when_nobody_decided(given: Flow) -> None:
    flow = approval(BRANCHES + ", timeout: PT5S")
    given(flow).run().then.ended("CANCELLED").ran("w")


@pytest.mark.parametrize("behavior", ["CONTINUE", "WARN", "SUCCEED", "CANCEL", "KILL"])
def test_a_failure_in_the_branch_is_never_hidden(given: Flow, behavior: str) -> None:
    flow = given(approval(BRANCHES + f", approveBehavior: {behavior}")).at(5).resume(approve=True)
    flow.when_tasks(fail=["yes"]).run().then.ended("FAILED").states(a="FAILED")


def test_the_decision_is_told_in_the_outputs(given: Flow) -> None:
    flow = given(approval("inputs: [{id: n, type: INT}]"))
    outcome = flow.at(5).resume(approve=True, by="ann", comment="well", inputs={"n": "4"}).run()
    outputs = outcome.task_run("a").outputs or {}
    assert outputs.pop("resumed")["by"] == "ann"
    assert outputs == {
        "decision": "APPROVED",
        "auto": False,
        "by": "ann",
        "comment": "well",
        "inputs": {"n": 4},
    }


@pytest.mark.parametrize(
    ("required", "approve", "refused"),
    [
        ("NEVER", True, False), ("NEVER", False, False),
        ("ALWAYS", True, True), ("ALWAYS", False, True),
        ("ON_APPROVE", True, True), ("ON_APPROVE", False, False),
        ("ON_DENY", True, False), ("ON_DENY", False, True),
    ],
)  # fmt: skip
def test_a_comment_may_have_to_be_given(
    given: Flow, required: str, approve: bool, refused: bool
) -> None:
    flow = given(approval(f"commentRequired: {required}"))
    without = flow.at(5).resume(approve=approve).rest()
    without.then.answered("a `comment` has to be given" if refused else "done")
    with_one = flow.at(5).resume(approve=approve, comment="so be it").rest()
    with_one.then.answered("done")


def test_a_decision_that_lacks_an_input_is_refused(given: Flow) -> None:
    outcome = given(approval("inputs: [{id: n, type: INT}]")).at(5).resume().rest()
    outcome.then.is_in("PAUSED")
    outcome.then.answered("Invalid input for `n`, missing required input, but received `null`")


def test_finally_runs_after_the_decision(given: Flow) -> None:
    flow = given(approval("denyBehavior: FAIL, finally: [{id: f, type: Work}]"))
    flow.at(5).resume(approve=False).run().then.ended("FAILED").ran("f", "e")
