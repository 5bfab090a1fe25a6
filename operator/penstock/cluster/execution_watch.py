"""Follows one Execution: as it is, and again after each change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from penstock.cluster.errors import ExecutionGone
from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError, Object
from penstock.kubernetes.api.watches import watch

_PAUSE = 0.2
"""Seconds between a watch that ended and the next."""
_TRIES = 10
"""How often in a row the API server may fail to answer."""
_LONGEST_PAUSE = 10.0


async def changes(
    api: Api, namespace: str, name: str, get: Callable[[], Awaitable[Object]]
) -> AsyncGenerator[Object, None]:
    """Give an Execution, and what it is after each change, until nobody asks any more.

    A lost connection is made anew. Raises :class:`ExecutionGone` once it is deleted, what ``get``
    raises, and :class:`ApiError`.
    """
    body = await get()
    yield body
    uid, failures = body["metadata"]["uid"], 0
    while True:
        try:
            version = body["metadata"]["resourceVersion"]
            watching = watch(api, EXECUTIONS, namespace, version, name=name)
            async with aclosing(watching) as told:
                async for change in told:
                    failures = 0
                    if change.kind == "BOOKMARK":
                        continue
                    if change.kind == "DELETED" or change.body["metadata"]["uid"] != uid:
                        raise ExecutionGone(name)
                    body = change.body
                    yield body
            await asyncio.sleep(_PAUSE)
        except ApiError as error:
            if not error.transient or failures == _TRIES:
                raise
            await asyncio.sleep(min(_PAUSE * 2**failures, _LONGEST_PAUSE))
            failures += 1
            # After a watch that was refused, for its version is forgotten, too.
            found = await _found(get)
            if found is not None:
                if found["metadata"]["uid"] != uid:
                    raise ExecutionGone(name) from None
                body = found
                yield body


async def _found(get: Callable[[], Awaitable[Object]]) -> Object | None:
    """What is there; None where the API server does not answer."""
    try:
        return await get()
    except ApiError as error:
        if not error.transient:
            raise
        return None
