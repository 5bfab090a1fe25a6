"""Waits for the end of an Execution, by a watch of that one."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from penstock.cluster.execution_watch import changes
from penstock.cluster.executions import Executions
from penstock.kubernetes.api.client import Api, Object
from penstock.resources.execution import State


async def ended(api: Api, execution: Object, seconds: float) -> Object:
    """The Execution once it has ended; as it is, where it has not after so many seconds.

    Whoever gives up by cancelling leaves nothing behind. Raises
    :class:`~penstock.cluster.errors.ClusterError` where it is deleted before.
    """
    meta, newest = execution["metadata"], execution
    executions = Executions(api, meta["namespace"])
    known = [execution]

    async def get() -> Object:
        return known.pop() if known else await executions.get(meta["name"])

    try:
        async with (
            asyncio.timeout(seconds),
            aclosing(changes(api, meta["namespace"], meta["name"], get)) as told,
        ):
            async for newest in told:
                if has_ended(newest):
                    break
    except TimeoutError:
        pass
    return newest


def has_ended(execution: Object) -> bool:
    """Whether nothing of an Execution runs any more."""
    status = execution.get("status") or {}
    state = status.get("state")
    still = status.get("afterExecution") == State.RUNNING.value
    return state is not None and State(state).terminated and not still
