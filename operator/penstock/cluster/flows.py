"""Flows of one Kubernetes namespace: lists them, and finds the one that a reference names."""

from __future__ import annotations

from collections.abc import Iterable

from penstock.cluster.errors import FlowNotFound
from penstock.kubernetes.api.client import FLOWS, Api, ApiError, Object
from penstock.resources.execution import FlowReference


class Flows:
    """The Flows of one Kubernetes namespace.

    Besides what each call raises, :class:`ApiError` tells of what the API server refuses.
    """

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def list(self) -> list[Object]:
        """List the Flows."""
        return await self._api.list(FLOWS, self._namespace)

    async def find(self, reference: FlowReference) -> Object:
        """Find a Flow by its name, or by its flow's namespace and id. Raises
        :class:`FlowNotFound`."""
        if reference.name is not None:
            return await self._named(reference.name)
        wanted = (str(reference.namespace), str(reference.id))
        found = oldest(body for body in await self.list() if flow_name(body) == wanted)
        if found is None:
            raise FlowNotFound(self._namespace, ".".join(wanted))
        return found

    async def _named(self, name: str) -> Object:
        try:
            return await self._api.get(FLOWS, self._namespace, name)
        except ApiError as error:
            if error.is_gone:
                raise FlowNotFound(self._namespace, name) from None
            raise


def flow_name(body: Object) -> tuple[str, str]:
    """Tell the namespace and the id that stand in a Flow."""
    spec = body.get("spec") or {}
    return str(spec.get("namespace")), str(spec.get("id"))


def oldest(flows: Iterable[Object]) -> Object | None:
    """Choose of several Flows with the same namespace and id the one that counts."""
    return min(flows, key=lambda body: body["metadata"]["creationTimestamp"], default=None)
