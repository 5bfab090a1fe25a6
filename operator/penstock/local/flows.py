"""The flows that executions on this machine can name, as Flows of a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.flow.document import Flow


class DuplicateFlow(Exception):
    """Two given flows have one namespace and id."""


class LocalFlows:
    """The flows by namespace and id."""

    def __init__(self) -> None:
        self._flows: dict[tuple[str, str], Flow] = {}

    def __iter__(self) -> Iterator[Flow]:
        return iter(self._flows.values())

    def __len__(self) -> int:
        return len(self._flows)

    def add(self, flow: Flow) -> None:
        """Add a flow. Raises :class:`DuplicateFlow`."""
        key = (flow.namespace, flow.id)
        if key in self._flows:
            raise DuplicateFlow(f"the flow {flow.namespace}.{flow.id} is given twice")
        self._flows[key] = flow

    def get(self, namespace: str, flow_id: str) -> Flow | None:
        return self._flows.get((namespace, flow_id))
