"""Looks for new objects in a bucket of Google Cloud Storage, over its JSON API."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector
from google.auth import crypt, jwt

from penstock.listener.source import SourceError
from penstock.listener.sources.addresses import GuardedResolver, checked_url, refused_within
from penstock.listener.sources.objects import poll_of
from penstock.listener.sources.seen import Found
from penstock.triggers.objects.gcs import GcsTrigger, bucket_and_name

_GOOGLE = "https://storage.googleapis.com"
_EMULATOR_VARIABLE = "STORAGE_EMULATOR_HOST"
"""The variable with the address of another server, by which Google's own clients find it, too."""
_CHUNK = 1024 * 1024
_PATIENCE = ClientTimeout(total=None, sock_connect=10, sock_read=30)
_CHANGED = frozenset({404, 412})
"""What Google answers where an object is gone, or is another one."""
_TEXTS = ("bucket", "name", "etag", "contentType", "contentEncoding", "crc32c", "metadata")
_TOKEN_SECONDS = 3600


class GcsBucket:
    """The bucket of a trigger."""

    def __init__(self, session: ClientSession, properties: GcsTrigger, token: str) -> None:
        self._session = session
        self._properties = properties
        self._headers = {"Authorization": f"Bearer {token}"}
        if properties.project_id:
            self._headers["X-Goog-User-Project"] = properties.project_id
        self._bucket, self._prefix = _place(properties.from_, "from")
        self._moved_to: tuple[str, str] | None = None
        if properties.action == "MOVE" and properties.move_directory:
            bucket, folder = _place(properties.move_directory, "moveDirectory")
            self._moved_to = bucket, folder.rstrip("/")

    async def pages(self) -> AsyncIterator[Sequence[Found]]:
        asked = {"prefix": self._prefix, "projection": "noAcl"}
        if self._properties.listing_type == "DIRECTORY":
            asked["delimiter"] = "/"
        while True:
            async with self._asked("GET", f"b/{_quoted(self._bucket)}/o", asked) as answer:
                page = await answer.json()
            yield [_found(item) for item in page.get("items", ()) if self._is_looked_at(item)]
            if not page.get("nextPageToken"):
                return
            asked["pageToken"] = page["nextPageToken"]

    def _is_looked_at(self, item: Mapping[str, Any]) -> bool:
        name = item["name"]
        if name.endswith("/"):
            return False  # a folder
        target = self._moved_to
        was_moved = target is not None and target[0] == self._bucket and target[1]
        return not (was_moved and name.startswith(f"{was_moved}/"))

    async def read(self, found: Found) -> AsyncIterator[bytes]:
        wanted = {"alt": "media", "generation": found.variables["generation"]}
        async with self._asked("GET", self._path(found), wanted) as answer:
            async for chunk in answer.content.iter_chunked(_CHUNK):
                yield chunk

    async def move(self, found: Found) -> None:
        assert self._moved_to is not None
        bucket, folder = self._moved_to
        name = found.name.rpartition("/")[2]
        target = f"{folder}/{name}" if folder else name
        path = f"{self._path(found)}/rewriteTo/b/{_quoted(bucket)}/o/{_quoted(target)}"
        asked = {"ifSourceGenerationMatch": found.variables["generation"]}
        while True:
            async with self._asked("POST", path, asked, changed_is_fine=True) as answer:
                if answer.status in _CHANGED:
                    return
                said = await answer.json()
            if said.get("done", True):
                return await self.delete(found)
            asked["rewriteToken"] = said["rewriteToken"]

    async def delete(self, found: Found) -> None:
        wanted = {"ifGenerationMatch": found.variables["generation"]}
        async with self._asked("DELETE", self._path(found), wanted, changed_is_fine=True):
            return

    def _path(self, found: Found) -> str:
        return f"b/{_quoted(self._bucket)}/o/{_quoted(found.name)}"

    @asynccontextmanager
    async def _asked(
        self, method: str, path: str, query: Mapping[str, str], changed_is_fine: bool = False
    ) -> AsyncIterator[ClientResponse]:
        with _errors(f"the bucket `{self._bucket}`"):
            async with self._session.request(
                method,
                f"{_server()}/storage/v1/{path}",
                params=query,
                headers=self._headers,
                allow_redirects=False,
            ) as answer:
                is_fine = answer.status < 300 or (changed_is_fine and answer.status in _CHANGED)
                if not is_fine:
                    raise SourceError(f"the bucket `{self._bucket}`: {await _told(answer)}")
                yield answer


