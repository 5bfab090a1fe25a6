"""What only shows where an execution is one of several: its place, and what others did for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import (
    ChildSeen,
    Observation,
    StartAttempt,
    StartExecution,
    Step,
)
from penstock.engine.interface.turn import Turn
from penstock.flow.document import Concurrency
from penstock.resources.execution import (
    Control,
    ExecutionSpec,
    ExecutionStatus,
    FlowReference,
    ResumeRequest,
    State,
)
from penstock.types import expressions
from tests.fixtures import flows
from tests.fixtures.engine import IDENTITY
from tests.fixtures.world import START

SPEC = ExecutionSpec(flow=FlowReference(namespace="company.team", id="flow"))
LATER = START + timedelta(seconds=1)


def engine(text: str) -> Engine:
    return Engine(flows.flow(text), expressions())


def ending(step: Step, state: State = State.SUCCESS) -> dict[tuple[str, int], Observation]:
    """All attempts that a step starts, as they end."""
    return {
        action.key: Observation(state, START, LATER)
        for action in step.actions
        if isinstance(action, StartAttempt)
    }


def test_a_paused_execution_goes_on_in_its_place_though_others_wait() -> None:
    # given one that is paused, in the only place, while two others wait
    engine_ = engine("tasks: [{id: wait, type: Pause}, {id: a, type: Work}]")
    turn = Turn(Concurrency(limit=1), ahead=2)
    paused = engine_.begin(IDENTITY, SPEC, START, Turn(Concurrency(limit=1)))
    assert paused.status.state is State.PAUSED
    # when
    resume = replace(IDENTITY, controls=(Control(id="go", resume=ResumeRequest()),))
    resumed = engine_.advance(resume, paused.status, {}, LATER, turn=turn)
    # then
    assert resumed.status.state is State.RUNNING


AFTER = """
tasks: [{id: a, type: Work}]
afterExecution: [{id: last, type: Subflow, namespace: company.team, flowId: other}]
"""


def test_what_runs_after_a_failure_runs_and_sees_the_execution_that_it_made() -> None:
    # given a flow whose task fails
    engine_ = engine(AFTER)
    begun = engine_.begin(IDENTITY, SPEC, START)
    failed = engine_.advance(IDENTITY, begun.status, ending(begun, State.FAILED), LATER)
    assert failed.status.state is State.FAILED
    (made,) = [action for action in failed.actions if isinstance(action, StartExecution)]
    # when its child ends
    child = ChildSeen(ExecutionStatus(state=State.SUCCESS, start_date=START, end_date=LATER))
    after = engine_.advance(IDENTITY, failed.status, {}, LATER, children={made.name: child})
    # then
    assert after.status.after_execution is State.SUCCESS
    assert after.status.finished


def test_a_loop_keeps_the_outputs_of_iterations_that_end_together() -> None:
    # given
    engine_ = engine("""
        tasks:
          - id: each
            type: Loop
            values: [x, y, z]
            concurrencyLimit: 3
            tasks: [{id: a, type: Work}]
            outputs: [{id: v, type: STRING, value: "{{ item.value }}"}]
    """)
    begun = engine_.begin(IDENTITY, SPEC, START)
    # when
    done = engine_.advance(IDENTITY, begun.status, ending(begun), LATER)
    # then
    assert done.status.state is State.SUCCESS
    (each,) = [run for run in done.status.task_runs if run.task_id == "each"]
    assert each.outputs is not None
    assert [item["outputs"]["v"] for item in each.outputs["outputs"]] == ["x", "y", "z"]
