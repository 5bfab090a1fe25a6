"""The condition that a date is a public holiday, by the calendars of the library `holidays`."""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import date as day
from functools import lru_cache
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from penstock.flow.model import is_expression
from penstock.triggers.conditions.dates import DateCondition
from penstock.triggers.evaluation import ConditionError, Context

_COUNTRY = re.compile(r"[A-Z]{2}")
_KEPT = 256
"""Years of calendars that are kept: each has some kilobytes."""
_YEAR = 2025
"""The year by which it is told whether there is such a calendar."""


class PublicHoliday(DateCondition):
    """The date is a public holiday of a country, or of a part of it."""

    name: ClassVar[str] = "PublicHoliday"

    country: Annotated[str, Field(max_length=500)]
    """The country, by its two letters in ISO 3166, such as `FR`; may be an expression."""
    sub_division: Annotated[str, Field(max_length=500)] | None = None
    """The part of the country, as ISO 3166-2 has it behind the dash: `BY` of `DE-BY`. May be an
    expression."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if not is_expression(self.country) and not is_expression(self.sub_division):
            _calendar(*_codes(self.country, self.sub_division), _YEAR)
        return self

    def settled(self) -> bool:
        written = is_expression(self.country) or is_expression(self.sub_division)
        return super().settled() and not written

    def holds(self, context: Context) -> bool:
        date = self.moment(context).date()
        part = None if self.sub_division is None else str(context.value(self.sub_division))
        try:
            codes = _codes(str(context.value(self.country)), part)
            return date in _calendar(*codes, date.year)
        except ValueError as error:
            raise ConditionError(str(error)) from None


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
