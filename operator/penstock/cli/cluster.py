"""Runs what a command does in the cluster, and turns what is refused there into a message."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import TypeVar

from penstock.cli.errors import INVALID, UserError
from penstock.cluster.connection import Cluster, connected
from penstock.cluster.errors import ClusterError, InvalidInputs
from penstock.cluster.executions import WholeExecution
from penstock.kubernetes.api.client import ApiError
from penstock.storage.errors import StorageError

T = TypeVar("T")


def in_cluster(namespace: str | None, work: Callable[[Cluster], Awaitable[T]]) -> T:
    """Connect, do the work, and give its result. Raises :class:`UserError`."""

    gc.enable()
    gc.freeze()

    async def run() -> T:
        async with connected(namespace) as cluster:
            return await work(cluster)

    try:
        return asyncio.run(run())
    except InvalidInputs as error:
        raise UserError(str(error), INVALID) from error
    except ApiError as error:
        raise UserError(_told(error)) from error
    except (ClusterError, StorageError) as error:
        raise UserError(str(error)) from error


def _told(error: ApiError) -> str:
    """What the API server said, and what helps."""
    if error.status == 401:
        return f"{error}: the cluster does not take your credentials; log in anew"
    if error.status == 403 and not (error.is_over_quota or error.is_terminating):
        return (
            f"{error}: whoever administers the cluster gives this right by the cluster role `view` "
            "(to look) or `edit` (to change) in the namespace"
        )
    if error.not_found and not error.is_gone:
        return f"the cluster knows no resources of Penstock ({error}): is Penstock installed there?"
    return str(error)


def read_execution(name: str, namespace: str | None) -> WholeExecution:
    """Read an Execution with everything that is kept beside it. Raises :class:`UserError`."""
    return in_cluster(namespace, lambda cluster: cluster.executions.read(name))
