"""The names that a shell offers: of flow namespaces, flows and Executions, as the cluster has them.

Where it does not answer soon, or refuses, nothing is offered: a message would stand in the middle
of the line that is typed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from penstock.cluster.connection import Cluster, connected
from penstock.cluster.errors import ClusterError
from penstock.cluster.execution_search import ExecutionFilter
from penstock.cluster.flows import flow_name
from penstock.kubernetes.api.client import ApiError

Kind = Literal["namespace", "flow", "execution"]

_PATIENCE = 2.0
"""Seconds in which the cluster is to have answered: a person waits."""
_OFFERED = 50
"""How many Executions are offered, the newest."""


def known_names(kind: Kind, given: Mapping[str, Any], typed: str) -> list[str]:
    """Give the names that begin with what was typed. ``given`` are the parameters before them."""
    try:
        found = asyncio.run(_looked_up(kind, given))
    except (ApiError, ClusterError, TimeoutError, OSError):
        return []
    return sorted({name for name in found if name.startswith(typed)})


async def _looked_up(kind: Kind, given: Mapping[str, Any]) -> Iterable[str]:
    async with asyncio.timeout(_PATIENCE), connected(given.get("tenant")) as cluster:
        return await _names(cluster, kind, given.get("namespace"))


async def _names(cluster: Cluster, kind: Kind, namespace: str | None) -> Iterable[str]:
    if kind == "execution":
        found = await cluster.executions.search(ExecutionFilter(limit=_OFFERED))
        return [body["metadata"]["name"] for body in found.bodies]
    if kind == "flow":
        return [flow_name(body)[1] for body in await cluster.flows.list(namespace)]
    return [item.namespace for item in await cluster.namespaces.list()]
