"""Schedules: which instants are due, across time zones, restarts and changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from penstock.triggers.registry import find
from penstock.triggers.schedule.due import (
    due,
    next_due,
    next_look,
    previous_due,
    schedule_variables,
)
from penstock.triggers.schedule.model import Schedule
from penstock.triggers.schedule.trigger import SCHEDULE, TRIGGER, backfill, decide
from tests.unit.triggers.context import context


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def schedule(cron: str, **properties: Any) -> Schedule:
    return Schedule.model_validate({"cron": cron, **properties})


def dates(plan: Schedule, after: str, count: int) -> list[str]:
    def each() -> Any:
        date = plan.next_date(at(after))
        while date is not None:
            yield f"{date:%m-%d %H:%M:%S}"
            date = plan.next_date(date)

    return list(islice(each(), count))


@pytest.mark.parametrize(
    ("cron", "first"),
    [
        ("@hourly", "01-01 01:00:00"), ("@daily", "01-02 00:00:00"),
        ("@midnight", "01-02 00:00:00"),
        ("@weekly", "01-05 00:00:00"), ("@monthly", "02-01 00:00:00"),
        ("@yearly", "01-01 00:00:00"),
        ("@Annually", "01-01 00:00:00"), ("*/15 * * * *", "01-01 00:15:00"),
        ("0 9 * * MON", "01-06 09:00:00"), ("0 0 29 2 *", "02-29 00:00:00"),
    ],
)  # fmt: skip
def test_the_first_due_time(cron: str, first: str) -> None:
    assert dates(schedule(cron), "2025-01-01T00:00:00", 1) == [first]


def test_seconds() -> None:
    plan = schedule("*/20 * * * * *", withSeconds=True)
    assert dates(plan, "2025-01-01T00:00:00", 3) == [
        "01-01 00:00:20", "01-01 00:00:40", "01-01 00:01:00"
    ]  # fmt: skip
    assert dates(schedule("@daily", withSeconds=True), "2025-01-01T00:00:00", 1) == [
        "01-02 00:00:00"
    ]


@pytest.mark.parametrize(
    ("cron", "more", "told"),
    [
        ("* * *", {}, "invalid cron expression '* * *': expected 5 fields, found 3"),
        ("* * * * * *", {}, "expected 5 fields, found 6"),
        ("* * * * *", {"withSeconds": True}, "expected 6 fields, found 5"),
        ("61 * * * *", {}, "invalid cron expression '61 * * * *'"),
        ("@often", {}, "invalid cron expression"),
        ("0 0 30 2 *", {}, "'0 0 30 2 *': it never fires: none of its months has such a day"),
        ("0 0 31 4,6 *", {}, "it never fires"),
        ("0 0 32 2 *", {}, "Bad day-of-month"),
        ("0 0 31 13 *", {}, "Bad month"),
        ("* * * * *", {"timezone": "Mars/Base"}, "timezone '(Mars/Base)' is not a valid time-zone"),
        ("* * * * *", {"timezone": "../x"}, "is not a valid time-zone"),
        ("* * * * *", {"timezone": "europe/oslo"}, "did you mean Europe/Oslo?"),
        ("* * * * *", {"timezone": "GMT+19"}, "offsets end at 18 hours"),
        ("* * * * *", {"timezone": "+2:00"}, "write an offset as +2, +02 or +02:00"),
        ("* * * * *", {"timezone": "localtime"}, "unknown time zone `localtime`"),
        ("* * * * *", {"cronn": "x"}, "unknown property `cronn`"),
        ("* * * * *", {"recoverMissedSchedules": "SOME"}, "'ALL'"),
    ],
)
def test_what_is_no_schedule(cron: str, more: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        schedule(cron, **more)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 0 13 * FRI", [3, 10, 13, 17, 24, 31]),
        ("0 0 */10 * MON", [1, 6, 11, 13, 20, 21, 27, 31]),
        ("0 0 1-31/10 * MON", [1, 6, 11, 13, 20, 21, 27, 31]),
        ("0 0 13 * */6", [4, 5, 11, 12, 13, 18, 19, 25, 26]),
        ("0 0 13 * 6,7", [4, 5, 11, 12, 13, 18, 19, 25, 26]),
        ("0 0 */10 * *", [1, 11, 21, 31]),
        ("0 0 * * */6", [4, 5, 11, 12, 18, 19, 25, 26]),
        ("0 0 31 2 MON", []),
    ],
)
def test_a_day_of_the_month_and_one_of_the_week_are_each_enough(cron: str, days: list[int]) -> None:
    """So does cron-utils, which Kestra reads them with; a star with a step is a restriction."""
    plan, found = schedule(cron), []
    date = plan.next_date(at("2024-12-31T23:59:59"))
    while date is not None and date < at("2025-02-01T00:00:00"):
        found.append(date.day)
        date = plan.next_date(date)
    assert found == days


@pytest.mark.parametrize(
    ("zone", "due"),
    [
        ("UTC", "07:30"), ("GMT", "07:30"), ("Z", "07:30"), ("Etc/UTC", "07:30"),
        ("+02:00", "05:30"), ("GMT+2", "05:30"), ("UTC+02:00", "05:30"), ("Etc/GMT-2", "05:30"),
        ("-0330", "11:00"), ("UT-3", "10:30"), ("EST5EDT", "11:30"), ("Asia/Kathmandu", "01:45"),
    ],
)  # fmt: skip
def test_zones_are_written_as_in_java(zone: str, due: str) -> None:
    plan = schedule("30 7 * * *", timezone=zone)
    assert dates(plan, "2025-06-01T23:59:59", 1) == [f"06-02 {due}:00"]


PARIS = {"timezone": "Europe/Paris"}
GAP = "2025-03-29T12:00:00"  # at 2:00 on the 30th the clock goes to 3:00
OVERLAP = "2025-10-25T12:00:00"  # at 3:00 on the 26th the clock goes back to 2:00


@pytest.mark.parametrize(
    ("cron", "more", "after", "expected"),
    [
        ("30 2 * * *", {}, GAP, ["03-30 01:00:00", "03-31 00:30:00"]),
        ("0 3 * * *", {}, GAP, ["03-30 01:00:00", "03-31 01:00:00"]),
        ("0 4 * * *", {}, GAP, ["03-30 02:00:00", "03-31 02:00:00"]),
        ("0 1-4 * * *", {}, GAP, ["03-30 00:00:00", "03-30 01:00:00", "03-30 02:00:00"]),
        ("30 2 * * *", {}, OVERLAP, ["10-26 00:30:00", "10-27 01:30:00"]),
        ("0 30 2 * * *", {"withSeconds": True}, OVERLAP, ["10-26 00:30:00", "10-27 01:30:00"]),
        ("0 30 2 * * *", {"withSeconds": True}, GAP, ["03-30 01:00:00", "03-31 00:30:00"]),
        ("0 3 * * *", {}, OVERLAP, ["10-26 02:00:00", "10-27 02:00:00"]),
    ],
)
def test_a_fixed_time_is_met_once_on_each_day(
    cron: str, more: dict[str, Any], after: str, expected: list[str]
) -> None:
    assert dates(schedule(cron, **PARIS, **more), after, len(expected)) == expected


@pytest.mark.parametrize("day", [GAP, OVERLAP])
def test_every_so_often_goes_on_through_a_change_of_the_clock(day: str) -> None:
    plan = schedule("*/30 * * * *", **PARIS)
    date, gaps = at(day), set()
    for _ in range(60):
        after = plan.next_date(date)
        assert after is not None
        gaps.add(after - date)
        date = after
    assert gaps == {timedelta(minutes=30)}


MISSED = ("2025-01-01T00:00:30", "2025-01-01T00:05:10")  # five due times passed


@pytest.mark.parametrize(
    ("policy", "fires"),
    [("ALL", ["01", "02", "03", "04", "05"]), ("LAST", ["05"]), ("NONE", ["05"])],
)
def test_missed_due_times(policy: str, fires: list[str]) -> None:
    """A due time of ten seconds ago was not missed: also NONE takes it."""
    plan = schedule("* * * * *", recoverMissedSchedules=policy)
    assert fired(plan, *MISSED) == fires


def test_none_leaves_out_what_was_missed() -> None:
    plan = schedule("@hourly", recoverMissedSchedules="NONE")
    call = due(plan, at("2025-01-01T00:30:00"), at("2025-01-01T05:30:00"), context())
    assert (call.fire, call.handled) == (None, at("2025-01-01T05:00:00"))


def fired(plan: Schedule, last: str, now: str) -> list[str]:
    """Minutes of all that fires until nothing is left to do."""
    handled = at(last)
    minutes: list[str] = []
    for _ in range(100):
        call = due(plan, handled, at(now), context())
        if call.fire is None:
            return minutes
        minutes.append(f"{call.fire:%M}")
        assert handled < call.handled
        handled = call.handled
    raise AssertionError("it fires for ever")


def test_due_times_that_are_too_late_are_skipped() -> None:
    plan = schedule("* * * * *", lateMaximumDelay="PT2M")
    assert fired(plan, *MISSED) == ["04", "05"]


def test_the_last_of_very_many_missed_ones_is_the_last() -> None:
    plan = schedule("* * * * * *", withSeconds=True, recoverMissedSchedules="LAST")
    call = due(plan, at("2025-01-01T00:00:00"), at("2025-02-01T00:00:00"), context())
    assert call.fire == call.handled == at("2025-02-01T00:00:00")


def test_nothing_is_due_before_its_time() -> None:
    call = due(schedule("@hourly"), at("2025-01-01T00:00:00"), at("2025-01-01T00:59:59"), context())
    assert (call.fire, call.handled) == (None, at("2025-01-01T00:00:00"))


def test_what_expressions_see() -> None:
    found = schedule_variables(schedule("@daily", **PARIS), at("2025-03-30T22:00:00"), context())
    assert found == {
        "date": "2025-03-31T00:00:00.000+02:00",
        "next": "2025-04-01T00:00:00.000+02:00",
        "previous": "2025-03-30T00:00:00.000+01:00",
    }


@pytest.mark.parametrize(
    "name", [SCHEDULE, SCHEDULE.upper(), "io.kestra.core.models.triggers.types.Schedule"]
)
def test_a_trigger_of_that_type_is_a_schedule(name: str) -> None:
    assert find(name) is TRIGGER
    assert find("io.kestra.plugin.core.trigger.Webhook") is not TRIGGER


def test_the_execution_of_a_due_time() -> None:
    # given
    plan = schedule(
        "0 9 * * *",
        inputs={"day": "{{ trigger.date | date('yyyy-MM-dd') }}", "at": ["{{ now() }}"]},
        labels={"month": "{{ schedule.date | date('MMMM') }}", "flow": "{{ flow.id }}"},
        **PARIS,
    )
    last, now = at("2025-01-01T09:00:00"), at("2025-01-02T08:00:30")
    # when
    made = [decide(plan, last, now, context()) for _ in range(2)]
    # then: whenever it is decided, it is the same execution
    firing = made[0].firing
    assert firing is not None
    assert made[0] == made[1]
    assert (made[0].handled, made[0].date) == (at("2025-01-02T08:00:00"),) * 2
    assert firing.key == "20250102-080000"
    assert firing.variables == schedule_variables(plan, at("2025-01-02T08:00:00"), context())
    assert firing.inputs == {"day": "2025-01-02", "at": ["2025-01-02T08:00:00.000000Z"]}
    assert firing.labels == {"month": "January", "flow": "listener"}
    assert firing.problems == ()


def test_what_cannot_be_rendered_does_not_keep_an_execution_from_its_time() -> None:
    # given
    plan = schedule(
        "@hourly",
        inputs={"a": "{{ vars.missing }}", "b": "{{ flow.id }}"},
        labels={"wrong": "{{ vars.missing }}", "right": "{{ flow.id }}"},
    )
    # when
    firing = decide(plan, at("2025-01-01T00:30:00"), at("2025-01-01T01:00:00"), context()).firing
    # then
    assert firing is not None
    assert firing.inputs == {"a": "{{ vars.missing }}", "b": "{{ flow.id }}"}
    assert firing.labels == {"right": "listener"}
    inputs, label = firing.problems
    assert inputs.startswith("its inputs can't be rendered: Unable to find `missing`")
    assert label.startswith("its label wrong is left out: Unable to find `missing`")


CONDITION = "io.kestra.plugin.core.condition."
WEEKEND = [{"type": CONDITION + "Weekend"}]
WORKDAYS = [{"type": CONDITION + "Not", "conditions": WEEKEND}]
FIRST_MONDAY = [
    {"type": CONDITION + "DayWeekInMonth", "dayOfWeek": "MONDAY", "dayInMonth": "FIRST"}
]


def due_dates(plan: Schedule, after: str, count: int) -> list[str]:
    found: list[str] = []
    date: datetime | None = at(after)
    while len(found) < count:
        assert date is not None
        date = next_due(plan, date, context())
        assert date is not None
        found.append(f"{date:%a %m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("cron", "gate", "expected"),
    [
        ("0 9 * * *", {"conditions": WEEKEND}, ["Sat 01-04 09:00", "Sun 01-05 09:00"]),
        ("0 9 * * *", {"scheduleConditions": WEEKEND}, ["Sat 01-04 09:00", "Sun 01-05 09:00"]),
        ("0 9 * * *", {"when": "{{ isWeekend(trigger.date) }}"}, ["Sat 01-04 09:00"]),
        ("0 9 * * *", {"conditions": WEEKEND, "when": "{{ dayOfMonth(trigger.date) > 4 }}"},
         ["Sun 01-05 09:00", "Sat 01-11 09:00"]),
        ("* * * * *", {"conditions": FIRST_MONDAY}, ["Mon 01-06 00:00", "Mon 01-06 00:01"]),
        ("0 9 * * *", {"conditions": WORKDAYS}, ["Thu 01-02 09:00", "Fri 01-03 09:00"]),
        ("0 9 * * *", {"when": False}, []),
    ],
)  # fmt: skip
def test_only_dates_that_satisfy_are_due(
    cron: str, gate: dict[str, Any], expected: list[str]
) -> None:
    plan = schedule(cron, **gate)
    assert due_dates(plan, "2025-01-01T10:00:00", len(expected)) == expected
    if not expected:
        assert next_due(plan, at("2025-01-01T10:00:00"), context()) is None


def test_a_day_is_one_of_the_schedules_zone() -> None:
    """Friday 23:30 in UTC is a Saturday in Paris."""
    plan = schedule("30 * * * *", conditions=WEEKEND, **PARIS)
    assert due_dates(plan, "2025-01-03T12:00:00", 1) == ["Fri 01-03 23:30"]
    last = previous_due(plan, at("2025-01-06T12:00:00"), context())
    assert last == at("2025-01-05T22:30:00")


def test_next_and_previous_satisfy_the_conditions_as_well() -> None:
    plan = schedule("0 9 * * *", conditions=FIRST_MONDAY)
    assert schedule_variables(plan, at("2025-02-03T09:00:00"), context()) == {
        "date": "2025-02-03T09:00:00.000+00:00",
        "next": "2025-03-03T09:00:00.000+00:00",
        "previous": "2025-01-06T09:00:00.000+00:00",
    }


@pytest.mark.parametrize(("policy", "fires"), [("ALL", [4, 5]), ("LAST", [5]), ("NONE", [])])
def test_missed_due_times_are_those_that_satisfy(policy: str, fires: list[int]) -> None:
    plan = schedule("0 9 * * *", conditions=WEEKEND, recoverMissedSchedules=policy)
    handled, days = at("2025-01-01T10:00:00"), []
    now = at("2025-01-07T10:00:00")
    while (call := due(plan, handled, now, context())).fire is not None:
        days.append(call.fire.day)
        handled = call.handled
    assert days == fires
    assert due(plan, call.handled, now, context()).fire is None


def test_a_search_that_is_given_up_goes_on_where_it_ended() -> None:
    """A week of minutes, of which an expression lets only the last one through."""
    plan = schedule("* * * * *", when="{{ trigger.date == '2025-01-08T00:00:00.000+00:00' }}")
    handled, now = at("2025-01-01T00:00:00"), at("2025-01-08T00:00:30")
    calls = 0
    while (call := due(plan, handled, now, context())).fire is None:
        assert call.handled > handled
        handled = call.handled
        calls += 1
    assert call.fire == at("2025-01-08T00:00:00")
    assert calls > 0


NIGHTS = [
    {"type": CONDITION + "TimeBetween", "after": "00:00:10"},
    {"type": CONDITION + "TimeBetween", "before": "00:00:20"},
]


@pytest.mark.parametrize(
    ("cron", "gate", "look"),
    [
        ("0 9 * * *", {}, "2025-01-02T09:00:00"),
        ("0 9 * * *", {"conditions": WEEKEND}, "2025-01-04T09:00:00"),
        ("0 9 * * *", {"when": "{{ isWeekend(trigger.date) }}"}, "2025-01-02T09:00:00"),
        ("0 9 * * *", {"conditions": [{"type": CONDITION + "Expression", "expression": "false"}]},
         "2025-01-02T09:00:00"),
        ("0 9 * * *", {"conditions": NIGHTS}, None),
        ("* * * * *", {"conditions": NIGHTS}, "2025-01-04T21:20:00"),
    ],
)  # fmt: skip
def test_when_to_ask_again(cron: str, gate: dict[str, Any], look: str | None) -> None:
    """An expression is asked at every date: what it says may change until then."""
    found = next_look(schedule(cron, **gate), at("2025-01-01T10:00:00"), context())
    assert found == (None if look is None else at(look))


def test_a_condition_that_cannot_be_told_is_an_error_of_its_date() -> None:
    plan = schedule("0 9 * * *", when="{{ vars.missing == 1 }}")
    call = due(plan, at("2025-01-01T00:00:00"), at("2025-01-01T10:00:00"), context())
    assert call.fire == call.handled == at("2025-01-01T09:00:00")
    assert "Unable to find `missing`" in str(call.error)


def test_a_date_whose_condition_cannot_be_told_has_an_execution_that_fails() -> None:
    plan = schedule("0 9 * * *", when="{{ vars.missing == 1 }}", inputs={"a": "b"})
    now = at("2025-01-01T10:00:00")
    for decision in (
        decide(plan, at("2025-01-01T00:00:00"), now, context()),
        backfill(plan, at("2025-01-01T00:00:00"), now, context()),
    ):
        assert decision.error is None
        assert decision.firing is not None
        assert decision.firing.key == "20250101-090000"
        assert "Unable to find `missing`" in str(decision.firing.failure)
        assert decision.firing.inputs == {}


def test_conditions_on_executions_are_passed_over() -> None:
    """Kestra takes them on a schedule, where they say nothing."""
    flow = {"type": CONDITION + "ExecutionFlow", "namespace": "x", "flowId": "y"}
    plan = schedule("0 9 * * *", conditions=[flow])
    assert not plan.gated
    assert due_dates(plan, "2025-01-01T00:00:00", 1) == ["Wed 01-01 09:00"]


def test_a_schedule_stops_after_the_states_that_it_names() -> None:
    plan = schedule("@daily", stopAfter=["FAILED", "KILLED"])
    assert [plan.stops_after(state) for state in ("FAILED", "SUCCESS")] == [True, False]


_CRONS = st.sampled_from(["*/7 * * * *", "30 2 * * *", "0 */3 * * *", "@daily", "15 1-4 * * SUN"])
_ZONES = st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu"])
_MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(_CRONS, _ZONES, _MOMENTS)
def test_there_and_back_again(cron: str, zone: str, moment: datetime) -> None:
    plan = schedule(cron, timezone=zone)
    date = plan.next_date(moment)
    assert date is not None
    assert date > moment
    latest = plan.latest_date(date)
    assert latest == date
    assert schedule(cron, timezone=zone).next_date(moment) == date
