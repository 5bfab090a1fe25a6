"""What a core task may use of the world around its execution. Standard library only.

Every method raises :class:`~penstock.tasks.contract.task.TaskFailure`, or an error of the
storage whose text is as good, where it can't do what is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

if TYPE_CHECKING:  # a pod need not wait for it
    from pathlib import Path

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")

MetricType = Literal["counter", "timer", "gauge"]


@dataclass(frozen=True)
class Origin:
    """Which task run it is that runs."""

    namespace: str
    flow: str
    execution: str
    task: str
    task_run: str
    value: str | None = None
    """The value of the loop in which it stands."""


@dataclass(frozen=True)
class LogEntry:
    """One line of an execution's log."""

    timestamp: datetime
    level: str
    message: str
    namespace: str
    flow: str
    execution: str
    task: str
    task_run: str


@dataclass(frozen=True)
class Metric:
    """A number that a task publishes; a timer's is in seconds."""

    type: MetricType
    name: str
    value: float
    tags: Mapping[str, str] = field(default_factory=dict)


class Files(Protocol):
    """The files that the execution may see, by URI. No method takes a file into memory."""

    def open(self, uri: str) -> BinaryIO:
        """The file as a stream; the caller closes it."""

    def put(self, name: str, source: BinaryIO) -> str:
        """Keep a file as one of this task run; its URI."""

    def exists(self, uri: str) -> bool: ...

    def size(self, uri: str) -> int:
        """The size of a file in bytes."""

    def delete(self, uri: str) -> bool:
        """Whether there was such a file."""

    def purge(self) -> list[str]:
        """Delete every file of the execution; their URIs."""


class NamespaceFiles(Protocol):
    """The files of a namespace, by their path, such as `scripts/a.py`."""

    def paths(self) -> list[str]: ...

    def open(self, path: str) -> BinaryIO:
        """The file as a stream; the caller closes it."""

    def put(self, path: str, source: BinaryIO) -> str:
        """Write a file; its URI."""

    def exists(self, path: str) -> bool: ...

    def delete(self, path: str) -> bool:
        """Whether there was such a file."""


class KeyValues(Protocol):
    """The key-value pairs of a namespace. Values are JSON values."""

    def get(self, key: str) -> Any:
        """Read a pair. Raises ``KeyError`` where there is none, or its time is over."""

    def set(
        self,
        key: str,
        value: Any,
        ttl: timedelta | None,
        *,
        overwrite: bool,
        description: str | None = None,
    ) -> None: ...

    def merge(self, key: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Put entries into the map that the key holds, whatever others put there at the same
        time; the map."""

    def delete(self, key: str) -> bool:
        """Whether the key had a value."""

    def keys(self, prefix: str = "") -> list[str]: ...


class Services(Protocol):
    """All of it, for one task run."""

    @property
    def origin(self) -> Origin: ...

    @property
    def directory(self) -> Path:
        """The task's working directory."""

    @property
    def files(self) -> Files: ...

    def namespace_files(self, namespace: str | None = None) -> NamespaceFiles:
        """The files of a namespace; of the flow's own where none is named."""

    def kv(self, namespace: str | None = None) -> KeyValues:
        """The pairs of a namespace. Where none is named they are the flow's own, and a key that is
        missing there is read from the nearest namespace above that has it."""

    def logs(
        self,
        execution: str | None,
        tasks: Collection[str],
        level: str,
        flow: tuple[str, str] | None = None,
    ) -> Iterable[LogEntry]:
        """The log of an execution (None: this one) from a level on; of all tasks where none is
        named. An execution of another flow needs that flow's namespace and id."""

    def render(self, template: str, variables: Mapping[str, Any]) -> str | None:
        """An expression with these variables alone."""

    def publish(self, metric: Metric) -> None:
        """Make a number known."""


def log_lines(message: str, level: str) -> list[str]:
    """The lines of a message as they are printed: each says its level, unless it is INFO and does
    not look as if it said another.
    """

    def is_plain(line: str) -> bool:
        return level == "INFO" and line.partition(" ")[0] not in LEVELS

    return [line if is_plain(line) else f"{level} {line}" for line in message.split("\n")]


def at_least(level: str, minimum: str | None) -> bool:
    """Whether a line of that level is kept where only those from ``minimum`` on are."""
    return minimum not in LEVELS or level not in LEVELS or _rank(level) >= _rank(minimum)


def _rank(level: str | None) -> int:
    return LEVELS.index(level or "INFO")
