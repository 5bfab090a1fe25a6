"""Killing an execution: what runs is stopped, and nothing else starts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import Observation, StartAttempt, StopAttempt
from penstock.flow.loading import load_document
from penstock.resources.execution import ExecutionSpec, FlowReference, State
from penstock.types import flow_parser
from tests.fixtures.engine import IDENTITY
from tests.fixtures.world import START

FLOW = """
id: killed
namespace: team
tasks:
  - id: both
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {id: a, type: io.kestra.plugin.core.debug.Return, format: a}
      - id: b
        type: io.kestra.plugin.core.execution.Fail
        retry: {type: constant, interval: PT10S}
  - {id: never, type: io.kestra.plugin.core.debug.Return, format: never}
errors:
  - {id: alert, type: io.kestra.plugin.core.log.Log, message: alert}
finally:
  - {id: clean, type: io.kestra.plugin.core.log.Log, message: clean}
"""
SPEC = ExecutionSpec(flow=FlowReference(namespace="team", id="killed"))
KILLED = replace(IDENTITY, killed=True)


def engine() -> Engine:
    return Engine(flow_parser().parse(load_document(FLOW)).flow)


def test_what_runs_is_stopped_and_what_waits_is_dropped() -> None:
    # given one task that runs and one that waits for its retry
    engine_ = engine()
    first = engine_.begin(IDENTITY, SPEC, START)
    keys = {
        action.task.id: action.key for action in first.actions if isinstance(action, StartAttempt)
    }
    seen = {
        keys["a"]: Observation(State.RUNNING, start_date=START),
        keys["b"]: Observation(State.FAILED, end_date=START),
    }
    now = START + timedelta(seconds=1)
    second = engine_.advance(IDENTITY, first.status, seen, now)
    # when
    killed = engine_.advance(KILLED, second.status, {}, now)
    # then
    assert killed.status.state is State.KILLED
    assert {run.task_id: run.state for run in killed.status.task_runs} == {
        "both": State.KILLED,
        "a": State.KILLED,
        "b": State.KILLED,
    }
    (stop,) = killed.actions
    assert isinstance(stop, StopAttempt)
    assert stop.key == keys["a"]
    assert killed.wake is None
    assert killed.status.message == "killed as its spec asks"


def test_it_is_decided_the_same_again() -> None:
    engine_ = engine()
    first = engine_.begin(IDENTITY, SPEC, START)
    killed = engine_.advance(KILLED, first.status, {}, START)
    again = engine_.advance(KILLED, killed.status, {}, START)
    assert again.status == killed.status
    assert again.actions == ()


def test_killed_before_it_began_nothing_starts() -> None:
    step = engine().begin(KILLED, SPEC, START)
    assert step.status.state is State.KILLED
    assert step.actions == ()
    assert step.status.task_runs == []
