"""Windows of time in which what a Flow trigger waits for must happen.

Two ways to write the same windows: `timeWindow` of Kestra 1.x and `window` of 2.0. A time of day
without offset is in UTC, so that a window does not depend on where the controller runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from datetime import date as date_
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from penstock.flow.model import Document, Duration
from penstock.triggers.times import TimeOfDay

_DAY = timedelta(days=1)
_A_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Span:
    """The time from an instant up to, and without, another. An open side is None."""

    start: datetime | None
    end: datetime | None

    def __contains__(self, date: datetime) -> bool:
        return (self.start is None or self.start <= date) and (self.end is None or date < self.end)


EVER = Span(None, None)


def aligned(date: datetime, size: timedelta, shift: timedelta = timedelta()) -> Span:
    """The window of a fixed size around a date.

    Windows of up to a day are counted from midnight (moved by `shift`), longer ones from a Monday,
    so that those of a week are weeks.
    """
    shifted = date.astimezone(UTC) - shift
    if size > _DAY:
        origin = _A_MONDAY
        latest_end = None
    else:
        origin = shifted.replace(hour=0, minute=0, second=0, microsecond=0)
        latest_end = origin + _DAY
    start = origin + (shifted - origin) // size * size
    end = start + size if latest_end is None else min(start + size, latest_end)
    return Span(start + shift, end + shift)


def of_day(date: datetime, begin: time, end: time) -> Span | None:
    """The window between two times of day that holds a date; None where none does.

    One whose end is not after its begin goes over midnight.
    """
    local = date.astimezone(begin.tzinfo or UTC).date()
    near = (_between(local + timedelta(days=days), begin, end) for days in (0, -1))
    return next((span for span in near if date in span), None)


def _between(day: date_, begin: time, end: time) -> Span:
    start = datetime.combine(day, begin, begin.tzinfo or UTC)
    stop = datetime.combine(day, end, end.tzinfo or begin.tzinfo or UTC)
    return Span(start, stop if stop > start else stop + _DAY)


def until(date: datetime, deadline: time) -> Span | None:
    """The span from midnight to a time of the day; None after it."""
    return of_day(date, time(tzinfo=deadline.tzinfo), deadline)


class TimeWindow(Document):
    """`timeWindow` of Kestra 1.x."""

    type: Literal[
        "DURATION_WINDOW", "SLIDING_WINDOW", "DAILY_TIME_WINDOW", "DAILY_TIME_DEADLINE"
    ] = "DURATION_WINDOW"
    """How the window is told."""
    window: Duration | None = None
    """How long the window is; a day where it is not given."""
    window_advance: Duration | None = None
    """How much later than midnight windows begin."""
    start_time: TimeOfDay | None = None
    """When a DAILY_TIME_WINDOW begins."""
    end_time: TimeOfDay | None = None
    """When a DAILY_TIME_WINDOW ends."""
    deadline: TimeOfDay | None = None
    """When a DAILY_TIME_DEADLINE is."""

    _WORDS: ClassVar[Mapping[str, str]] = {
        "window": "a window",
        "window_advance": "a window advance",
        "start_time": "a start time",
        "end_time": "an end time",
        "deadline": "a deadline",
    }
    _MAY: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "DURATION_WINDOW": ("window", "window_advance"),
        "SLIDING_WINDOW": ("window",),
        "DAILY_TIME_WINDOW": ("start_time", "end_time"),
        "DAILY_TIME_DEADLINE": ("deadline",),
    }

    @model_validator(mode="after")
    def _of_its_type(self) -> Self:
        may = self._MAY[self.type]
        for name, words in self._WORDS.items():
            given = getattr(self, name) is not None
            if given and name not in may:
                raise ValueError(f"Time window of type `{self.type}` cannot have {words}.")
            if not given and name in may and self.type.startswith("DAILY"):
                raise ValueError(f"Time window of type `{self.type}` must have {words}.")
        if self.window is not None and self.window <= timedelta():
            raise ValueError("`window` must be longer than nothing")
        return self

    def around(self, date: datetime) -> Span | None:
        """The window in which a date lies; None where it lies in none."""
        size = self.window or _DAY
        if self.type == "SLIDING_WINDOW":
            return Span(date - size, None)
        if self.type == "DAILY_TIME_WINDOW":
            assert self.start_time is not None
            assert self.end_time is not None
            return of_day(date, self.start_time, self.end_time)
        if self.type == "DAILY_TIME_DEADLINE":
            assert self.deadline is not None
            return until(date, self.deadline)
        return aligned(date, size, self.window_advance or timedelta())


class Window(Document):
    """`window` of Kestra 2.0: one of four ways to say it."""

    deadline: TimeOfDay | None = None
    """The end of a window that begins at midnight of each day."""
    from_: Annotated[TimeOfDay | None, Field(alias="from")] = None
    """The begin of a window that ends at `to` of each day."""
    to: TimeOfDay | None = None
    """The end of a window that begins at `from` of each day."""
    every: Duration | None = None
    """Windows of this size, one after the other."""
    offset: Duration | None = None
    """How much later than midnight windows of `every` begin."""
    lookback: Duration | None = None
    """How far a window reaches back from the newest execution."""
    fire_once: bool = False
    """Whether the trigger fires only once in a window."""

    @model_validator(mode="after")
    def _one_group(self) -> Self:
        groups = {
            "`deadline`": self.deadline is not None,
            "`from` and `to`": self.from_ is not None or self.to is not None,
            "`every`": self.every is not None or self.offset is not None,
            "`lookback`": self.lookback is not None,
        }
        given = [name for name, present in groups.items() if present]
        if len(given) != 1:
            found = f", not {' with '.join(given)}" if given else ""
            raise ValueError(
                "a window has exactly one of `deadline`, `from` and `to`, `every`, `lookback`"
                + found
            )
        if (self.from_ is None) != (self.to is None):
            raise ValueError("a window has `from` and `to` together")
        if self.offset is not None and self.every is None:
            raise ValueError("`offset` goes with `every`")
        for name in ("every", "lookback"):
            size = getattr(self, name)
            if size is not None and size <= timedelta():
                raise ValueError(f"`{name}` must be longer than nothing")
        return self

    def around(self, date: datetime) -> Span | None:
        """The window in which a date lies; None where it lies in none."""
        if self.deadline is not None:
            return until(date, self.deadline)
        if self.from_ is not None and self.to is not None:
            return of_day(date, self.from_, self.to)
        if self.lookback is not None:
            return Span(date - self.lookback, None)
        assert self.every is not None
        return aligned(date, self.every, self.offset or timedelta())

    def last_ended(self, now: datetime) -> Span | None:
        """The newest window that is over; None for windows that never end."""
        over = [span for span in self._near(now) if span.end is not None and span.end <= now]
        return over[-1] if over else None

    def next_end(self, now: datetime) -> datetime | None:
        """When the next window will be over."""
        ends = (span.end for span in self._near(now))
        return next((end for end in ends if end is not None and end > now), None)

    def _near(self, now: datetime) -> list[Span]:
        """The windows before, around and after an instant, in order."""
        if self.every is not None:
            shift = self.offset or timedelta()
            current = aligned(now, self.every, shift)
            assert current.start is not None
            return [aligned(current.start - timedelta(microseconds=1), self.every, shift), current]
        begin, end = self.from_ or self.deadline, self.to or self.deadline
        if begin is None or end is None:
            return []
        if self.deadline is not None:
            begin = time(tzinfo=self.deadline.tzinfo)
        local = now.astimezone(begin.tzinfo or UTC).date()
        days = (local + timedelta(days=days) for days in (-2, -1, 0, 1))
        return [_between(day, begin, end) for day in days]
