"""The cache of tasks' outputs, which are used again in place of a run (`taskCache`).

An entry belongs to one task of one flow and to the properties with which it ran. Files that the
outputs name are another execution's by then, so the execution that uses them gets copies of its
own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

from penstock.storage.errors import FileMissing, StorageError
from penstock.storage.files import Storage
from penstock.storage.uris import (
    ExecutionPlace,
    checked,
    flow_folder,
    own_part,
    parse,
    slug,
    uri_of,
)

_CACHE = "_cache"
MOST_ENTRIES = 100
"""Of one task: the outputs of its runs with that many different properties."""
_KEPT = 80
"""That many of the newest are left when there are more."""


@dataclass(frozen=True)
class Use:
    """The run of a task that the cache may spare."""

    place: ExecutionPlace
    task: str
    task_run: str
    digest: str
    """The digest of the task's type and properties: see :func:`digest_of`."""

    @property
    def path(self) -> str:
        """The path of the entry."""
        folder = flow_folder(self.place.namespace, self.place.flow)
        return checked(f"{folder}{_CACHE}/{own_part(self.task)}/{slug(self.digest)}.json")


def digest_of(task_type: str, properties: Mapping[str, Any]) -> str:
    """The digest that tells runs apart whose type or rendered properties differ."""
    text = json.dumps([task_type, properties], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class TaskCaches:
    """The kept outputs of all tasks."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def find(self, use: Use, ttl: timedelta | None, now: datetime) -> Mapping[str, Any] | None:
        """The outputs of an earlier run, with copies of its files; None where there are none, or
        they are too old.

        Raises :class:`StorageError` where the storage fails.
        """
        try:
            with self._storage.open(use.path) as file:
                entry = json.load(file)
            if ttl is not None and datetime.fromisoformat(entry["date"]) + ttl <= now:
                return None
            outputs: Mapping[str, Any] = self._copied(use, entry["outputs"])
        except FileMissing:
            return None
        return outputs

    def keep(self, use: Use, outputs: Mapping[str, Any] | None, now: datetime) -> None:
        """Keep the outputs of a run, and drop the oldest ones of the task where there are too many.
        Raises :class:`StorageError`.
        """
        entry = {"date": now.isoformat(), "outputs": outputs or {}}
        text = json.dumps(entry, ensure_ascii=False, default=str)
        self._storage.put(use.path, BytesIO(text.encode("utf-8", "surrogatepass")))
        paths = list(self._storage.list(f"{use.path.rpartition('/')[0]}/"))
        if len(paths) > MOST_ENTRIES:
            for path in sorted(paths, key=self._date, reverse=True)[_KEPT:]:
                self._storage.delete(path)

    def _date(self, path: str) -> str:
        """The date of an entry, in UTC as all are; nothing where it is no entry."""
        try:
            with self._storage.open(path) as file:
                return str(json.load(file)["date"])
        except (FileMissing, ValueError, TypeError, KeyError):
            return ""

    def _copied(self, use: Use, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._copied(use, item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._copied(use, item) for item in value]
        return self._copy(use, value) if isinstance(value, str) else value

    def _copy(self, use: Use, text: str) -> str:
        """A text of the outputs. The URI of a file of the task that ran becomes that of a copy,
        which belongs to the spared task run; every other text stays."""
        folder = flow_folder(use.place.namespace, use.place.flow)
        try:
            path = parse(text, use.place.namespace) if text.startswith("kestra:///") else ""
        except StorageError:
            return text
        parts = path.removeprefix(folder).split("/")
        if not path.startswith(folder) or parts[:1] != ["executions"] or parts[2:3] != ["tasks"]:
            return text
        target = use.place.task_file(use.task, use.task_run, "/".join(parts[5:]))
        with self._storage.open(path) as source:
            self._storage.put(target, source)
        return uri_of(target)
