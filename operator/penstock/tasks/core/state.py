"""The tasks for state that a flow keeps between its executions: maps, stored as key-value pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.tasks.contract.kv_effects import PairUse
from penstock.tasks.contract.services import KeyValues, Origin
from penstock.tasks.contract.task import Context, TaskFailure


@dataclass(frozen=True, kw_only=True)
class _State:
    name: str = "default"
    """The name of the state."""
    namespace: bool = False
    """Whether the state belongs to the namespace, and not to the flow alone."""
    taskrun_value: bool = True
    """Whether each value of the loop around the task has a state of its own."""

    def key(self, origin: Origin) -> str:
        """The key of the state: `<flow>_states_tasks-states_<name>[_<hash of the loop's
        value>]`."""
        parts = [] if self.namespace else [origin.flow]
        parts += ["states", "tasks-states", self.name]
        if self.taskrun_value and origin.value is not None:
            parts.append(hashlib.sha256(origin.value.encode("utf-8", "replace")).hexdigest()[:16])
        return "_".join(parts)

    def pairs(self, context: Context) -> KeyValues:
        """The key-value pairs of the flow's namespace alone: state is not inherited."""
        return context.services.kv(context.services.origin.namespace)

    def read(self, context: Context) -> dict[str, Any] | None:
        try:
            stored = self.pairs(context).get(self.key(context.services.origin))
        except KeyError:
            return None
        return dict(stored) if isinstance(stored, dict) else None

    def pair_use(self, origin: Origin) -> PairUse:
        return PairUse(origin.namespace, self.key(origin), reads=True)


@dataclass(frozen=True, kw_only=True)
class Set(_State):
    """Merges values into the state.

    ```yaml
    id: keep
    type: io.kestra.plugin.core.state.Set
    data:
      offset: "{{ outputs.read.value }}"
    ```
    """

    data: dict[str, Any] = field(default_factory=dict)
    """The values, which replace older ones of their names."""

    def run(self, context: Context) -> Mapping[str, Any]:
        key = self.key(context.services.origin)
        merged = self.pairs(context).merge(key, self.data)
        return {"count": len(merged), "key": key}

    def pair_use(self, origin: Origin) -> PairUse:
        return replace(super().pair_use(origin), changes=True)


@dataclass(frozen=True, kw_only=True)
class Get(_State):
    """Gives the state.

    ```yaml
    id: look
    type: io.kestra.plugin.core.state.Get
    ```
    """

    error_on_missing: bool = False
    """Whether the task fails where there is no such state."""

    def run(self, context: Context) -> Mapping[str, Any]:
        data = self.read(context)
        if data is None and self.error_on_missing:
            raise TaskFailure(f"there is no state `{self.name}`")
        return {"count": len(data or {}), "data": data or {}}


@dataclass(frozen=True, kw_only=True)
class Delete(_State):
    """Deletes the state.

    ```yaml
    id: clear
    type: io.kestra.plugin.core.state.Delete
    ```
    """

    error_on_missing: bool = False
    """Whether the task fails where there is no such state."""

    def run(self, context: Context) -> Mapping[str, Any]:
        deleted = self.pairs(context).delete(self.key(context.services.origin))
        if not deleted and self.error_on_missing:
            raise TaskFailure(f"there is no state `{self.name}`")
        return {"deleted": deleted}

    def pair_use(self, origin: Origin) -> PairUse:
        return replace(super().pair_use(origin), reads=False, changes=True)
