"""The services of a core task in a pod: see :mod:`penstock.tasks.contract.services`.

Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.tasks.contract.kv_effects import Change
from penstock.tasks.contract.metrics import written_metric
from penstock.tasks.contract.plan import Plan
from penstock.tasks.contract.pod_folders import BASE, PodFolders
from penstock.tasks.contract.services import Files, LogEntry, Metric, NamespaceFiles, Origin
from penstock.tasks.contract.task import TaskFailure

if TYPE_CHECKING:
    from penstock.tasks.remote.storage import Remote

_RENDERING = "penstock.tasks.pod.rendering"


class PodPairs:
    """The key-value pairs as they were when the Job was made, with the task's changes since.

    The changes are kept as effects, which the task's result hands to the controller.
    """

    def __init__(self, snapshot: Mapping[str, Any]) -> None:
        self.namespace: str = snapshot["namespace"]
        self._values: dict[str, Any] = dict(snapshot["values"])
        self._keys: set[str] = {*snapshot["keys"], *self._values}
        self._changes: dict[str, Change] = {}

    @property
    def effects(self) -> list[dict[str, Any]]:
        """The changes that the task asks for, at most one for each key."""
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
    """The services, as far as the task's type needs them."""

    def __init__(self, task_type: str, task: Mapping[str, Any], plan: Plan | None) -> None:
        self._type = task_type
        self.origin = Origin(**task["origin"])
        self._plan = plan
        self._pairs = PodPairs(task["pairs"]) if "pairs" in task else None
        self._folders: PodFolders | None = None
        self.metrics: list[dict[str, Any]] = []
        """The metrics that the task published."""

    @property
    def effects(self) -> list[dict[str, Any]]:
        """The changes of key-value pairs that the task asks for."""
        return [] if self._pairs is None else self._pairs.effects

    @property
    def directory(self) -> Path:
        """The working directory: the task's own, or the one that it shares with others."""
        if self._folders is None:
            within = self._plan.within if self._plan is not None else ""
            self._folders = PodFolders(Path(os.environ.get("TMPDIR", BASE)), within)
            self._folders.make()
            if self._plan is not None and self._plan.shared is not None:
                from penstock.tasks.files.shared_directory import enter

                _warn(enter(self._plan, self._folders.work, self._remote))
        return self._folders.work

    def close(self) -> None:
        """Leave the shared directory to the next task."""
        if self._folders is None or self._plan is None or self._plan.shared is None:
            return
        from penstock.tasks.files.shared_directory import leave

        _warn(leave(self._plan.shared, self._folders.work, self._folders.run, self._remote))

    @property
    def files(self) -> Files:
        return self._remote.files

    def namespace_files(self, namespace: str | None = None) -> NamespaceFiles:
        return self._remote.namespace_files(namespace)

    def kv(self, namespace: str | None = None) -> PodPairs:
        if self._pairs is None or self._pairs.namespace != (namespace or self.origin.namespace):
            raise TaskFailure(f"`{self._type}` has no key-value pairs of `{namespace}` at hand")
        return self._pairs

    def logs(
        self,
        execution: str | None,
        tasks: Collection[str],
        level: str,
        flow: tuple[str, str] | None = None,
    ) -> Iterable[LogEntry]:
        return self._remote.logs(execution, tasks, level, flow)

    def render(self, template: str, variables: Mapping[str, Any]) -> str | None:
        # Imported only here, so that this module stays light: it brings the whole language.
        rendered: str | None = import_module(_RENDERING).render(template, variables)
        return rendered

    def publish(self, metric: Metric) -> None:
        self.metrics.append(written_metric(metric))

    @cached_property
    def _remote(self) -> Remote:
        from penstock.tasks.remote.storage import Remote

        remote = Remote.from_environment(self.origin)
        if remote is None:
            raise TaskFailure(f"`{self._type}` needs the internal storage, and there is none here")
        return remote


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        print(f"WARN {warning}", flush=True)
