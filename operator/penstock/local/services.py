"""The services that `penstock run` offers: files, key-value pairs, secrets, logs, metrics.

One :class:`LocalServices` for each run of the command; one :class:`ExecutionServices` for each
execution in it, and, of that, one set of services for each attempt.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import unquote

from penstock.local.functions import functions
from penstock.local.secrets import Secrets
from penstock.local.task_services import TaskServices
from penstock.storage.access import ExecutionRecord, Records, ancestors, why_not_handed
from penstock.storage.errors import StorageError
from penstock.storage.execution import ExecutionFiles, NamespaceFiles
from penstock.storage.files import Storage
from penstock.storage.kv import KeyValues
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.services import LogEntry, Origin

_MAX_ENTRIES = 100_000
_MAX_MESSAGE = 10 * 1024


class LocalServices:
    """The services that all executions of one run share."""

    def __init__(self, folder: Path, *, secrets: Mapping[str, str] | None = None) -> None:
        self.storage = Storage.local(str(folder.absolute()))
        self.pairs = KeyValues(self.storage)
        self.secrets = Secrets(secrets)
        self.records: Records = lambda name: None
        """What is known of the executions of this run, by which files are handed on."""
        self._entries: deque[LogEntry] = deque(maxlen=_MAX_ENTRIES)
        self._lock = Lock()

    @classmethod
    @contextmanager
    def opened(
        cls, folder: Path | None = None, *, secrets: Mapping[str, str] | None = None
    ) -> Iterator[LocalServices]:
        """Open services in a folder that stays, or in one that is deleted at the end of the
        block."""
        if folder is not None:
            yield cls(folder, secrets=secrets)
            return
        with tempfile.TemporaryDirectory(
            prefix="penstock-storage-", ignore_cleanup_errors=True
        ) as made:
            yield cls(Path(made), secrets=secrets)

    def execution(
        self, place: ExecutionPlace, parents: Sequence[ExecutionPlace] = ()
    ) -> ExecutionServices:
        """The services of one execution; ``parents`` are those that called it, nearest first."""
        return ExecutionServices(self, place, parents)

    def ancestors(self, name: str) -> tuple[ExecutionPlace, ...]:
        """The executions all of whose files an execution may use, nearest first."""
        record = self.records(name)
        return () if record is None else ancestors(record, self.records)

    def set_pairs(self, pairs: Mapping[str, Mapping[str, Any]]) -> None:
        """Set key-value pairs before the run, by namespace and key. Raises
        :class:`StorageError`."""
        for namespace, values in pairs.items():
            for key, value in values.items():
                self.pairs.set(namespace, key, value)

    def add_namespace_files(self, namespace: str, folder: Path) -> None:
        """Copy all files below a folder to a namespace. Raises :class:`StorageError` and
        ``OSError``."""
        target = NamespaceFiles(self.storage, namespace)
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                with file.open("rb") as source:
                    target.put(file.relative_to(folder).as_posix(), source)

    def mask(self, text: str) -> str:
        """The text without the secrets that were read."""
        return self.secrets.mask(text)

    def logs(self, execution: str | None = None) -> list[LogEntry]:
        """The log entries, oldest first; those of one execution where it is named."""
        with self._lock:
            entries = list(self._entries)
        return [entry for entry in entries if execution in (None, entry.execution)]

    def keep_log(self, entry: LogEntry) -> None:
        with self._lock:
            self._entries.append(entry)

    def drop_logs(self, is_meant: Callable[[LogEntry], bool]) -> int:
        """Forget the log entries that are meant, and give their number."""
        with self._lock:
            kept = [entry for entry in self._entries if not is_meant(entry)]
            count = len(self._entries) - len(kept)
            self._entries = deque(kept, maxlen=_MAX_ENTRIES)
            return count


class ExecutionServices:
    """The services of one execution: the host of its attempts and of its expressions."""

    def __init__(
        self, local: LocalServices, place: ExecutionPlace, parents: Sequence[ExecutionPlace]
    ) -> None:
        self.local = local
        self.place = place
        self.parents = tuple(parents)
        self.files = ExecutionFiles(
            local.storage, place, self.parents, any_namespace=True, refused=self._why_not_handed
        )

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """The functions for the expressions of the execution: see
        :class:`~penstock.expressions.Host`."""
        local = self.local
        return functions(self.place, self.files, local.pairs, local.secrets, local.logs)

    def store_input(self, input_id: str, given: Path | str) -> str:
        """Keep the value of an input of type FILE, and give its URI.

        ``given`` is a file that the person at this machine named, or a URI that the execution may
        read. Raises :class:`StorageError` and ``OSError``.
        """
        if isinstance(given, Path):
            with given.open("rb") as source:
                return self.files.put_input(input_id, given.name, source)
        if given.startswith("kestra://") and self.files.exists(given):
            return given
        if given.startswith("file://"):
            raise StorageError(f"`{given}`: files of the machine are not read by URI")
        with self.files.open(given) as source:
            name = unquote(given.rpartition("/")[2])
            return self.files.put_input(input_id, name, source)

    def _why_not_handed(self, path: str) -> str | None:
        name = self.place.execution
        record = self.local.records(name) or ExecutionRecord(name, self.place)
        return why_not_handed(path, record, self.local.records)

    def services(
        self, task: str, task_run: str, value: str | None, directory: Path
    ) -> TaskServices:
        """The services of one attempt."""
        origin = self._origin(task, task_run, value)
        local = self.local
        return TaskServices(local.storage, local.pairs, local.logs, self.files, origin, directory)

    def keep_log(self, task: str, task_run: str, level: str, message: str) -> None:
        """Remember a masked line of an attempt."""
        shown = message if len(message) <= _MAX_MESSAGE else message[:_MAX_MESSAGE] + "…"
        place = self.place
        self.local.keep_log(
            LogEntry(
                datetime.now(UTC),
                level,
                shown,
                place.namespace,
                place.flow,
                place.execution,
                task,
                task_run,
            )
        )

    def mask(self, text: str) -> str:
        return self.local.mask(text)

    def _origin(self, task: str, task_run: str, value: str | None) -> Origin:
        place = self.place
        return Origin(place.namespace, place.flow, place.execution, task, task_run, value)
