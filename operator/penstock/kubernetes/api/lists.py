"""How many objects a list asks for at once, so that no answer takes much memory.

An object may be a few hundred bytes or a megabyte and a half, whoever made it; the API server
counts objects. So a list begins with few, asks for as many more as the mean of the last page says,
and breaks off an answer that is too large all the same, to ask for fewer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MOST_BYTES = 8 * 1024 * 1024
"""The most bytes of a page: of text, which takes several times as much once it is read. A page of
one object may be larger."""
_USUAL_BYTES = 2 * 1024 * 1024
"""The bytes that a page should have."""
_FIRST = 50
_MOST = 500
_GROWTH = 4
"""How many times more objects than in the last page are asked for: the next ones may be larger."""
_SHRINKING = 8
"""How many times fewer are asked for after a page that was too large."""


class PageTooLarge(Exception):
    """An answer has more bytes than a page may have; the rest of it was not read."""


@dataclass(frozen=True)
class Page:
    """Some objects of a kind as they were at one moment."""

    items: list[dict[str, Any]]
    version: str
    """The resourceVersion of that moment: whatever has a newer one, the list does not know of."""
    is_first: bool
    """Whether the list begins. It may do so once more: what came before does not count then."""


@dataclass
class PageSize:
    """The size of the next page, for one list."""

    limit: int = field(default=_FIRST)
    """How many objects to ask for."""

    @property
    def most_bytes(self) -> int | None:
        """The bytes after which the answer is broken off; None where nothing smaller can be asked
        for."""
        return MOST_BYTES if self.limit > 1 else None

    def took(self, objects: int, size: int) -> None:
        """Take in how large a page was."""
        mean = max(size // max(objects, 1), 1)
        self.limit = max(1, min(_USUAL_BYTES // mean, self.limit * _GROWTH, _MOST))

    def was_too_large(self) -> None:
        """Take in that a page was too large."""
        self.limit = max(1, self.limit // _SHRINKING)
