"""How much memory the answers take that executions decide with, and each tenant's share of it."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

IN_ALL = 96 * 1024 * 1024
OF_TENANT = 48 * 1024 * 1024


class HeldAnswers:
    """Counts the bytes of what was fetched for expressions and is not decided with yet.

    A tenant holds as much as its bound, and where the executions of many hold much, each may hold
    an equal part of all. So no tenant is refused for what others hold, unless it has its part.
    """

    def __init__(self, in_all: int = IN_ALL, of_tenant: int = OF_TENANT) -> None:
        self._in_all = in_all
        self._of_tenant = of_tenant
        self._held = Counter[str]()

    def take(self, tenant: str, size: int) -> bool:
        """Let a tenant hold so many bytes more. Tells whether it may."""
        held, part = self._held[tenant] + size, self._of_tenant
        if self._held.total() + size > self._in_all:
            part = min(part, self._in_all // len(self._held.keys() | {tenant}))
        if held > part:
            return False
        self._held[tenant] = held
        return True

    def give_back(self, tenant: str, size: int) -> None:
        """Take in that a tenant does not hold so many bytes any more."""
        self._held[tenant] -= size
        if not self._held[tenant]:
            del self._held[tenant]


def size_of(value: Any) -> int:
    """Tell how many bytes a value takes that was read from JSON or a text."""
    found, values = 0, [value]
    while values:
        item = values.pop()
        found += sys.getsizeof(item)
        if isinstance(item, dict):
            values += (*item, *item.values())
        elif isinstance(item, list):
            values += item
    return found
