"""The condition that a date is a public holiday."""

from __future__ import annotations

from datetime import date as day
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from penstock.expressions.dates.holidays import is_public_holiday
from penstock.flow.model import is_expression
from penstock.triggers.conditions.dates import DateCondition
from penstock.triggers.evaluation import ConditionError, Context

_A_DATE = day(2025, 1, 1)
"""The date by which it is told whether there is such a calendar."""


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
            is_public_holiday(_A_DATE, self.country, self.sub_division)
        return self

    def settled(self) -> bool:
        written = is_expression(self.country) or is_expression(self.sub_division)
        return super().settled() and not written

    def holds(self, context: Context) -> bool:
        date = self.moment(context).date()
        part = None if self.sub_division is None else str(context.value(self.sub_division))
        try:
            return is_public_holiday(date, str(context.value(self.country)), part)
        except ValueError as error:
            raise ConditionError(str(error)) from None
