"""What only shows where an execution is one of several: its place, and what others did for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest

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
    ReplayRequest,
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


def test_what_it_waits_for_stands_in_its_message_until_its_turn_comes() -> None:
    # given one that waits for a slot beside other flows
    engine_ = engine("tasks: [{id: a, type: Work}]")
    waits = Turn(has_room=False, waits_for="waiting for one of 2 slots")
    queued = engine_.begin(IDENTITY, SPEC, START, waits)
    assert (queued.status.state, queued.status.message) == (State.QUEUED, waits.waits_for)
    # when the sentence is another one, and then its turn comes
    nearer = replace(waits, waits_for="it comes next")
    still = engine_.advance(IDENTITY, queued.status, {}, LATER, turn=nearer)
    runs = engine_.advance(IDENTITY, still.status, {}, LATER)
    # then
    assert (still.status.state, still.status.message) == (State.QUEUED, "it comes next")
    assert (runs.status.state, runs.status.message) == (State.RUNNING, None)


@pytest.mark.parametrize("behavior", ["CANCEL", "FAIL"])
def test_the_limit_of_a_flow_alone_cancels_or_fails(behavior: Literal["CANCEL", "FAIL"]) -> None:
    engine_ = engine("tasks: [{id: a, type: Work}]")
    limit = Concurrency(limit=2, behavior=behavior)
    full = Turn(limit, holders=2, has_room=False)
    elsewhere = Turn(limit, holders=1, has_room=False)
    assert engine_.begin(IDENTITY, SPEC, START, full).status.state.terminated
    assert engine_.begin(IDENTITY, SPEC, START, elsewhere).status.state is State.QUEUED


def test_a_retry_and_a_replay_have_the_priority_of_what_they_do_again() -> None:
    # given an urgent execution whose flow is tried again as a whole
    engine_ = engine("""
        tasks:
          - {id: a, type: Work, retry: {type: constant, interval: PT1S, maxAttempts: 2,
             behavior: CREATE_NEW_EXECUTION}}
    """)
    urgent = replace(IDENTITY, priority=7)
    begun = engine_.begin(urgent, SPEC, START)
    # when it fails, and when a person replays it
    failed = engine_.advance(urgent, begun.status, ending(begun, State.FAILED), LATER)
    replays = replace(urgent, controls=(Control(id="again", replay=ReplayRequest()),))
    replayed = engine_.advance(replays, begun.status, {}, LATER)
    # then
    for step in (failed, replayed):
        (made,) = [item for item in step.actions if isinstance(item, StartExecution)]
        assert made.spec.priority == 7


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
