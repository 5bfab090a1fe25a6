"""Public holidays of a country, or of a part of it, by the calendars of the library `holidays`."""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import date as day
from functools import lru_cache

_COUNTRY = re.compile(r"[A-Z]{2}")
_KEPT = 256
"""Years of calendars that are kept: each has some kilobytes."""


def load_calendars() -> None:
    """Import the library, which takes a third of a second the first time."""
    import holidays  # noqa: F401


def is_public_holiday(date: day, country: str, part: str | None) -> bool:
    """Tell whether a date is a public holiday. Raises ``ValueError`` where there is no calendar of
    the country or of its part."""
    return date in _calendar(*_codes(country, part), date.year)


def _codes(country: str, part: str | None) -> tuple[str, str | None]:
    """Give the codes of a country and of its part as the library writes them. Raises
    ``ValueError`` where these can't be any."""
    code = country.strip().upper()
    if _COUNTRY.fullmatch(code) is None:
        raise ValueError(f"`{country[:20]}` is no country; write its two letters, such as `FR`")
    if part is None or not part.strip():
        return code, None
    return code, part.strip().upper().removeprefix(f"{code}-")


@lru_cache(_KEPT)
def _calendar(country: str, part: str | None, year: int) -> Container[day]:
    """Find the holidays of a year. Raises ``ValueError`` where there is no such calendar."""
    from holidays import country_holidays  # here: it takes a third of a second

    try:
        return frozenset(country_holidays(country, subdiv=part, years=year, expand=False))
    except NotImplementedError:
        where = country if part is None else f"{country}-{part}"
        raise ValueError(f"there is no calendar of holidays for `{where[:40]}`") from None
