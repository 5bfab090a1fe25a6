"""Conditions made of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from penstock.flow.model import Duration
from penstock.flow.problems import Location
from penstock.triggers.conditions.model import Condition
from penstock.triggers.conditions.reading import AnyCondition
from penstock.triggers.evaluation import ConditionError, Context
from penstock.triggers.windows import TimeWindow


class _Combined(Condition):
    for_schedules: ClassVar[bool] = True

    conditions: Annotated[list[AnyCondition], Field(min_length=1)]

    def by_day(self) -> bool:
        return all(condition.by_day() for condition in self.conditions)

    def settled(self) -> bool:
        return all(condition.settled() for condition in self.conditions)

    def walk(self, at: Location) -> Iterator[tuple[Location, Condition]]:
        yield at, self
        for index, condition in enumerate(self.conditions):
            yield from condition.walk((*at, "conditions", index))


class Not(_Combined):
    """Not one of the conditions is true."""

    name: ClassVar[str] = "Not"

    def holds(self, context: Context) -> bool:
        return not any(condition.holds(context) for condition in self.conditions)


class Or(_Combined):
    """One of the conditions is true."""

    name: ClassVar[str] = "Or"

    def holds(self, context: Context) -> bool:
        return any(condition.holds(context) for condition in self.conditions)


class MultipleCondition(Condition):
    """All of the named conditions were met in a window of time, by one execution or several.

    It has a memory, so it can't be told by one look: a Flow trigger keeps it with its own.
    """

    name: ClassVar[str] = "MultipleCondition"
    aliases = ("io.kestra.core.models.conditions.types.MultipleCondition",)
    replaced_by: ClassVar[str | None] = "use `preconditions` of the trigger"

    id: str
    conditions: Annotated[dict[str, AnyCondition], Field(min_length=1)]
    time_window: TimeWindow | None = None
    reset_on_success: bool = True
    """Whether all of them have to be met anew after the trigger fired."""
    window: Duration | None = None
    """The older way to say `timeWindow.window`."""
    window_advance: Duration | None = None
    """The older way to say `timeWindow.windowAdvance`."""

    @model_validator(mode="after")
    def _no_memory_in_memory(self) -> Self:
        for _, condition in self.walk(()):
            if condition is not self and isinstance(condition, MultipleCondition):
                raise ValueError("a MultipleCondition can't stand in another one")
        return self

    def holds(self, context: Context) -> bool:
        raise ConditionError("MultipleCondition can only stand at the top of a Flow trigger")

    def effective_window(self) -> TimeWindow:
        """The window of time, however it is written."""
        if self.time_window is not None:
            return self.time_window
        return TimeWindow(window=self.window, window_advance=self.window_advance)

    def walk(self, at: Location) -> Iterator[tuple[Location, Condition]]:
        yield at, self
        for key, condition in self.conditions.items():
            yield from condition.walk((*at, "conditions", key))

    def deprecated(self) -> Iterator[tuple[Location, str]]:
        yield from super().deprecated()
        if self.window is not None:
            yield ("window",), "use `timeWindow.window`"
        if self.window_advance is not None:
            yield ("windowAdvance",), "use `timeWindow.windowAdvance`"
