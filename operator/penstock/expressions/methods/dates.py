"""Methods of dates: those of ``java.time`` that an expression has use for.

A date with a time is Java's ``ZonedDateTime`` (without a zone ``LocalDateTime``, in UTC
``Instant``), one without is ``LocalDate``. The variables of an execution hold dates as text, which
has the same methods if it is a date of ISO 8601.
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from penstock.expressions.dates import units
from penstock.expressions.dates.exact import ExactDate
from penstock.expressions.dates.moments import to_moment
from penstock.expressions.dates.names import names
from penstock.expressions.dates.zones import offset_text, zone, zone_id
from penstock.expressions.errors import ExpressionError
from penstock.expressions.methods.numbers import sign
from penstock.expressions.methods.table import Methods
from penstock.expressions.printing import scalar_text

if TYPE_CHECKING:
    from penstock.expressions.rendering import Rendering

DAY = Methods("dates")
"""Of dates with a time and without."""
MOMENT = Methods("dates")
"""Of dates with a time, beside those of DAY."""
CONSTANT = Methods("days of the week and months")

_BEGINNING = re.compile(r"\d{4}-\d\d-\d\d(?:T|$)", re.ASCII)
_DAY_ONLY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DayOfWeek(StrEnum):
    """Java's constants of the days: text wherever text is wanted, each with a number."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


class Month(StrEnum):
    """Java's constants of the months: text wherever text is wanted, each with a number."""

    JANUARY = "JANUARY"
    FEBRUARY = "FEBRUARY"
    MARCH = "MARCH"
    APRIL = "APRIL"
    MAY = "MAY"
    JUNE = "JUNE"
    JULY = "JULY"
    AUGUST = "AUGUST"
    SEPTEMBER = "SEPTEMBER"
    OCTOBER = "OCTOBER"
    NOVEMBER = "NOVEMBER"
    DECEMBER = "DECEMBER"


def read_date(run: Rendering, text: str) -> date | None:
    """The date that a text is, with or without a time, if it is one of ISO 8601."""
    if len(text) > 100 or not _BEGINNING.match(text):
        return None
    try:
        moment = _moment(run, text)
    except ExpressionError:
        return None
    return moment.date() if _DAY_ONLY.fullmatch(text) else moment


def _moment(run: Rendering, value: Any) -> datetime:
    """A date with a time and a zone, for comparing."""
    return to_moment(value, zone(run.host.zone), None, names(None))


def _all(value: DayOfWeek | Month) -> list[DayOfWeek] | list[Month]:
    return list(DayOfWeek) if isinstance(value, DayOfWeek) else list(Month)


def _ordinal(value: DayOfWeek | Month) -> int:
    return [item.value for item in _all(value)].index(value.value)


def _in_circle(run: Rendering, value: DayOfWeek | Month, count: int) -> DayOfWeek | Month:
    constants = _all(value)
    return constants[(_ordinal(value) + count) % len(constants)]


def _is_day(value: date) -> bool:
    return not isinstance(value, datetime)


