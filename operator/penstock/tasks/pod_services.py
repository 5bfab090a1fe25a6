"""What a core task in a pod may use: see :mod:`penstock.tasks.services`. Standard library only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from penstock.tasks.contract import NO_SERVICES, TaskFailure
from penstock.tasks.pairs import Change
from penstock.tasks.services import Files, LogEntry, Metric, NamespaceFiles, Origin

if TYPE_CHECKING:
    from pathlib import Path


class PodPairs:
    """The pairs as they were when the Job was made, with what the task changed since.

    What it changes is kept as effects, which the task's result hands to the controller.
    """

    def __init__(self, snapshot: Mapping[str, Any]) -> None:
        self.namespace: str = snapshot["namespace"]
        self._values: dict[str, Any] = dict(snapshot["values"])
        self._keys: set[str] = {*snapshot["keys"], *self._values}
        self._changes: dict[str, Change] = {}

    @property
    def effects(self) -> list[dict[str, Any]]:
        """What the task wants changed: at most one change for each key."""
        return [change.to_json() for change in self._changes.values()]

    def get(self, key: str) -> Any:
        return self._values[key]

    def set(
        self,
        key: str,
        value: Any,
        ttl: timedelta | None,
        *,
        overwrite: bool,
        description: str | None = None,
    ) -> None:
        before = self._changes.get(key)
        if before is not None and before.kind == "set":
            overwrite = before.overwrite
        self._note(Change("set", self.namespace, key, value, ttl, overwrite, description), value)

    def merge(self, key: str, values: Mapping[str, Any]) -> dict[str, Any]:
        known = self._values.get(key)
        merged = {**(known if isinstance(known, dict) else {}), **values}
        before = self._changes.get(key)
        if before is not None and before.kind == "set":
            self.set(key, merged, before.ttl, overwrite=before.overwrite)
        else:
            added = {**(before.value if before and before.kind == "merge" else {}), **values}
            self._note(Change("merge", self.namespace, key, added), merged)
        return merged

    def delete(self, key: str) -> bool:
        found = key in self._keys
        self._keys.discard(key)
        self._values.pop(key, None)
        self._changes[key] = Change("delete", self.namespace, key)
        return found

    def keys(self, prefix: str = "") -> list[str]:
        return sorted(key for key in self._keys if key.startswith(prefix))

    def _note(self, change: Change, value: Any) -> None:
        self._changes[change.key] = change
        self._values[change.key] = value
        self._keys.add(change.key)


class PodServices:
    """All of it, as far as a pod has it."""

    def __init__(self, task_type: str, task: Mapping[str, Any]) -> None:
        self._type = task_type
        self.origin = Origin(**task["origin"])
        self._pairs = PodPairs(task["pairs"]) if "pairs" in task else None

    @property
    def effects(self) -> list[dict[str, Any]]:
        """What the task wants changed in the world."""
        return [] if self._pairs is None else self._pairs.effects

    @property
    def directory(self) -> Path:
        self._missing()

    @property
    def files(self) -> Files:
        self._missing()

    def namespace_files(self, namespace: str | None = None) -> NamespaceFiles:
        self._missing()

    def kv(self, namespace: str | None = None) -> PodPairs:
        if self._pairs is None or self._pairs.namespace != (namespace or self.origin.namespace):
            raise TaskFailure(f"`{self._type}` has no key-value pairs of `{namespace}` at hand")
        return self._pairs

    def logs(self, execution: str | None, tasks: Collection[str], level: str) -> Iterable[LogEntry]:
        self._missing()

    def render(self, template: str, variables: Mapping[str, Any]) -> str | None:
        self._missing()

    def publish(self, metric: Metric) -> None:
        self._missing()

    def _missing(self) -> NoReturn:
        raise TaskFailure(f"`{self._type}` needs {NO_SERVICES}")
