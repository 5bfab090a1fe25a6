"""Dates to the nanosecond, as Java has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from penstock.expressions.errors import ExpressionError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ExactDate:
    """A date with the nanoseconds that Python's dates do not have."""

    date: datetime
    nanos: int = 0
    """The nanoseconds below the microsecond, 0 to 999."""

    @property
    def epoch_nanos(self) -> int:
        """The date as nanoseconds since 1970."""
        return (self.date - EPOCH) // timedelta(microseconds=1) * 1000 + self.nanos

    def within(self, into: tzinfo) -> ExactDate:
        """This instant in another zone. Raises ``ExpressionError`` outside of years 1–9999."""
        try:
            return ExactDate(self.date.astimezone(into), self.nanos)
        except (OverflowError, ValueError):
            raise ExpressionError("the date leaves the years 1 to 9999") from None
