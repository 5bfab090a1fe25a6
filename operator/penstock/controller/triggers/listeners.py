"""Listeners: which Flow triggers may want to know that an Execution came into another state.

Most executions concern no trigger: then the news of one costs a look into a map. One that may be
concerned is told of which execution there is news, so that it does not look at all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from penstock.controller.runtime.queue import Key
from penstock.kubernetes.api.client import Object
from penstock.triggers.evaluation import FlowName


@dataclass(frozen=True)
class Listener:
    """A Flow trigger that is armed."""

    own: FlowName
    """The trigger's own flow, to which it never listens."""
    flows: frozenset[FlowName] | None
    """The only flows whose executions can make it fire; None where it may be any flow."""

    def hears(self, flow: FlowName) -> bool:
        """Tell whether executions of a flow may concern it."""
        return flow != self.own and (self.flows is None or flow in self.flows)


_MOST_NEWS = 1_000
"""Executions of which a trigger is told by name; beyond, it is told to look at all."""


class Listeners:
    """The Flow triggers that are armed, by their Kubernetes namespace."""

    def __init__(self) -> None:
        self._by_namespace: dict[str, dict[Key, Listener]] = {}
        self._news: dict[Key, set[str] | None] = {}
        """The names of the executions of which there is news; None for all."""

    def listen(self, key: Key, listener: Listener) -> None:
        """Let a trigger know of executions from now on."""
        self._by_namespace.setdefault(key.namespace, {})[key] = listener

    def remove(self, state: Object) -> None:
        """Take in that a TriggerState is gone."""
        meta = state["metadata"]
        key = Key("TriggerState", meta["namespace"], meta["name"])
        self._news.pop(key, None)
        listeners = self._by_namespace.get(meta["namespace"], {})
        listeners.pop(key, None)
        if not listeners:
            self._by_namespace.pop(meta["namespace"], None)

    def tell(self, execution: Object) -> Iterator[Key]:
        """Take in that there is news of an Execution, and find the triggers that it may concern."""
        meta = execution["metadata"]
        listeners = self._by_namespace.get(meta["namespace"])
        if not listeners:
            return
        flow = flow_of(execution)
        if flow is None:
            return
        for key, listener in list(listeners.items()):
            if listener.hears(flow):
                self.tell_again(key, (meta["name"],))
                yield key

    def tell_again(self, key: Key, names: Iterable[str]) -> None:
        """Let a trigger look at executions when it looks next."""
        news = self._news.setdefault(key, set())
        if news is not None:
            news.update(names)
            if len(news) > _MOST_NEWS:
                self._news[key] = None

    def news(self, key: Key) -> set[str] | None:
        """Take the names of the executions at which a trigger is to look; None for all of its
        namespace."""
        return self._news.pop(key, set())


def flow_of(execution: Object) -> FlowName | None:
    """Name the flow of an Execution; None where it has not begun."""
    pinned = (execution.get("status") or {}).get("flow") or {}
    namespace, id = pinned.get("namespace"), pinned.get("id")
    return FlowName(str(namespace), str(id)) if namespace and id else None
