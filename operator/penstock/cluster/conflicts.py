"""Writes that are tried anew where somebody else wrote the object meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from penstock.kubernetes.api.client import ApiError

T = TypeVar("T")

_TRIES = 5


async def despite_conflicts(read_and_write: Callable[[], Awaitable[T]]) -> T:
    """Read an object and write it whole; again, where another write came in between."""
    for tries_left in reversed(range(_TRIES)):
        try:
            return await read_and_write()
        except ApiError as error:
            if not (error.conflict and tries_left):
                raise
    raise AssertionError("the last try returns or raises")
