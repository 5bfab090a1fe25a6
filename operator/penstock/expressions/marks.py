"""The marks that stand for values which are not known where a template is rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.expressions.errors import ExpressionError
from penstock.expressions.values import Entry


@dataclass
class Opaque:
    """The marks of one rendering."""

    mark: str
    """The text with which every mark begins; it stands nowhere else."""
    used: bool = False
    """Whether the template wanted to know what a mark stands for."""

    def holds(self, value: Any) -> bool:
        """Whether a mark stands anywhere in a value."""
        if isinstance(value, str):
            return self.mark in value
        if isinstance(value, Mapping):
            return any(self.holds(key) or self.holds(item) for key, item in value.items())
        if isinstance(value, list | tuple | set | frozenset):
            return any(self.holds(item) for item in value)
        return isinstance(value, Entry) and (self.holds(value.key) or self.holds(value.value))

    def refuse(self, *values: Any) -> None:
        """Raise where one of the values has to be known."""
        if any(self.holds(value) for value in values):
            self.used = True
            raise ExpressionError("a value that is not known here would have to be looked at")
