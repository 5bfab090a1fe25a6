"""What all conditions have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from penstock.flow.model import Document
from penstock.flow.problems import Location
from penstock.triggers.evaluation import ConditionError, Context, Upstream


class Condition(Document):
    """One condition of a trigger."""

    name: ClassVar[str]
    """The last part of the type's name."""
    aliases: ClassVar[Sequence[str]] = ()
    """Other full names, beside those that every condition has."""
    for_schedules: ClassVar[bool] = False
    """Whether it says something of a due time; a schedule passes over the others."""
    replaced_by: ClassVar[str | None] = None
    """What to use in its place, where the type is deprecated."""
    not_served: ClassVar[str | None] = None
    """Why Penstock can't tell whether it holds."""

    type: str
    """The type of the condition."""

    def holds(self, context: Context) -> bool:
        """Whether it is true. Raises ``ConditionError`` where that can't be told."""
        raise NotImplementedError

    def by_day(self) -> bool:
        """Whether the answer for a due time is the same for the whole of its day."""
        return False

    def settled(self) -> bool:
        """Whether the answer for a due time is known long before: nothing else can change it."""
        return False

    def walk(self, at: Location) -> Iterator[tuple[Location, Condition]]:
        """Yield the condition and those in it, with their places."""
        yield at, self

    def deprecated(self) -> Iterator[tuple[Location, str]]:
        """What is written in an old way, each with what to write in its place."""
        if self.replaced_by is not None:
            yield ("type",), self.replaced_by
        elif self.type.lower() != f"io.kestra.plugin.core.condition.{self.name}".lower():
            yield ("type",), f"use `io.kestra.plugin.core.condition.{self.name}`"


def upstream_of(condition: Condition, context: Context) -> Upstream:
    """The execution that a condition asks about; only a Flow trigger has one."""
    if context.upstream is None:
        raise ConditionError(f"`{condition.name}` needs an execution: only a Flow trigger has one")
    return context.upstream
