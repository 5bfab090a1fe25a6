"""Runs what a command does in the cluster, and turns what is refused there into a message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from penstock.cli.errors import UserError
from penstock.cluster.connection import Cluster, connected
from penstock.cluster.errors import ClusterError
from penstock.cluster.executions import WholeExecution
from penstock.kubernetes.api.client import ApiError
from penstock.storage.errors import StorageError

T = TypeVar("T")


def in_cluster(namespace: str | None, work: Callable[[Cluster], Awaitable[T]]) -> T:
    """Connect, do the work, and give its result. Raises :class:`UserError`."""

    async def run() -> T:
        async with connected(namespace) as cluster:
            return await work(cluster)

    try:
        return asyncio.run(run())
    except (ApiError, ClusterError, StorageError) as error:
        raise UserError(str(error)) from error


def read_execution(name: str, namespace: str | None) -> WholeExecution:
    """Read an Execution with everything that is kept beside it. Raises :class:`UserError`."""
    return in_cluster(namespace, lambda cluster: cluster.executions.read(name))