def _moved(run: Rendering, value: date, amount: int, unit: str) -> date:
    """A date some time later. One without a zone is moved as if no clock were ever changed."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return units.add(ExactDate(value), amount, unit).date
    whole = value if isinstance(value, datetime) else datetime.combine(value, datetime.min.time())
    moved = units.add(ExactDate(whole.replace(tzinfo=UTC)), amount, unit).date.replace(tzinfo=None)
    return moved.date() if _is_day(value) else moved


def _with(run: Rendering, value: date, field: str, number: int) -> date:
    """A date with another year, month, day, hour …; the 31st becomes the last of a short month."""
    fields = {field: number}
    if field in ("year", "month"):
        year, month = fields.get("year", value.year), fields.get("month", value.month)
        if 1 <= month <= 12 and 1 <= year <= 9999:
            fields["day"] = min(value.day, monthrange(year, month)[1])
    try:
        return value.replace(**fields)
    except (ValueError, OverflowError) as error:
        raise ExpressionError(f"there is no such date: {error}") from None


def _compare(run: Rendering, value: date, other: Any) -> int:
    """The order of two dates as in Java: days by the difference of year, month or day, moments by
    -1, 0 or 1."""
    if _is_day(value):
        that = _moment(run, other)
        pairs = [(value.year, that.year), (value.month, that.month), (value.day, that.day)]
        return next((one - two for one, two in pairs if one != two), 0)
    return sign((_moment(run, value) - _moment(run, other)) // timedelta(microseconds=1))


def _equals(run: Rendering, value: date, other: Any) -> bool:
    if not isinstance(other, date) or _is_day(value) != _is_day(other):
        return False
    return scalar_text(value) == scalar_text(other)


def _micros(run: Rendering, value: date) -> int:
    return (_moment(run, value) - _EPOCH) // timedelta(microseconds=1)


def _local(run: Rendering, value: datetime) -> datetime:
    return value.replace(tzinfo=None)


# fmt: off
DAY.add_all([
    ("getYear()", "The year.", "inputs.date.getYear() → 2026", lambda run, value: value.year),
    ("getMonthValue()", "The month, from 1.", "inputs.date.getMonthValue() → 1",
     lambda run, value: value.month),
    ("getMonth()", "The name of the month.", "inputs.date.getMonth() → JANUARY",
     lambda run, value: list(Month)[value.month - 1]),
    ("getDayOfMonth()", "The day of the month.", "inputs.date.getDayOfMonth() → 15",
     lambda run, value: value.day),
    ("getDayOfYear()", "The day of the year, from 1.", "'2026-02-01'.getDayOfYear() → 32",
     lambda run, value: value.timetuple().tm_yday),
    ("getDayOfWeek()", "The name of the day.", "inputs.date.getDayOfWeek() → THURSDAY",
     lambda run, value: list(DayOfWeek)[value.weekday()]),
    ("lengthOfMonth()", "How many days its month has.", "'2028-02-01'.lengthOfMonth() → 29",
     lambda run, value: monthrange(value.year, value.month)[1]),
    ("lengthOfYear()", "How many days its year has.", "'2028-02-01'.lengthOfYear() → 366",
     lambda run, value: 366 if isleap(value.year) else 365),
    ("isLeapYear()", "Whether its year has 366 days.", "'2028-02-01'.isLeapYear() → true",
     lambda run, value: isleap(value.year)),
    ("withYear(year: int)", "With another year.",
     "inputs.date.withYear(2030).toLocalDate() → 2030-01-15",
     lambda run, value, number: _with(run, value, "year", number)),
    ("withMonth(month: int)", "With another month.",
     "inputs.date.withMonth(6).toLocalDate() → 2026-06-15",
     lambda run, value, number: _with(run, value, "month", number)),
    ("withDayOfMonth(day: int)", "With another day of the month.",
     "inputs.date.withDayOfMonth(1).toLocalDate() → 2026-01-01",
     lambda run, value, number: _with(run, value, "day", number)),
    ("isBefore(other: date)", "Whether it is earlier.", "inputs.date.isBefore(now()) → false",
     lambda run, value, other: _compare(run, value, other) < 0),
    ("isAfter(other: date)", "Whether it is later.",
     "inputs.date.isAfter('2026-01-01T00:00:00Z') → true",
     lambda run, value, other: _compare(run, value, other) > 0),
    ("isEqual(other: date)", "Whether it is the same moment, or day.",
     "inputs.date.isEqual('2026-01-15T11:30:00+01:00') → true",
     lambda run, value, other: _compare(run, value, other) == 0),
    ("compareTo(other: date)", "Below 0, 0 or above 0.",
     "inputs.date.toLocalDate().compareTo('2026-01-12') → 3", _compare),
    ("equals(other: any)", "Whether the other is the same date in the same zone.",
     "inputs.date.toLocalDate().equals(1) → false", _equals),
    ("toString()", "As Java writes it.", "inputs.date.toLocalDate().toString() → 2026-01-15",
     lambda run, value: scalar_text(value)),
])

MOMENT.add_all([
    ("getHour()", "The hour.", "inputs.date.getHour() → 10", lambda run, value: value.hour),
    ("getMinute()", "The minute.", "inputs.date.getMinute() → 30",
     lambda run, value: value.minute),
    ("getSecond()", "The second.", "inputs.date.getSecond() → 0",
     lambda run, value: value.second),
    ("getNano()", "The nanoseconds of the second.",
     "'2026-01-15T10:30:00.5Z'.getNano() → 500000000",
     lambda run, value: value.microsecond * 1000),
    ("getOffset()", "The offset of its zone at that time.", "inputs.date.getOffset() → Z",
     lambda run, value: offset_text(value, colon=True, zulu=True)),
    ("getZone()", "Its zone.", "'2026-01-15T10:30:00+01:00[Europe/Oslo]'.getZone() → Europe/Oslo",
     lambda run, value: zone_id(value)),
    ("withHour(hour: int)", "With another hour.", "inputs.date.withHour(6).getHour() → 6",
     lambda run, value, number: _with(run, value, "hour", number)),
    ("withMinute(minute: int)", "With another minute.", "inputs.date.withMinute(0) → "
     "2026-01-15T10:00:00Z", lambda run, value, number: _with(run, value, "minute", number)),
    ("withSecond(second: int)", "With another second.", "inputs.date.withSecond(9) → "
     "2026-01-15T10:30:09Z", lambda run, value, number: _with(run, value, "second", number)),
    ("withNano(nano: int)", "With other nanoseconds.", "inputs.date.withNano(0) → "
     "2026-01-15T10:30:00Z",
     lambda run, value, number: _with(run, value, "microsecond", number // 1000)),
    ("toEpochSecond()", "Seconds since 1970.", "inputs.date.toEpochSecond() → 1768473000",
     lambda run, value: _micros(run, value) // 1_000_000),
    ("getEpochSecond()", "Seconds since 1970.", "inputs.date.getEpochSecond() → 1768473000",
     lambda run, value: _micros(run, value) // 1_000_000),
    ("toEpochMilli()", "Milliseconds since 1970.", "inputs.date.toEpochMilli() → 1768473000000",
     lambda run, value: _micros(run, value) // 1_000),
    ("toInstant()", "The same moment in UTC.",
     "'2026-01-15T10:30:00+01:00'.toInstant() → 2026-01-15T09:30:00Z",
     lambda run, value: _moment(run, value).astimezone(UTC)),
    ("toLocalDate()", "Its date without the time.", "inputs.date.toLocalDate() → 2026-01-15",
     lambda run, value: value.date()),
    ("toLocalTime()", "Its time without the date, as text.",
     "inputs.date.toLocalTime() → 10:30",
     lambda run, value: scalar_text(_local(run, value)).partition("T")[2]),
    ("toLocalDateTime()", "Its date and time without the zone.",
     "inputs.date.toLocalDateTime() → 2026-01-15T10:30", _local),
])

CONSTANT.add_all([
    ("getValue()", "Its number: Monday and January are 1.",
     "inputs.date.getDayOfWeek().getValue() → 4", lambda run, value: _ordinal(value) + 1),
    ("ordinal()", "Its number, from 0.", "inputs.date.getMonth().ordinal() → 0",
     lambda run, value: _ordinal(value)),
    ("name()", "As text.", "inputs.date.getDayOfWeek().name() → THURSDAY",
     lambda run, value: value.value),
    ("plus(count: int)", "The one so many later, in a circle.",
     "inputs.date.getDayOfWeek().plus(4) → MONDAY", _in_circle),
    ("minus(count: int)", "The one so many earlier.",
     "inputs.date.getMonth().minus(1) → DECEMBER",
     lambda run, value, count: _in_circle(run, value, -count)),
    ("equals(other: any)", "Whether the other is the same.",
     "inputs.date.getMonth().equals('MAY') → false",
     lambda run, value, other: value.value == other),
    ("toString()", "As text.", "inputs.date.getMonth().toString() → JANUARY",
     lambda run, value: value.value),
])
# fmt: on


def _moving(unit: str, sign: int) -> Callable[..., date]:
    return lambda run, value, amount: _moved(run, value, sign * amount, unit)


for _methods, _units in ((DAY, ("years", "months", "weeks", "days")),
                         (MOMENT, ("hours", "minutes", "seconds", "nanos"))):  # fmt: skip
    for _unit in _units:
        for _sense, _sign_of, _word in (("plus", 1, "later"), ("minus", -1, "earlier")):
            _example = f"inputs.date.{_sense}{_unit.capitalize()}(0) → 2026-01-15T10:30:00Z"
            _methods.add(
                f"{_sense}{_unit.capitalize()}({_unit}: int)",
                f"So many {_unit if _unit != 'nanos' else 'nanoseconds'} {_word}.",
                _example,
                _moving(_unit.upper(), _sign_of),
            )
