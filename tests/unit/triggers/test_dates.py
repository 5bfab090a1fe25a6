"""ScheduleOnDates: one execution for each date."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from penstock.triggers.dates import ScheduleOnDates, decide, due_on_dates, next_look, next_on_dates
from penstock.triggers.evaluation import ConditionError
from tests.unit.triggers.context import at, context

DATES = ["2025-01-03T09:00:00Z", "2025-01-01T09:00:00Z", "2025-01-02T09:00:00+01:00"]


def plan(dates: Any = DATES, **more: Any) -> ScheduleOnDates:
    return ScheduleOnDates.model_validate({"dates": dates, **more}, context={})


def fired(trigger: ScheduleOnDates, last: str, now: str) -> list[str]:
    found: list[str] = []
    handled = at(last)
    while (call := due_on_dates(trigger, handled, at(now), context())).fire is not None:
        found.append(f"{call.fire.astimezone(at(now).tzinfo):%d %H:%M}")
        handled = call.handled
    return found


def test_dates_come_one_after_the_other_each_once() -> None:
    twice = plan([*DATES, "2025-01-01T10:00:00+01:00"])
    expected = ["01 09:00", "02 08:00", "03 09:00"]
    assert fired(twice, "2024-12-31T00:00", "2025-02-01T00:00") == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("ALL", ["01 09:00", "02 08:00"]), ("LAST", ["02 08:00"]), ("NONE", [])],
)
def test_dates_that_were_missed(policy: str, expected: list[str]) -> None:
    trigger = plan(recoverMissedSchedules=policy)
    assert fired(trigger, "2024-12-31T00:00", "2025-01-02T12:00") == expected


def test_a_date_of_just_now_was_not_missed() -> None:
    trigger = plan(recoverMissedSchedules="NONE")
    assert fired(trigger, "2024-12-31T00:00", "2025-01-01T09:00") == ["01 09:00"]


def test_the_next_date() -> None:
    assert next_on_dates(plan(), at("2025-01-02T08:00"), context()) == at("2025-01-03T09:00")
    assert next_on_dates(plan(), at("2025-01-03T09:00"), context()) is None


@pytest.mark.parametrize(
    ("dates", "more"),
    [
        (["2025-01-02T09:00:00"], {"timezone": "Europe/Paris"}),
        (["2025-01-02T09:00:00"], {"timezone": "GMT+1"}),
        (["2025-01-02T09:00:00"], {"timezone": "{{ vars.zone }}"}),
        ("{{ vars.dates }}", {}),
        ("{{ vars.text }}", {}),
        (["{{ vars.dates[0] }}"], {}),
    ],
)
def test_zones_and_expressions(dates: Any, more: dict[str, Any]) -> None:
    date = "2025-01-02T09:00:00+01:00"
    seen = context(vars={"zone": "Europe/Paris", "dates": [date], "text": f'["{date}"]'})
    assert plan(dates, **more).moments(seen) == [at("2025-01-02T08:00")]


def test_a_date_that_does_not_satisfy_the_conditions_is_passed_over() -> None:
    """2025-01-01 is a Wednesday."""
    trigger = plan(when="{{ dayOfWeek(trigger.date) != 'WEDNESDAY' }}")
    assert fired(trigger, "2024-12-31T00:00", "2025-02-01T00:00") == ["02 08:00", "03 09:00"]


def test_what_cannot_be_told_is_an_error() -> None:
    now = datetime.fromisoformat("2025-02-01T00:00:00Z")
    with pytest.raises(ConditionError, match="Unable to find `dates`"):
        plan("{{ vars.dates }}").moments(context())
    call = due_on_dates(plan(when="{{ vars.x }}"), at("2024-12-31T00:00"), now, context())
    assert "Unable to find `x`" in str(call.error)
    decision = decide(plan(when="{{ vars.x }}"), at("2024-12-31T00:00"), now, context())
    assert decision.firing is not None
    assert "Unable to find `x`" in str(decision.firing.failure)


def test_the_execution_of_a_date() -> None:
    # given
    trigger = plan(
        inputs={"day": "{{ trigger.date | date('dd') }}"}, labels={"of": "{{ flow.id }}"}
    )
    # when
    decision = decide(trigger, at("2025-01-01T09:00"), at("2025-01-03T10:00"), context())
    # then
    assert decision.date == decision.handled == at("2025-01-02T08:00")
    assert decision.firing is not None
    assert decision.firing.key == "20250102-080000-000000"
    assert decision.firing.variables == {"date": "2025-01-02T09:00:00.000+01:00"}
    assert (decision.firing.inputs, decision.firing.labels) == ({"day": "02"}, {"of": "listener"})


def test_dates_that_cannot_be_told_handle_nothing() -> None:
    trigger = plan("{{ vars.dates }}")
    decision = decide(trigger, at("2025-01-01T00:00"), at("2025-01-02T00:00"), context())
    assert (decision.handled, decision.firing) == (at("2025-01-01T00:00"), None)
    assert "Unable to find `dates`" in str(decision.error)
    assert next_look(trigger, at("2025-01-01T00:00"), context()) is None


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({}, "Field required"),
        ({"dates": []}, "at least 1"),
        ({"dates": ["tomorrow"]}, "`tomorrow` is not a date-time"),
        ({"dates": DATES, "timezone": "Mars/Base"}, "timezone '(Mars/Base)' is not a valid time-z"),
        ({"date": DATES}, "unknown property `date`; did you mean `dates`?"),
    ],
)
def test_what_is_no_list_of_dates(properties: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ScheduleOnDates.model_validate(properties, context={})
    assert words in str(refused.value)
