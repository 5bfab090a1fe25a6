"""The constraints on the values of an input: patterns, and the order of its type."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any

import regex

from penstock.flow.model import parse_duration
from penstock.flow.patterns import too_large


@lru_cache(maxsize=500)
def compiled(pattern: str) -> regex.Pattern[str]:
    """Compile a pattern as a flow has it. Raises ``ValueError``."""
    problem = too_large(pattern)
    if problem is not None:
        raise ValueError(f"invalid pattern [{pattern[:100]}]: {problem}")
    try:
        return regex.compile(pattern)
    except regex.error:
        raise ValueError(f"invalid pattern [{pattern}]") from None


def comparable(kind: str) -> Callable[[Any], Any] | None:
    """The function that orders the values of a type; None for types without an order."""
    orders: dict[str, Callable[[Any], Any]] = {
        "INT": int,
        "FLOAT": float,
        "DURATION": parse_duration,
        "DATETIME": _instant,
        "DATE": date.fromisoformat,
        "TIME": _time_of_day,
    }
    return orders.get(kind)


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _time_of_day(text: str) -> time:
    moment = time.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
