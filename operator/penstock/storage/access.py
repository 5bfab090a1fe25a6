"""The rule which files of other executions an execution may use: one rule, whoever asks.

An execution uses its own files, those of the executions that called it, and those of one that it
does again. Any other file it uses where that was handed to it, execution by execution:

* up, to the one whose task called it, by an execution whose outputs name the file;
* down, to one whose inputs name the file, by the one that called it.

The chain begins at the execution in whose folder the file lies. So a text that names somebody
else's file (typed by a person, printed by a script, given as an output) hands on nothing: only what
was recorded of executions does. No file is read here, and executions are looked up by their names
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.storage.uris import ExecutionPlace, executions_in, paths_in

MAX_ANCESTORS = 32
"""Executions whose files one may use because they called it, or called those that did."""
_MAX_STEPS = 64
"""Executions through which a file may be handed."""
_MOST_READ = 8 * 1024 * 1024
"""Characters of texts with URIs that are read to find one file: what is not found by then was not
handed on."""


@dataclass(frozen=True)
class ExecutionRecord:
    """The part of an execution's record that decides on the use of files."""

    name: str
    place: ExecutionPlace | None
    """The place of its files; None where it has not begun."""
    parent: str | None = None
    """The execution whose task called it, and takes its outputs."""
    started_by: str | None = None
    """The execution whose state made a trigger start this one."""
    repeats: Sequence[str] = ()
    """The executions that it does again, as a retry or a replay: what was handed to them was
    handed to it."""
    inputs: Any = None
    """Its inputs, as a JSON value."""
    outputs: Any = None
    """The outputs of its flow, as a JSON value."""
    taken: Mapping[str, Any] = field(default_factory=dict)
    """The outputs that its tasks took from executions which they called, by the names of these: a
    Subflow may name outputs of its own."""

    @property
    def callers(self) -> Sequence[str]:
        """The names of the executions that called it, or whose state started it."""
        return [name for name in (self.parent, self.started_by) if name is not None]


Records = Callable[[str], ExecutionRecord | None]
"""Gives the record of an execution of this tenant by its name; None where there is none."""


def ancestors(execution: ExecutionRecord, records: Records) -> tuple[ExecutionPlace, ...]:
    """The places of the executions all of whose files an execution may use, nearest first: its
    callers and theirs, and the executions that any of these does again.

    Anybody may ask for a replay, with inputs of their choice. So the callers of an execution that
    is done again are not among them: of their files, the replay uses those that were handed to the
    first one.
    """
    return tuple(
        item.place for item in _line(execution, records, further=False) if item.place is not None
    )


def needed(execution: ExecutionRecord, records: Records) -> tuple[str, ...]:
    """The names of the executions whose files may matter to an execution, nearest first."""
    return tuple(item.name for item in _line(execution, records, further=True))


def _line(
    execution: ExecutionRecord, records: Records, *, further: bool
) -> Iterator[ExecutionRecord]:
    """Yield the executions that led to one and have begun, nearest first. With ``further`` the
    callers of those that are done again are among them."""
    seen = {execution.name}
    pending = [(execution, True)]
    while pending and len(seen) <= MAX_ANCESTORS:
        current, with_callers = pending.pop(0)
        follows: list[tuple[str, bool]] = [(name, further) for name in current.repeats]
        if with_callers:
            follows = [*((name, True) for name in current.callers), *follows]
        for name, and_its_callers in follows:
            found = None if name in seen else records(name)
            seen.add(name)
            if found is not None and found.place is not None:
                yield found
                pending.append((found, and_its_callers))


def why_not_handed(path: str, execution: ExecutionRecord, records: Records) -> str | None:
    """Why an execution may not use a file that is neither its own nor an ancestor's; None where the
    file was handed to it."""
    names = executions_in(path)
    owners = [owner for name in names if (owner := records(name)) is not None]
    owner = next((item for item in owners if _holds(item, path)), None)
    if owner is None and names and not owners:
        return f"there is no execution `{names[0]}` any more, and its files went with it"
    if owner is not None and _Handing(path, owner, records).reaches(execution):
        return None
    return (
        "the execution got it neither as an input, nor as an output of an execution that it called"
    )


def _holds(execution: ExecutionRecord, path: str) -> bool:
    return execution.place is not None and execution.place.holds(path)


class _Handing:
    """The way of one file from the execution in whose folder it lies."""

    def __init__(self, path: str, owner: ExecutionRecord, records: Records) -> None:
        self._path = path
        self._records = records
        self._left = _MOST_READ
        self._holders = set(self._upwards(owner))
        self._asked: set[str] = set()

    def reaches(self, execution: ExecutionRecord) -> bool:
        """Whether the file was handed to an execution."""
        if execution.name in self._holders:
            return True
        if execution.name in self._asked or len(self._asked) >= _MAX_STEPS:
            return False
        self._asked.add(execution.name)
        givers = list(execution.repeats)
        if self._is_named_in(execution.inputs):
            givers += execution.callers
        found = (self._records(name) for name in givers)
        return any(giver is not None and self.reaches(giver) for giver in found)

    def _upwards(self, owner: ExecutionRecord) -> Iterator[str]:
        """The names of the owner, and of the callers above to which the file was handed as an
        output."""
        child, seen = owner, {owner.name}
        yield owner.name
        while child.parent is not None and len(seen) < _MAX_STEPS:
            parent = self._records(child.parent)
            if parent is None or parent.name in seen or not self._is_taken(child, parent):
                return
            seen.add(parent.name)
            yield parent.name
            child = parent

    def _is_taken(self, child: ExecutionRecord, parent: ExecutionRecord) -> bool:
        """Whether the outputs that a parent took from its child name the file."""
        if self._is_named_in(child.outputs):
            return True
        asked = (child.name, *child.repeats)
        return any(self._is_named_in(parent.taken.get(name)) for name in asked)

    def _is_named_in(self, value: Any) -> bool:
        pending = [value]
        while pending:
            item = pending.pop()
            if isinstance(item, str):
                if self._is_in_text(item):
                    return True
            elif isinstance(item, Mapping):
                pending.extend(item.values())
            elif isinstance(item, Sequence):
                pending.extend(item)
        return False

    def _is_in_text(self, text: str) -> bool:
        # Without escapes a URI is spelled as its path; most texts need no closer look.
        if "kestra:///" not in text or ("%" not in text and self._path not in text):
            return False
        self._left -= len(text)
        return self._left >= 0 and self._path in paths_in(text)
