"""What becomes of a wish for a backfill, before anything of it is started."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.resources.trigger_state import BackfillPhase, BackfillRequest
from penstock.triggers.backfill import observed, refused
from penstock.triggers.schedule.model import Schedule
from penstock.triggers.schedule.trigger import backfill
from tests.unit.triggers.context import at, context

NOW = at("2026-06-01T12:00")


def wish(**more: Any) -> BackfillRequest:
    given = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z", **more}
    return BackfillRequest.model_validate(given)


def test_the_range_is_fixed_when_it_begins() -> None:
    begun = observed(wish(end=None), None, "a", NOW)
    assert begun is not None
    assert (begun.id, begun.end, begun.state) == ("a", NOW, BackfillPhase.RUNNING)
    later = observed(wish(end=None), begun, "b", at("2026-07-01T00:00"))
    assert later == begun


@pytest.mark.parametrize(
    "other",
    [{"end": "2026-02-02T00:00:00Z"}, {"labels": {"a": "b"}}, {"inputs": {"a": [1]}}],
)
def test_another_range_inputs_or_labels_are_another_backfill(other: dict[str, Any]) -> None:
    begun = observed(wish(), None, "a", NOW)
    after = observed(wish(**other), begun, "b", NOW)
    assert after is not None
    assert after.id == "b"


def test_a_pause_is_none() -> None:
    begun = observed(wish(paused=True), None, "a", NOW)
    after = observed(wish(), begun, "b", NOW)
    assert begun is not None
    assert after == begun.model_copy(update={"state": BackfillPhase.RUNNING})


def test_what_has_ended_goes_on_only_where_it_is_asked_for_anew() -> None:
    begun = observed(wish(), None, "a", NOW)
    assert begun is not None
    finished = begun.model_copy(update={"state": BackfillPhase.FINISHED})
    assert observed(wish(), finished, "b", NOW) == finished
    assert observed(wish(paused=True), finished, "b", NOW) == finished
    # and
    gone = observed(None, finished, "c", NOW)
    assert gone is not None
    assert gone.state is BackfillPhase.FINISHED
    again = observed(wish(), gone, "d", NOW)
    assert again is not None
    assert (again.id, again.state) == ("d", BackfillPhase.RUNNING)


def test_what_is_taken_away_is_cancelled_and_what_cannot_be_is_refused() -> None:
    begun = observed(wish(), None, "a", NOW)
    cancelled, no = observed(None, begun, "b", NOW), refused(begun)
    assert cancelled is not None
    assert no is not None
    assert (cancelled.state, no.state) == (BackfillPhase.CANCELLED, BackfillPhase.REFUSED)
    assert observed(None, None, "a", NOW) is None
    assert refused(cancelled) == cancelled


def test_dates_of_long_ago_are_left_out() -> None:
    begun = observed(wish(start="0001-01-01T00:00:00Z"), None, "a", NOW)
    assert begun is not None
    assert begun.start.year == 1970


def test_a_range_has_the_dates_that_satisfy_whatever_was_missed_or_is_late() -> None:
    # given
    gate = {"type": "io.kestra.plugin.core.condition.DayWeek", "dayOfWeek": "MONDAY"}
    schedule = Schedule.model_validate(
        {
            "cron": "0 9 * * *",
            "conditions": [gate],
            "recoverMissedSchedules": "NONE",
            "lateMaximumDelay": "PT1H",
        }
    )
    # when
    reached, until, found = at("2026-01-05T08:59"), at("2026-01-19T09:00"), []
    while reached < until:
        decision = backfill(schedule, reached, until, context())
        reached = decision.handled
        found += [decision.firing.key] if decision.firing is not None else []
    # then
    assert found == ["20260105-090000", "20260112-090000", "20260119-090000"]
