"""Windows of time: in which one a date lies, and what is no window."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from penstock.triggers.windows import Span, TimeWindow, Window, aligned
from tests.unit.triggers.context import at


def read(model: type[TimeWindow] | type[Window], text: str) -> TimeWindow | Window:
    return model.model_validate(yaml.load(f"{{{text}}}", yaml.BaseLoader), context={})


def written(span: Span | None) -> str | None:
    """`06 09:00 - 07 09:00`, or None for no window."""
    if span is None:
        return None
    return " - ".join("" if date is None else f"{utc(date):%d %H:%M}" for date in _sides(span))


def _sides(span: Span) -> tuple[datetime | None, datetime | None]:
    return span.start, span.end


def utc(date: datetime) -> datetime:
    return date.astimezone(at("2025-01-01").tzinfo)


DAILY = "type: DAILY_TIME_WINDOW, startTime: '06:00:00', endTime: '12:00:00'"
NIGHTLY = "type: DAILY_TIME_WINDOW, startTime: '22:00:00', endTime: '04:00:00'"
DEADLINE = "type: DAILY_TIME_DEADLINE, deadline: '09:00:00'"


@pytest.mark.parametrize(
    ("model", "text", "date", "expected"),
    [
        (TimeWindow, "", "2025-01-06T13:10", "06 00:00 - 07 00:00"),
        (TimeWindow, "window: PT1H", "2025-01-06T13:10", "06 13:00 - 06 14:00"),
        (TimeWindow, "window: PT10M", "2025-01-06T13:10", "06 13:10 - 06 13:20"),
        (TimeWindow, "window: PT6H, windowAdvance: PT3H", "2025-01-06T13:10",
         "06 09:00 - 06 15:00"),
        (TimeWindow, "window: PT6H, windowAdvance: PT3H", "2025-01-06T01:00",
         "05 21:00 - 06 03:00"),
        (TimeWindow, "window: PT7H", "2025-01-06T22:00", "06 21:00 - 07 00:00"),
        (TimeWindow, "window: P7D", "2025-01-08T22:00", "06 00:00 - 13 00:00"),
        (TimeWindow, "type: SLIDING_WINDOW", "2025-01-06T13:10", "05 13:10 - "),
        (TimeWindow, "type: SLIDING_WINDOW, window: PT1H", "2025-01-06T13:10", "06 12:10 - "),
        (TimeWindow, DAILY, "2025-01-06T06:00", "06 06:00 - 06 12:00"),
        (TimeWindow, DAILY, "2025-01-06T12:00", None),
        (TimeWindow, DAILY, "2025-01-06T05:59", None),
        (TimeWindow, NIGHTLY, "2025-01-06T23:00", "06 22:00 - 07 04:00"),
        (TimeWindow, NIGHTLY, "2025-01-06T03:00", "05 22:00 - 06 04:00"),
        (TimeWindow, NIGHTLY, "2025-01-06T05:00", None),
        (TimeWindow, DEADLINE, "2025-01-06T08:59", "06 00:00 - 06 09:00"),
        (TimeWindow, DEADLINE, "2025-01-06T09:00", None),
        (Window, "deadline: '09:00:00'", "2025-01-06T08:59", "06 00:00 - 06 09:00"),
        (Window, "deadline: '09:00:00+01:00'", "2025-01-05T23:30", "05 23:00 - 06 08:00"),
        (Window, "deadline: '09:00:00+01:00'", "2025-01-06T08:30", None),
        (Window, "from: '06:00:00', to: '12:00:00'", "2025-01-06T07:00", "06 06:00 - 06 12:00"),
        (Window, "every: P1D, offset: PT6H", "2025-01-06T05:00", "05 06:00 - 06 06:00"),
        (Window, "every: PT1H", "2025-01-06T05:10", "06 05:00 - 06 06:00"),
        (Window, "lookback: PT1H", "2025-01-06T05:10", "06 04:10 - "),
    ],
)  # fmt: skip
def test_the_window_of_a_date(
    model: type[TimeWindow] | type[Window], text: str, date: str, expected: str | None
) -> None:
    assert written(read(model, text).around(at(date))) == expected


_TYPES = {
    "DURATION_WINDOW": "",
    "SLIDING_WINDOW": "",
    "DAILY_TIME_WINDOW": "startTime: '06:00', endTime: '12:00'",
    "DAILY_TIME_DEADLINE": "deadline: '09:00'",
}


@pytest.mark.parametrize(
    ("kind", "more", "words"),
    [
        ("DAILY_TIME_WINDOW", "window: P1D", "cannot have a window."),
        ("DAILY_TIME_DEADLINE", "window: P1D", "cannot have a window."),
        ("SLIDING_WINDOW", "windowAdvance: PT1H", "cannot have a window advance."),
        ("DURATION_WINDOW", "startTime: '09:00'", "cannot have a start time."),
        ("DURATION_WINDOW", "endTime: '09:00'", "cannot have an end time."),
        ("SLIDING_WINDOW", "deadline: '09:00'", "cannot have a deadline."),
    ],
)
def test_a_time_window_has_what_belongs_to_its_type(kind: str, more: str, words: str) -> None:
    own = ", ".join(part for part in (f"type: {kind}", _TYPES[kind], more) if part)
    with pytest.raises(ValidationError) as refused:
        read(TimeWindow, own)
    assert f"Time window of type `{kind}` {words}" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("type: DAILY_TIME_DEADLINE", "must have a deadline."),
        ("type: DAILY_TIME_WINDOW, endTime: '09:00'", "must have a start time."),
        ("type: DAILY_TIME_WINDOW, startTime: '09:00'", "must have an end time."),
        ("window: PT0S", "`window` must be longer than nothing"),
        ("window: 1 day", "is not an ISO-8601 duration"),
        ("type: DAILY_TIME_DEADLINE, deadline: noon", "`noon` is not a time of day"),
    ],
)
def test_what_is_no_time_window(text: str, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(TimeWindow, text)
    assert words in str(refused.value)


ONE = "a window has exactly one of `deadline`, `from` and `to`, `every`, `lookback`"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ONE),
        ("fireOnce: 'true'", ONE),
        ("deadline: '09:00', lookback: PT1H", f"{ONE}, not `deadline` with `lookback`"),
        ("every: P1D, from: '09:00'", ONE),
        ("from: '09:00'", "a window has `from` and `to` together"),
        ("offset: PT1H", "`offset` goes with `every`"),
        ("every: PT0S", "`every` must be longer than nothing"),
        ("until: '09:00'", "unknown property `until`"),
    ],
)
def test_what_is_no_window(text: str, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(Window, text)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "now", "last", "following"),
    [
        ("deadline: '09:00:00'", "2025-01-06T08:00", "05 00:00 - 05 09:00", "06 09:00"),
        ("deadline: '09:00:00'", "2025-01-06T09:00", "06 00:00 - 06 09:00", "07 09:00"),
        ("deadline: '09:00:00+01:00'", "2025-01-06T08:30", "05 23:00 - 06 08:00", "07 08:00"),
        ("from: '22:00', to: '04:00'", "2025-01-06T03:00", "04 22:00 - 05 04:00", "06 04:00"),
        ("every: P1D, offset: PT6H", "2025-01-06T05:00", "04 06:00 - 05 06:00", "06 06:00"),
    ],
)
def test_when_windows_end(text: str, now: str, last: str, following: str) -> None:
    window: Any = read(Window, text)
    assert written(window.last_ended(at(now))) == last
    assert f"{utc(window.next_end(at(now))):%d %H:%M}" == following


def test_a_lookback_never_ends() -> None:
    window: Any = read(Window, "lookback: PT1H")
    assert (window.last_ended(at("2025-01-06")), window.next_end(at("2025-01-06"))) == (None, None)


_DATES = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001
    lambda date: at(date.isoformat())
)
_SIZES = st.integers(1, 10_000).map(lambda minutes: timedelta(minutes=minutes))


@given(_DATES, _SIZES, st.integers(0, 3000).map(lambda minutes: timedelta(minutes=minutes)))
def test_windows_follow_each_other_without_gap(
    date: datetime, size: timedelta, shift: timedelta
) -> None:
    span = aligned(date, size, shift)
    assert date in span
    assert span.end is not None
    assert span.start is not None
    assert span.end - span.start <= size
    assert aligned(span.end, size, shift).start == span.end
    assert aligned(span.start, size, shift) == span
