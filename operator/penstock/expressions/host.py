"""What a rendering gets from outside: the clock, random numbers, and functions that read
something."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from penstock.expressions.marks import Opaque


class NotLoaded(BaseException):
    """A host function needs something that the caller of the rendering has to fetch first.

    It is no failure, and so no ``Exception``: neither ``??`` nor anything between the function and
    the caller that fetches may take it for one. After the fetch the template is rendered anew.
    """

    def __init__(self, wanted: Hashable) -> None:
        super().__init__(wanted)
        self.wanted = wanted


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Host:
    """The surroundings of one rendering.

    Everything that is not computed from the variables comes from here, so that the same call
    gives the same result: ``random`` is seeded by the caller, and ``functions`` holds those that
    read something (``secret``, ``kv``, ``read`` …). A host function takes the arguments as they
    were written, positional and named; it takes precedence over a built-in of the same name.
    """

    now: Callable[[], datetime] = _now
    zone: str = "UTC"
    random: random.Random = field(default_factory=random.Random)
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    opaque: Opaque | None = None
    """The marks of values that are not known here, where there may be any."""
