"""Serves single files under signed URLs: streamed in either direction, with little memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypeVar

from aiohttp import ClientPayloadError, web

from penstock.storage.arrivals import arrivals_key, is_arrival
from penstock.storage.errors import AccessDenied, StorageError, StorageUnavailable
from penstock.storage.files import Storage
from penstock.storage.reading import OpenFile
from penstock.storage.signing import Method, OneObject
from penstock.storage.usage import Usage
from penstock.storage_service.folder_owners import FolderOwners
from penstock.storage_service.shares import TOO_SLOW, Pace, Shares, send

AT_ONCE, AT_ONCE_PER_TENANT = 128, 32
"""The most transfers at once; further ones wait."""
AT_ONCE_OF_STORE, AT_ONCE_OF_STORE_PER_TENANT = 32, 8
"""The most transfers at once with an object store: each holds some MiB, which the store takes at a
time."""
BLOCK = 512 * 1024

T = TypeVar("T")


class Objects:
    """Serves the files of the storage, each to whoever has a URL for it."""

    def __init__(self, storage: Storage, key: bytes, usage: Usage) -> None:
        self._storage = storage
        self._usage = usage
        self._key = key
        self._arrivals_key = arrivals_key(key)
        self._owners = FolderOwners(storage)
        local, of_store = (
            (AT_ONCE, AT_ONCE_PER_TENANT),
            (AT_ONCE_OF_STORE, AT_ONCE_OF_STORE_PER_TENANT),
        )
        self._shares = Shares("files are transferred", *(local if storage.is_local else of_store))

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer with a file, or with the part of it from a byte on."""
        wanted = await self._wanted("GET", request, self._key)
        async with self._shares.place(request, wanted.tenant):
            found = await asyncio.to_thread(self._storage.of(wanted.tenant).opened, wanted.path)
            try:
                return await _answered(request, found)
            finally:
                await asyncio.to_thread(found.file.close)

    async def put(self, request: web.Request) -> web.StreamResponse:
        """Write a file: it exists once all of it came."""
        return await self._put(request, await self._wanted("PUT", request, self._key))

    async def put_arrival(self, request: web.Request) -> web.StreamResponse:
        """Write a file that a trigger got, for the Execution that is still to be created."""
        wanted = await self._wanted("PUT", request, self._arrivals_key)
        if not is_arrival(wanted.path):
            raise AccessDenied("this is no place for a file of a trigger")
        return await self._put(request, wanted)

    async def _put(self, request: web.Request, wanted: OneObject) -> web.StreamResponse:
        if wanted.size is None or request.content_length != wanted.size:
            raise StorageError("Content-Length is not the size that the URL was signed for")
        async with self._shares.place(request, wanted.tenant):
            writing = self._storage.of(wanted.tenant).writing(wanted.path, wanted.digest)
            with self._usage.written(wanted.tenant, wanted.path, wanted.size):
                async with _in_thread(writing) as file:
                    async for data in _received(request, wanted.size):
                        await asyncio.to_thread(file.write, data)
        return web.Response(status=201)

    async def _wanted(self, method: Method, request: web.Request, key: bytes) -> OneObject:
        query = request.query
        try:
            wanted = OneObject(
                method,
                request.match_info["tenant"],
                "/" + request.match_info["path"],
                int(query["expires"]),
                int(query["size"]) if "size" in query else None,
                query.get("sha256"),
                query.get("namespace", ""),
            )
            wanted.check(key, query["signature"])
        except (KeyError, ValueError):
            raise AccessDenied("this is no signed URL") from None
        if wanted.namespace:
            await asyncio.to_thread(self._owners.check, wanted.tenant, wanted.namespace)
        return wanted


async def _answered(request: web.Request, found: OpenFile) -> web.StreamResponse:
    start, stop = _range(request, found.size)
    whole = (start, stop) == (0, found.size)
    headers = {"ETag": f'"{found.tag}"', "Accept-Ranges": "bytes"}
    if found.digest is not None:
        headers["X-Penstock-SHA256"] = found.digest
    if not whole:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found.size}"
    response = web.StreamResponse(status=200 if whole else 206, headers=headers)
    response.content_type = "application/octet-stream"
    response.content_length = stop - start
    await response.prepare(request)
    if start:
        await asyncio.to_thread(found.file.seek, start)
    left = stop - start
    while left:
        data = await asyncio.to_thread(found.file.read, min(BLOCK, left))
        if not data:  # the file became shorter: the client sees that the connection breaks
            raise ConnectionAbortedError("the file became shorter")
        await send(response, data)
        left -= len(data)
    return response


def _range(request: web.Request, size: int) -> tuple[int, int]:
    """The bytes that a request asks for: the first, and the one after the last. It is the whole
    file without a header."""
    if "Range" not in request.headers:
        return 0, size
    try:
        start, stop, _ = request.http_range.indices(size)
    except ValueError:
        start = stop = size
    if start >= stop:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    return start, stop


async def _received(request: web.Request, size: int) -> AsyncIterator[bytes]:
    came, pace = 0, Pace()
    try:
        while True:
            async with pace.awaited():
                data = await request.content.readany()
            if not data:
                break
            came += len(data)
            pace.moved(len(data))
            yield data
    except ClientPayloadError:
        came = -1
    except TimeoutError:
        raise StorageUnavailable(f"the upload was too slow: {TOO_SLOW}") from None
    if came != size:
        raise StorageUnavailable("the upload broke off")


@asynccontextmanager
async def _in_thread(manager: AbstractContextManager[T]) -> AsyncIterator[T]:
    """Enter and leave a context manager in a thread, since it reads and writes then."""
    entered = await asyncio.to_thread(manager.__enter__)
    try:
        yield entered
    except BaseException as error:
        left = asyncio.to_thread(manager.__exit__, type(error), error, error.__traceback__)
        if not await asyncio.shield(left):
            raise
    else:
        await asyncio.to_thread(manager.__exit__, None, None, None)
