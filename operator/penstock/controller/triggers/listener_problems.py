"""Why listeners can't be started, or are not at work: their triggers say so."""

from __future__ import annotations

from collections.abc import Callable

from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import SourceTriggersIn
from penstock.kubernetes.api.client import Object


class ListenerProblems:
    """Remembers what is in the way of the listener of each namespace."""

    def __init__(self, states: ObjectStore, reconcile: Callable[[Object], None]) -> None:
        """``reconcile`` lets a TriggerState be reconciled."""
        self._states = states
        self._reconcile = reconcile
        self._known: dict[str, str] = {}

    def of(self, namespace: str) -> str | None:
        """Say why the listener of a namespace is not at work; None where nothing is in its way."""
        return self._known.get(namespace)

    def tell(self, namespace: str, problem: str | None) -> None:
        """Take in how a listener is. Its triggers are looked at where that is news."""
        if self._known.get(namespace) == problem:
            return
        if problem is None:
            del self._known[namespace]
        else:
            self._known[namespace] = problem
        for state in self._states.find(SourceTriggersIn(namespace)):
            self._reconcile(state)
