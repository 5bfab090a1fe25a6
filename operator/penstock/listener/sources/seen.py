"""What a trigger remembers of objects: which it has seen, and which batch is under way.

The memory of a trigger has a bound, so an object is eight bytes in it: five tell its name, three
its version. The batch stands there before it is handed over; whatever ends the listener meanwhile,
the same objects are delivered once more under the same key, and are one Execution.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

MOST_SEEN = 5_000
"""How many objects a trigger can remember."""
_NAME, _VERSION = 5, 3


@dataclass(frozen=True)
class Found:
    """An object that is there."""

    name: str
    """The key or path of the object, which no other has."""
    version: str
    """What is another one when the object changes."""
    modified: datetime
    variables: Mapping[str, Any]
    """What expressions see of it."""
    size: int = 0
    """How many bytes the object has."""
    matched: str = ""
    """What a pattern of the trigger is compared with; its name where this is empty."""

    @property
    def mark(self) -> bytes:
        """What is remembered of it."""
        named = hashlib.blake2b(self.name.encode(), digest_size=_NAME).digest()
        text = f"{self.name}\n{self.version}\n{self.modified.isoformat()}"
        return named + hashlib.blake2b(text.encode(), digest_size=_VERSION).digest()


@dataclass(frozen=True)
class Batch:
    """Objects that become one Execution."""

    key: str
    marks: frozenset[bytes]


@dataclass(frozen=True)
class Memory:
    """What a trigger remembers."""

    seen: frozenset[bytes] = frozenset()
    batch: Batch | None = None

    @classmethod
    def of(cls, cursor: Any) -> Memory:
        """Read what was remembered; nothing where it can't be read."""
        if not isinstance(cursor, Mapping):
            return cls()
        under_way = cursor.get("batch")
        batch = None
        if isinstance(under_way, Mapping):
            batch = Batch(str(under_way.get("key")), frozenset(_unpacked(under_way.get("of"))))
        return cls(frozenset(_unpacked(cursor.get("seen"))), batch)

    @cached_property
    def _names(self) -> frozenset[bytes]:
        return frozenset(mark[:_NAME] for mark in self.seen)

    def change_of(self, found: Found) -> str | None:
        """Whether an object is new (`CREATE`), changed (`UPDATE`), or known as it is (None)."""
        mark = found.mark
        if mark in self.seen:
            return None
        return "UPDATE" if mark[:_NAME] in self._names else "CREATE"

    def with_batch(self, batch: Batch) -> Memory:
        """Remember that a batch is under way."""
        return replace(self, batch=batch)

    def with_seen(
        self, objects: Iterable[Found], waiting: Container[str], *, is_whole: bool
    ) -> Memory:
        """Remember these objects as they are, but for those of some names, which keep waiting. What
        is not among them is forgotten, if they are all that there is."""
        marks = {found.mark for found in objects if found.name not in waiting}
        names = {mark[:_NAME] for mark in marks}
        waits = {found.mark[:_NAME] for found in objects if found.name in waiting}
        kept = {
            mark
            for mark in self.seen
            if mark[:_NAME] in waits or (not is_whole and mark[:_NAME] not in names)
        }
        return Memory(frozenset(marks | kept))

    def cursor(self) -> dict[str, Any] | None:
        """Give it in JSON's types; None where nothing is remembered."""
        told: dict[str, Any] = {}
        if self.seen:
            told["seen"] = _packed(self.seen)
        if self.batch is not None:
            told["batch"] = {"key": self.batch.key, "of": _packed(self.batch.marks)}
        return told or None


def batch_of(taken: Sequence[Found]) -> Batch:
    """The batch of objects. Its key names the first, and follows from all of them."""
    marks = frozenset(found.mark for found in taken)
    text = "\n".join(
        sorted(f"{found.name} {found.version} {found.modified.isoformat()}" for found in taken)
    )
    digest = hashlib.sha256(text.encode()).hexdigest()[:24]
    others = f"+{len(taken) - 1}" if len(taken) > 1 else ""
    return Batch(f"{taken[0].name[-100:]}{others}@{digest}", marks)


def _packed(marks: Iterable[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(marks))).decode()


def _unpacked(text: Any) -> Iterable[bytes]:
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        return ()
    size = _NAME + _VERSION
    return (data[at : at + size] for at in range(0, len(data) - size + 1, size))
