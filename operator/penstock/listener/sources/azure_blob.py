"""Looks for new blobs in a container of Azure Blob Storage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiohttp import ClientSession, ClientTimeout, TCPConnector
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import BlobProperties
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from penstock.listener.source import SourceError
from penstock.listener.sources.addresses import GuardedResolver, checked_url, refused_within
from penstock.listener.sources.objects import poll_of
from penstock.listener.sources.seen import Found
from penstock.triggers.objects.azure import AzureBlobTrigger

_PATIENCE = ClientTimeout(total=None, sock_connect=10, sock_read=30)
_CHANGED = frozenset({404, 412})
"""What Azure answers where a blob is gone, or is another one."""
_COPYING = 300.0
"""Seconds for a copy within the account."""


class BlobContainer:
    """The container of a trigger."""

    def __init__(self, service: BlobServiceClient, properties: AzureBlobTrigger) -> None:
        self._service = service
        self._properties = properties
        self._container: ContainerClient = service.get_container_client(properties.container)
        to = properties.move_to
        self._moved_to: str | None = None
        is_here = to is not None and to.container in (None, properties.container)
        if properties.action == "MOVE" and to is not None and is_here:
            self._moved_to = to.name.rstrip("/")

    async def pages(self) -> AsyncIterator[Sequence[Found]]:
        with self._errors():
            listed = self._container.list_blobs(name_starts_with=self._properties.prefix)
            async for page in listed.by_page():
                yield [_found(blob) async for blob in page if self._is_looked_at(blob.name)]

    def _is_looked_at(self, name: str) -> bool:
        if self._moved_to is not None and name.startswith(f"{self._moved_to}/"):
            return False  # it was moved there
        wanted = self._properties
        if wanted.delimiter:
            rest = name.removeprefix(wanted.prefix or "").removesuffix(wanted.delimiter)
            if wanted.delimiter in rest:
                return False
        return wanted.filter == "BOTH" or name.endswith("/") == (wanted.filter == "DIRECTORIES")

    async def read(self, found: Found) -> AsyncIterator[bytes]:
        with self._errors():
            stream = await self._container.download_blob(found.name, **_unchanged(found))
            async for chunk in stream.chunks():
                yield chunk

    async def move(self, found: Found) -> None:
        to = self._properties.move_to
        assert to is not None
        name = found.name.rstrip("/").rpartition("/")[2]
        target = self._service.get_blob_client(
            to.container or self._properties.container, f"{to.name.rstrip('/')}/{name}"
        )
        source = self._container.get_blob_client(found.name)
        with self._errors(changed_is_fine=True):
            copied: Mapping[str, Any] = await target.start_copy_from_url(
                source.url,
                source_etag=found.version,
                source_match_condition=MatchConditions.IfNotModified,
            )
            status, until = copied.get("copy_status"), time.monotonic() + _COPYING
            while status == "pending" and time.monotonic() < until:
                await asyncio.sleep(0.5)
                status = (await target.get_blob_properties()).copy.status
            if status != "success":
                raise SourceError(f"`{found.name}` can't be moved: its copy is {status}")
            await source.delete_blob(**_unchanged(found))

    async def delete(self, found: Found) -> None:
        with self._errors(changed_is_fine=True):
            await self._container.delete_blob(found.name, **_unchanged(found))

    @contextmanager
    def _errors(self, changed_is_fine: bool = False) -> Iterator[None]:
        """What the client raises, in words for the flow's author."""
        where = f"the container `{self._properties.container}`"
        try:
            yield
        except HttpResponseError as error:
            if changed_is_fine and error.status_code in _CHANGED:
                return
            said = str(error.message or error.reason).partition("\n")[0]
            raise SourceError(f"{where}: Azure refuses: {said}") from None
        except AzureError as error:
            refused = refused_within(error)
            why = str(refused) if refused else f"{where} can't be reached: {error}"
            raise SourceError(why) from None


def _unchanged(found: Found) -> dict[str, Any]:
    return {"etag": found.version, "match_condition": MatchConditions.IfNotModified}


def _found(blob: BlobProperties) -> Found:
    kind = blob.content_settings
    variables = {
        "container": blob.container,
        "name": blob.name,
        "size": blob.size,
        "etag": blob.etag,
        "contentType": kind.content_type,
        "contentEncoding": kind.content_encoding,
        "metadata": dict(blob.metadata or {}),
        "creationTime": _text(blob.creation_time),
        "lastModified": _text(blob.last_modified),
    }
    return Found(blob.name, str(blob.etag), blob.last_modified, variables, blob.size)


def _text(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


@asynccontextmanager
async def container(properties: AzureBlobTrigger) -> AsyncIterator[BlobContainer]:
    """Open the container of a trigger."""
    session = ClientSession(
        connector=TCPConnector(resolver=GuardedResolver(), use_dns_cache=False),
        timeout=_PATIENCE,
        auto_decompress=False,
    )
    async with session:
        more: dict[str, Any] = {
            "transport": AioHttpTransport(session=session, session_owner=False),
            "retry_total": 1,
            "permit_redirects": False,
        }
        try:
            service = _service(properties, more)
        except ValueError:
            # What the library says of a wrong connection string may show a part of it.
            raise SourceError("the address or the credentials of the account are not right") from (
                None
            )
        checked_url(service.url, "endpoint")
        async with service:
            yield BlobContainer(service, properties)


def _service(properties: AzureBlobTrigger, more: Mapping[str, Any]) -> BlobServiceClient:
    if properties.connection_string:
        return BlobServiceClient.from_connection_string(properties.connection_string, **more)
    credential: Any = properties.sas_token
    if properties.shared_key_account_access_key:
        credential = {
            "account_name": properties.shared_key_account_name,
            "account_key": properties.shared_key_account_access_key,
        }
    return BlobServiceClient(properties.endpoint or "", credential=credential, **more)


poll = poll_of(container, listed_as="blobs")
