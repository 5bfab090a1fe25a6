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
"""The most executions whose files an execution may use because they called it, or called those that
did."""
_MAX_STEPS = 64
"""The most executions through which a file may be handed."""
_MOST_READ = 4 * 1024 * 1024
"""The most characters of texts with URIs that are read for one task or expression: a file not found
by then counts as not handed on."""


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
    """The inputs of the execution, as a JSON value."""
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
    return HandedFiles(execution, records).why_not(path)


class HandedFiles:
    """Tells which files of further executions were handed to one. Each record is read once, however
    many files are asked about."""

    def __init__(self, execution: ExecutionRecord, records: Records) -> None:
        self._execution = execution
        self._find = records
        self._found: dict[str, ExecutionRecord | None] = {execution.name: execution}
        self._named: dict[tuple[str, ...], frozenset[str]] = {}
        """The paths that a part of a record names, by the execution and the part."""
        self._left = _MOST_READ

    def why_not(self, path: str) -> str | None:
        """Why a file that is neither the execution's own nor an ancestor's was not handed to it;
        None where it was."""
        names = executions_in(path)
        owners = [owner for name in names if (owner := self._record(name)) is not None]
        owner = next((item for item in owners if _holds(item, path)), None)
        if owner is None and names and not owners:
            return f"there is no execution `{names[0]}` any more, and its files went with it"
        if owner is not None and self._reaches(path, self._execution, owner):
            return None
        return (
            "the execution got it neither as an input, nor as an output of an execution that it "
            "called"
        )

    def _reaches(self, path: str, execution: ExecutionRecord, owner: ExecutionRecord) -> bool:
        """Whether a file goes from its owner to an execution."""
        holders, pending, asked = set(self._upwards(path, owner)), [execution], set[str]()
        while pending:
            current = pending.pop()
            if current.name in holders:
                return True
            if current.name in asked or len(asked) >= _MAX_STEPS:
                continue
            asked.add(current.name)
            givers = list(current.repeats)
            if path in self._in_inputs(current):
                givers += current.callers
            found = (self._record(name) for name in reversed(givers))
            pending += [giver for giver in found if giver is not None]
        return False

    def _upwards(self, path: str, owner: ExecutionRecord) -> Iterator[str]:
        """The names of the owner, and of the callers above to which the file was handed as an
        output."""
        child, seen = owner, {owner.name}
        yield owner.name
        while child.parent is not None and len(seen) < _MAX_STEPS:
            parent = self._record(child.parent)
            if parent is None or parent.name in seen or not self._is_taken(path, child, parent):
                return
            seen.add(parent.name)
            yield parent.name
            child = parent

    def _is_taken(self, path: str, child: ExecutionRecord, parent: ExecutionRecord) -> bool:
        """Whether the outputs that a parent took from its child name the file."""
        if path in self._paths((child.name, "outputs"), child.outputs):
            return True
        return any(
            path in self._paths((parent.name, "taken", name), parent.taken.get(name))
            for name in (child.name, *child.repeats)
        )

    def _in_inputs(self, execution: ExecutionRecord) -> frozenset[str]:
        return self._paths((execution.name, "inputs"), execution.inputs)

    def _record(self, name: str) -> ExecutionRecord | None:
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _paths(self, part: tuple[str, ...], value: Any) -> frozenset[str]:
        known = self._named.get(part)
        if known is None:
            known = self._named[part] = frozenset(self._read(value))
        return known

    def _read(self, value: Any) -> Iterator[str]:
        for text in texts_with_uris(value):
            self._left -= len(text)
            if self._left < 0:
                return
            yield from paths_in(text)


def texts_with_uris(value: Any) -> Iterator[str]:
    """The texts in a JSON value, at any depth, in which the URI of a file may stand; not the keys
    of maps."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "kestra:///" in item:
                yield item
        elif isinstance(item, Mapping):
            pending.extend(item.values())
        elif isinstance(item, Sequence):
            pending.extend(item)


def _holds(execution: ExecutionRecord, path: str) -> bool:
    return execution.place is not None and execution.place.holds(path)