@contextmanager
def _errors(where: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, TimeoutError, OSError) as error:
        refused = refused_within(error)
        why = str(refused) if refused else f"{where} can't be reached: {str(error) or 'no answer'}"
        raise SourceError(why) from None


async def _told(answer: ClientResponse) -> str:
    """Why Google refuses."""
    text = await answer.text()
    try:
        message = json.loads(text)["error"]["message"]
    except (ValueError, LookupError, TypeError):
        message = text[:200] or answer.reason
    return f"Google answers {answer.status}: {message}"


def _found(item: Mapping[str, Any]) -> Found:
    uri = f"gs://{item['bucket']}/{item['name']}"
    version = f"{item['generation']}.{item.get('metageneration')}"
    variables = {name: item[name] for name in _TEXTS if name in item} | {
        "source": uri,
        "size": int(item["size"]),
        "generation": str(item["generation"]),
        "md5": item.get("md5Hash"),
        "createTime": item.get("timeCreated"),
        "updateTime": item.get("updated"),
        "isDirectory": False,
    }
    modified = datetime.fromisoformat(item["updated"])
    return Found(item["name"], version, modified, variables, int(item["size"]), matched=uri)


def _place(uri: str, name: str) -> tuple[str, str]:
    place = bucket_and_name(uri)
    if place is None:
        raise SourceError(f"`{name}` must be a URI such as gs://bucket/folder/")
    return place


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _server() -> str:
    return os.environ.get(_EMULATOR_VARIABLE, _GOOGLE).rstrip("/")


async def _token(session: ClientSession, properties: GcsTrigger) -> str:
    """Exchange the key of a service account for a token of an hour."""
    try:
        key = json.loads(properties.service_account or "")
        signer: Any = crypt.RSASigner
        signer = signer.from_service_account_info(key)
        address = str(key["token_uri"])
        now = int(time.time())
        claims = {
            "iss": key["client_email"],
            "scope": " ".join(properties.scopes),
            "aud": address,
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
        }
        signed: Any = jwt
        assertion = signed.encode(signer, claims).decode()
    except (ValueError, LookupError, TypeError):
        # What the library says of a wrong key may show a part of it.
        raise SourceError("`serviceAccount` is not the JSON key of a service account") from None
    checked_url(address, "serviceAccount: token_uri")
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": assertion,
    }
    with _errors("the server that gives out Google's tokens"):
        async with session.post(address, data=form, allow_redirects=False) as answer:
            if answer.status != 200:
                raise SourceError(f"the service account gets no token: {await _told(answer)}")
            try:
                return str((await answer.json())["access_token"])
            except (ValueError, LookupError, TypeError):
                raise SourceError("the service account gets an answer without a token") from None


@asynccontextmanager
async def bucket(properties: GcsTrigger) -> AsyncIterator[GcsBucket]:
    """Open the bucket of a trigger."""
    async with AsyncExitStack() as opened:
        connector = TCPConnector(resolver=GuardedResolver(), use_dns_cache=False)
        session = await opened.enter_async_context(
            ClientSession(connector=connector, timeout=_PATIENCE, auto_decompress=False)
        )
        yield GcsBucket(session, properties, await _token(session, properties))


poll = poll_of(bucket, listed_as="blobs")
