"""Connects to the cluster that kubectl's current context names, or in which the process runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubernetes import aio

from penstock.cluster.errors import NoCluster
from penstock.cluster.executions import Executions
from penstock.cluster.flows import Flows
from penstock.cluster.key_values import KeyValues
from penstock.cluster.namespaces import Namespaces
from penstock.cluster.triggers import Triggers
from penstock.kubernetes.api.client import Api, connect

if TYPE_CHECKING:
    from penstock.cluster.execution_logs import Entry, ExecutionLogs


@dataclass(frozen=True)
class Cluster:
    """One Kubernetes namespace of a cluster, and what can be done with Penstock's objects in it."""

    api: Api
    namespace: str

    @property
    def executions(self) -> Executions:
        return Executions(self.api, self.namespace)

    @property
    def flows(self) -> Flows:
        return Flows(self.api, self.namespace)

    @property
    def namespaces(self) -> Namespaces:
        return Namespaces(self.api, self.namespace)

    @property
    def triggers(self) -> Triggers:
        return Triggers(self.api, self.namespace)

    async def key_values(self) -> KeyValues:
        """Read the key-value pairs as they are now."""
        return await KeyValues.read(self.api, self.namespace)

    def logs(
        self, execution: str, is_wanted: Callable[[Entry], bool], warn: Callable[[str], None]
    ) -> ExecutionLogs:
        """Open what the tasks of an Execution printed, as far as an entry of it is wanted."""
        # Imported late: it knows how Jobs and pods are built, which nothing else here needs.
        from penstock.cluster.execution_logs import ExecutionLogs

        return ExecutionLogs(self.api, self.namespace, execution, is_wanted, warn)


@asynccontextmanager
async def connected(namespace: str | None = None) -> AsyncIterator[Cluster]:
    """Connect; without a namespace that of kubectl's current context is meant.

    Raises :class:`NoCluster`.
    """
    try:
        async with connect() as api:
            yield Cluster(api, namespace or current_namespace())
    except aio.config.ConfigException as error:
        raise NoCluster(error) from error


def current_namespace() -> str:
    """Give the namespace of kubectl's current context."""
    try:
        _, active = aio.config.list_kube_config_contexts()
    except aio.config.ConfigException:
        return "default"
    return str(active["context"].get("namespace") or "default")
