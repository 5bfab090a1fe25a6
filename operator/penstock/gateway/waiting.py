"""Waits for the end of an Execution, by a watch of that one."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError, Object
from penstock.kubernetes.api.watches import watch
from penstock.resources.execution import State

_AGAIN = 0.5
"""Seconds until a watch that broke off is begun anew."""


class Gone(Exception):
    """The Execution was deleted before it ended."""


async def ended(api: Api, execution: Object, seconds: float) -> Object:
    """The Execution once it has ended; as it is, where it has not after so many seconds.

    Whoever gives up by cancelling leaves nothing behind. Raises :class:`Gone`.
    """
    newest = execution
    meta = execution["metadata"]
    try:
        async with asyncio.timeout(seconds):
            while not has_ended(newest):
                try:
                    newest = await _next_news(api, newest)
                except ApiError as error:
                    if error.is_gone:
                        raise Gone from None
                    await asyncio.sleep(_AGAIN)
                if newest["metadata"]["uid"] != meta["uid"]:
                    raise Gone
    except TimeoutError:
        pass
    return newest


async def _next_news(api: Api, known: Object) -> Object:
    """The Execution as it is after something changed."""
    meta = known["metadata"]
    version = str(meta["resourceVersion"])
    try:
        changes = watch(api, EXECUTIONS, meta["namespace"], version, name=meta["name"])
        async with aclosing(changes) as told:
            async for change in told:
                if change.kind == "DELETED":
                    raise Gone
                if change.kind != "BOOKMARK":
                    return change.body
    except ApiError as error:
        if error.status != 410:
            raise
    return await api.get(EXECUTIONS, meta["namespace"], meta["name"])


def has_ended(execution: Object) -> bool:
    """Whether nothing of an Execution runs any more."""
    status = execution.get("status") or {}
    state = status.get("state")
    still = status.get("afterExecution") == State.RUNNING.value
    return state is not None and State(state).terminated and not still
