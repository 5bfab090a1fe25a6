"""Conditions of executions: what `kubectl wait`, Flux and Argo CD see."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from penstock.resources.execution import ExecutionStatus, State
from penstock.resources.health import with_conditions

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def conditions(status: ExecutionStatus) -> dict[str, tuple[str, str]]:
    return {item.type: (item.status, item.reason) for item in status.conditions}


def healthy(state: State, before: ExecutionStatus | None = None) -> ExecutionStatus:
    status = (before or ExecutionStatus()).model_copy(update={"state": state})
    return with_conditions(status, 1, NOW)


@pytest.mark.parametrize(
    "state", [State.CREATED, State.QUEUED, State.RUNNING, State.PAUSED, State.BREAKPOINT]
)
def test_one_that_waits_is_still_reconciling_and_says_for_what(state: State) -> None:
    word = state.capitalize()
    assert conditions(healthy(state)) == {
        "Succeeded": ("Unknown", word),
        "Ready": ("False", word),
        "Reconciling": ("True", word),
    }


@pytest.mark.parametrize("state", [State.FAILED, State.KILLED, State.CANCELLED, State.RETRIED])
def test_one_that_ended_badly_is_stalled(state: State) -> None:
    word = state.capitalize()
    assert conditions(healthy(state)) == {
        "Succeeded": ("False", word),
        "Ready": ("False", word),
        "Stalled": ("True", word),
    }


def test_one_that_is_restarted_is_not_stalled_any_more() -> None:
    failed = healthy(State.FAILED)
    running = healthy(State.RUNNING, failed)
    assert "Stalled" not in conditions(running)
    assert conditions(running)["Reconciling"] == ("True", "Running")
    assert "Stalled" not in conditions(healthy(State.SUCCESS, failed)), "given another end state"


def test_the_same_state_seen_twice_is_the_same_status() -> None:
    failed = healthy(State.FAILED)
    assert with_conditions(failed, 1, datetime(2031, 1, 1, tzinfo=UTC)) == failed
