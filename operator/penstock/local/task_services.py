"""The services of one attempt on this machine: see :mod:`penstock.tasks.contract.services`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

from penstock.expressions import ExpressionError, Host
from penstock.storage.execution import ExecutionFiles, NamespaceFiles
from penstock.storage.files import Storage
from penstock.storage.kv import KeyValues
from penstock.tasks.contract.services import LogEntry, Metric, Origin, at_least
from penstock.tasks.contract.task import TaskFailure
from penstock.types import expressions


@dataclass(frozen=True)
class TaskFiles:
    """The execution's files; a file that is put belongs to the task run."""

    _files: ExecutionFiles
    _origin: Origin

    def open(self, uri: str) -> BinaryIO:
        return self._files.open(uri)

    def put(self, name: str, source: BinaryIO) -> str:
        return self._files.put_output(self._origin.task, self._origin.task_run, name, source)

    def exists(self, uri: str) -> bool:
        return self._files.exists(uri)

    def size(self, uri: str) -> int:
        return self._files.size(uri)

    def delete(self, uri: str) -> bool:
        return self._files.delete(uri)

    def purge(self) -> list[str]:
        return self._files.purge()


@dataclass(frozen=True)
class TaskPairs:
    """The key-value pairs of a namespace."""

    _pairs: KeyValues
    _namespace: str
    _inherits: bool

    def get(self, key: str) -> Any:
        read = self._pairs.inherited if self._inherits else self._pairs.get
        pair = read(self._namespace, key)
        if pair is None:
            raise KeyError(key)
        return pair.value

    def set(
        self,
        key: str,
        value: Any,
        ttl: timedelta | None,
        *,
        overwrite: bool,
        description: str | None = None,
    ) -> None:
        """Set a key. The description is dropped: it is for people who look at the keys of a
        cluster."""
        self._pairs.set(self._namespace, key, value, ttl, overwrite=overwrite)

    def merge(self, key: str, values: Mapping[str, Any]) -> dict[str, Any]:
        return self._pairs.merge(self._namespace, key, values)

    def delete(self, key: str) -> bool:
        return self._pairs.delete(self._namespace, key)

    def keys(self, prefix: str = "") -> list[str]:
        return self._pairs.keys(self._namespace, prefix)


class TaskServices:
    """The services of one attempt."""

    def __init__(
        self,
        storage: Storage,
        pairs: KeyValues,
        logs: Callable[[str], list[LogEntry]],
        files: ExecutionFiles,
        origin: Origin,
        directory: Path,
    ) -> None:
        self._storage = storage
        self._pairs = pairs
        self._logs = logs
        self.origin = origin
        self.directory = directory
        self.files = TaskFiles(files, origin)
        self.published: list[Metric] = []
        """What the attempt made known so far."""

    def namespace_files(self, namespace: str | None = None) -> NamespaceFiles:
        return NamespaceFiles(self._storage, namespace or self.origin.namespace)

    def kv(self, namespace: str | None = None) -> TaskPairs:
        name = namespace or self.origin.namespace
        return TaskPairs(self._pairs, name, namespace is None)

    def logs(
        self,
        execution: str | None,
        tasks: Collection[str],
        level: str,
        flow: tuple[str, str] | None = None,
    ) -> Iterable[LogEntry]:
        wanted = execution or self.origin.execution
        for entry in self._logs(wanted):
            if (not tasks or entry.task in tasks) and at_least(entry.level, level):
                yield entry

    def render(self, template: str, variables: Mapping[str, Any]) -> str | None:
        try:
            return expressions().render(template, variables, Host())
        except ExpressionError as error:
            raise TaskFailure(str(error)) from None

    def publish(self, metric: Metric) -> None:
        self.published.append(metric)
