"""Listeners: which Flow triggers may want to know that an Execution came into another state.

Most executions concern no trigger: then the news of one costs a look into a map. One that may be
concerned is told of which execution there is news, so that it does not look at all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from penstock.controller.runtime.queue import Key
from penstock.kubernetes.api.client import Object
from penstock.triggers.evaluation import FlowName

Place = tuple[str, str]
"""An Execution by its Kubernetes namespace and its name."""
MayHear = Callable[[str, Object], bool]
"""Tells whether triggers of a Kubernetes namespace may know of an Execution."""


@dataclass(frozen=True)
class Listener:
    """A Flow trigger that is armed."""

    own: FlowName
    """The trigger's own flow, to which it never listens."""
    home: str
    """The Kubernetes namespace of its flow."""
    flows: frozenset[FlowName] | None
    """The only flows whose executions can make it fire; None where it may be any flow."""
    namespaces: frozenset[str]
    """The Kubernetes namespaces to whose executions it listens."""

    def hears(self, namespace: str, flow: FlowName) -> bool:
        """Tell whether executions of a flow in a Kubernetes namespace may concern it."""
        return (
            namespace in self.namespaces
            and (namespace, flow) != (self.home, self.own)
            and (self.flows is None or flow in self.flows)
        )


_MOST_NEWS = 1_000
"""Executions of which a trigger is told by name; beyond, it is told to look at all."""


class Listeners:
    """The Flow triggers that are armed, by the Kubernetes namespaces to which they listen."""

    def __init__(self, may_hear: MayHear) -> None:
        self._may_hear = may_hear
        self._armed: dict[Key, Listener] = {}
        self._by_namespace: dict[str, set[Key]] = {}
        self._news: dict[Key, set[Place] | None] = {}
        """The executions of which there is news; None for all."""

    def listen(self, key: Key, listener: Listener) -> None:
        """Let a trigger know of executions from now on."""
        if self._armed.get(key) == listener:
            return
        self._leave(key)
        self._armed[key] = listener
        for namespace in listener.namespaces:
            self._by_namespace.setdefault(namespace, set()).add(key)

    def remove(self, state: Object) -> None:
        """Take in that a TriggerState is gone."""
        meta = state["metadata"]
        key = Key("TriggerState", meta["namespace"], meta["name"])
        self._news.pop(key, None)
        self._leave(key)

    def _leave(self, key: Key) -> None:
        listener = self._armed.pop(key, None)
        for namespace in () if listener is None else listener.namespaces:
            keys = self._by_namespace[namespace]
            keys.discard(key)
            if not keys:
                del self._by_namespace[namespace]

    def tell(self, execution: Object) -> Iterator[Key]:
        """Take in that there is news of an Execution, and find the triggers that it may concern."""
        meta = execution["metadata"]
        keys = self._by_namespace.get(meta["namespace"])
        flow = flow_of(execution) if keys else None
        if not keys or flow is None:
            return
        for key in list(keys):
            is_heard = self._armed[key].hears(meta["namespace"], flow)
            if is_heard and self._may_hear(key.namespace, execution):
                self.tell_again(key, [(meta["namespace"], meta["name"])])
                yield key

    def leave_changed(self, flow: Object) -> Iterator[Key]:
        """Take in that a Flow lets other namespaces listen than before, and find the triggers that
        are to look at all executions for that."""
        home = flow["metadata"]["namespace"]
        for key in list(self._by_namespace.get(home, ())):
            if key.namespace != home:
                self._news[key] = None
                yield key

    def tell_again(self, key: Key, places: Iterable[Place]) -> None:
        """Let a trigger look at executions when it looks next."""
        news = self._news.setdefault(key, set())
        if news is not None:
            news.update(places)
            if len(news) > _MOST_NEWS:
                self._news[key] = None

    def news(self, key: Key) -> set[Place] | None:
        """Take the executions at which a trigger is to look; None for all of its namespaces."""
        return self._news.pop(key, set())


def flow_of(execution: Object) -> FlowName | None:
    """Name the flow of an Execution; None where it has not begun."""
    pinned = (execution.get("status") or {}).get("flow") or {}
    namespace, id = pinned.get("namespace"), pinned.get("id")
    return FlowName(str(namespace), str(id)) if namespace and id else None
