"""Which due times of a schedule call for an execution now.

A due time is an instant. What was due is told from the last due time that was dealt with, so a
restart across a due time neither loses nor doubles it. Dates of the cron that do not satisfy the
conditions are passed over, here and in `trigger.next` and `trigger.previous`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from penstock.triggers.evaluation import ConditionError, Context
from penstock.triggers.schedule.model import Recovery, Schedule

_ON_TIME = timedelta(seconds=60)
"""A due time that is not older than this was not missed."""
_MOST_LOOKED_AT = 5_000
"""How many dates one search looks at: a condition that is never true must not hold others up."""
_FARTHEST = timedelta(days=3653)
"""How far from a date a search goes, as in Kestra: ten years."""


@dataclass(frozen=True)
class Due:
    """What a schedule calls for now."""

    fire: datetime | None
    """The due time for which to start an execution."""
    handled: datetime
    """The instant up to which every due time is dealt with, once that execution is there."""
    error: str | None = None
    """Why it can't be told whether `fire` is due: the execution to make is FAILED."""


@dataclass(frozen=True)
class _Found:
    """Where a search ended."""

    date: datetime | None
    """A date that is due, or of which that can't be told."""
    looked: datetime | None
    """The last date that was looked at."""
    error: str | None = None


def due(schedule: Schedule, last: datetime, now: datetime, context: Context) -> Due:
    """The next due time in (last, now] to act upon, by the schedule's policy for missed ones.

    Where very many dates are passed over, `handled` says how far it came; ask again from there.
    """
    skipped_to = _skip_late(schedule, last, now)
    if schedule.recover_missed_schedules == "ALL":
        dates = _forward(schedule, skipped_to, now)
    else:
        dates = _backward(schedule, now + timedelta(seconds=1), skipped_to)
    found = _first(schedule, dates, context)
    if found.date is None:
        if found.looked is None:
            return Due(None, skipped_to)
        if schedule.recover_missed_schedules == "ALL":
            return Due(None, max(skipped_to, found.looked))
        return Due(None, schedule.latest_date(now) or skipped_to)
    if was_missed(schedule.recover_missed_schedules, found.date, now):
        return Due(None, found.date)
    return Due(found.date, found.date, found.error)


def first_due(schedule: Schedule, after: datetime, until: datetime, context: Context) -> Due:
    """The first due time in (after, until], whatever the schedule says of missed and late ones.

    Where very many dates are passed over, `handled` says how far it came; ask again from there.
    """
    found = _first(schedule, dates := _forward(schedule, after, until), context)
    if found.date is not None:
        return Due(found.date, found.date, found.error)
    return Due(None, found.looked if dates.given_up and found.looked is not None else until)


def was_missed(policy: Recovery, date: datetime, now: datetime) -> bool:
    """Whether a due time is left out because it passed while nothing could start."""
    return policy == "NONE" and now - date > _ON_TIME


def next_due(schedule: Schedule, after: datetime, context: Context) -> datetime | None:
    """The first due time after an instant; None where none is near."""
    return _first(schedule, _forward(schedule, after, after + _FARTHEST), context).date


def next_look(schedule: Schedule, after: datetime, context: Context) -> datetime | None:
    """When to ask again what is due; None where nothing will ever be.

    That is the next due time, unless it can't be known yet: what an expression says of a date may
    be another thing when the date comes, so then it is the cron's next date.
    """
    if schedule.when is not None or not all(item.settled() for item in schedule.gates):
        return schedule.next_date(after)
    found = _first(schedule, dates := _forward(schedule, after, after + _FARTHEST), context)
    return found.looked if found.date is None and dates.given_up else found.date


def previous_due(schedule: Schedule, before: datetime, context: Context) -> datetime | None:
    """The last due time before an instant; None where none is near."""
    return _first(schedule, _backward(schedule, before, before - _FARTHEST), context).date


def schedule_variables(schedule: Schedule, date: datetime, context: Context) -> dict[str, str]:
    """What expressions see as `trigger.…`: dates in the schedule's zone, with offset."""
    variables = {"date": _text(schedule, date)}
    for name, other in (
        ("next", next_due(schedule, date, context)),
        ("previous", previous_due(schedule, date, context)),
    ):
        if other is not None:
            variables[name] = _text(schedule, other)
    return variables


def _text(schedule: Schedule, date: datetime) -> str:
    return date.astimezone(schedule.zone).isoformat(timespec="milliseconds")


def _skip_late(schedule: Schedule, last: datetime, now: datetime) -> datetime:
    """The instant up to which due times are left out because they are later than they may be."""
    if schedule.late_maximum_delay is None:
        return last
    try:
        oldest = now - schedule.late_maximum_delay
    except OverflowError:
        return last
    too_late = schedule.previous_date(oldest)
    return last if too_late is None else max(last, too_late)


class _Walk:
    """The cron's dates one after the other, in either direction, up to a bound."""

    def __init__(
        self, step: Callable[[datetime], datetime | None], start: datetime, bound: datetime
    ) -> None:
        self._step = step
        self._at = start
        self._backward = bound < start
        self._bound = bound
        self.given_up = False
        """Whether there were more dates than are looked at in one search."""

    def __iter__(self) -> Iterator[datetime]:
        for _ in range(_MOST_LOOKED_AT):
            date = self._step(self._at)
            if date is None or (date <= self._bound if self._backward else date > self._bound):
                return
            self._at = date
            yield date
        self.given_up = True

    def leave_day(self, local: datetime) -> None:
        """Go on with the next day of a date's zone, or with the one before."""
        day = local.date() if self._backward else local.date() + timedelta(days=1)
        edge = datetime.combine(day, time(), local.tzinfo).astimezone(UTC)
        self._at = edge if self._backward else edge - timedelta(microseconds=1)


def _forward(schedule: Schedule, after: datetime, until: datetime) -> _Walk:
    return _Walk(schedule.next_date, after, max(after, until))


def _backward(schedule: Schedule, before: datetime, down_to: datetime) -> _Walk:
    return _Walk(schedule.previous_date, before.replace(microsecond=0), down_to)


def _first(schedule: Schedule, dates: _Walk, context: Context) -> _Found:
    """The first of the dates that is due."""
    looked = None
    for date in dates:
        looked = date
        local = date.astimezone(schedule.zone)
        text = {"date": _text(schedule, date)}
        seen = replace(context.seeing(trigger=text, schedule=text), date=local)
        try:
            refusal = next((item for item in schedule.gates if not item.holds(seen)), None)
            if refusal is None and seen.when(schedule.when):
                return _Found(date, looked)
        except ConditionError as error:
            return _Found(date, looked, str(error))
        if refusal is not None and refusal.by_day():
            dates.leave_day(local)
    return _Found(None, looked)
