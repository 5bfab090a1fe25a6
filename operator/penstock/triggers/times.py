"""Dates, times of day and zones as properties of triggers write them."""

from __future__ import annotations

from datetime import UTC, datetime, time, tzinfo
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from penstock.expressions import ExpressionError
from penstock.expressions.dates.moments import to_moment
from penstock.expressions.dates.names import names
from penstock.expressions.dates.zones import zone


def read_moment(value: Any) -> datetime:
    """An ISO date-time; UTC where it has no offset. Raises ``ExpressionError``."""
    return to_moment(value, UTC, None, names(None))


def read_zone(name: str) -> tzinfo:
    """The zone of a `timezone` property. Raises ``ValueError`` with words for its author."""
    try:
        return zone(name)
    except ExpressionError as error:
        raise ValueError(f"timezone '({name})' is not a valid time-zone ID: {error}") from None


def _moment(value: Any) -> datetime:
    try:
        return read_moment(value)
    except ExpressionError:
        reason = "`{value}` is not a date-time; write for example 2025-12-31T23:59:59Z"
        raise PydanticCustomError("date_time", reason, {"value": str(value)}) from None


def _time(value: Any) -> time:
    if isinstance(value, time):
        return value
    try:
        return time.fromisoformat(value)
    except (TypeError, ValueError):
        reason = "`{value}` is not a time of day; write for example 09:00:00 or 09:00:00+01:00"
        raise PydanticCustomError("time", reason, {"value": str(value)}) from None


Moment = Annotated[datetime, BeforeValidator(_moment)]
TimeOfDay = Annotated[time, BeforeValidator(_time)]
