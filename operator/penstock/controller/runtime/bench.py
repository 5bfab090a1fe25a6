"""Notes in a file what is being reconciled, so that whoever starts after a death knows of it.

An object that ends the process (by native code, or by memory) can't be caught in the process. What
it leaves is a line on the *bench*: a file of fixed slots in memory that is shared with the page
cache, which a process that dies does not lose. No call is made for a note, and nothing is synced.

At a start, what sits on the bench was being reconciled when the controller died, and is a
*suspect*. A suspect that sits there again at the next death was found twice in a row: it is
*quarantined*, and stays so in a second file. One that was reconciled meanwhile is none any more.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

logger = logging.getLogger(__name__)

DEATHS = 2
"""Deaths in a row at which an object is found until it is quarantined."""
_SLOT = 1024
_LENGTH = 2
"""Bytes at the begin of a slot that tell how long its note is: none where nobody sits there."""
_MOST_QUARANTINED = 1_000


@dataclass(frozen=True)
class Sitting:
    """An object that is being reconciled."""

    kind: str
    namespace: str
    name: str
    uid: str
    mark: str
    """What changes where the object may be tried again."""
    deaths: int = 0
    """How often in a row the controller has died before while it sat here."""


class Bench:
    """The file of those that are being reconciled, and the one of those that are quarantined."""

    def __init__(self, folder: Path, slots: int) -> None:
        """Take in what the controller before this one has left. Raises ``OSError``."""
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "bench"
        self._quarantine_file = folder / "quarantine.json"
        self.quarantined = {item.uid: item for item in _notes_of(_text(self._quarantine_file))}
        """The objects that are quarantined, by uid."""
        self._suspects: dict[str, Sitting] = {}
        for found in _sitting_in(self._file):
            self._take_in(replace(found, deaths=found.deaths + 1))
        self._save()
        self._file.write_bytes(bytes(slots * _SLOT))
        with self._file.open("r+b") as file:
            self._slots = mmap.mmap(file.fileno(), slots * _SLOT)
        self._free = list(range(slots))

    def is_suspect(self, uid: str) -> bool:
        """Whether the controller has died while it reconciled this one, and has not since."""
        return uid in self._suspects

    @contextmanager
    def sitting(self, who: Sitting) -> Iterator[None]:
        """Note an object for as long as it is reconciled. One that lives to the end of that is no
        suspect any more."""
        suspect = self._suspects.get(who.uid)
        noted = who if suspect is None else replace(who, deaths=suspect.deaths)
        slot = self._free.pop() if self._free else None
        if slot is not None:
            self._write(slot, json.dumps(asdict(noted)).encode())
        try:
            yield
        finally:
            if slot is not None:
                self._write(slot, b"")
                self._free.append(slot)
            self._suspects.pop(who.uid, None)

    def release(self, uid: str) -> None:
        """Let an object be reconciled again."""
        if self.quarantined.pop(uid, None) is not None:
            self._save()

    def close(self) -> None:
        """Note that the controller ends in good order: nothing on the bench is a suspect."""
        self._free.clear()
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _take_in(self, found: Sitting) -> None:
        if found.deaths < DEATHS:
            self._suspects[found.uid] = found
            return
        self.quarantined[found.uid] = found
        logger.error(
            "the controller died %d times in a row while it reconciled the %s %s/%s, which is "
            "quarantined",
            *(found.deaths, found.kind, found.namespace, found.name),
        )

    def _save(self) -> None:
        kept = [asdict(item) for item in self.quarantined.values()][-_MOST_QUARANTINED:]
        written = self._quarantine_file.with_suffix(".new")
        written.write_text(json.dumps(kept))
        os.replace(written, self._quarantine_file)

    def _write(self, slot: int, note: bytes) -> None:
        """Write a note whose length comes last: one that is torn has none."""
        begin = slot * _SLOT
        self._slots[begin : begin + _LENGTH] = bytes(_LENGTH)
        if len(note) <= _SLOT - _LENGTH:
            self._slots[begin + _LENGTH : begin + _LENGTH + len(note)] = note
            self._slots[begin : begin + _LENGTH] = len(note).to_bytes(_LENGTH, "big")


def _sitting_in(file: Path) -> Iterator[Sitting]:
    """Read who sat on the bench when the controller died."""
    try:
        left = file.read_bytes()
    except FileNotFoundError:
        return
    for begin in range(0, len(left), _SLOT):
        slot = left[begin : begin + _SLOT]
        length = int.from_bytes(slot[:_LENGTH], "big")
        if length:
            note = slot[_LENGTH : _LENGTH + length].decode("utf-8", "replace")
            yield from _notes_of(f"[{note}]")


def _notes_of(text: str) -> list[Sitting]:
    """Read a list of notes; what is none is passed over."""
    try:
        return [Sitting(**item) for item in json.loads(text)]
    except (ValueError, TypeError):
        return []


def _text(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else "[]"
