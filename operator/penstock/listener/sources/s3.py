"""Looks for objects in buckets that speak S3.

Nothing but the credentials of the trigger opens a bucket: those of the machine, which a cloud gives
to whoever asks at its metadata address, are never looked for.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import regex
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from penstock.flow.patterns import too_large
from penstock.listener.source import Polled, SourceError, Surroundings
from penstock.listener.sources.http import refused_networks
from penstock.listener.sources.objects import Found, poll_bucket
from penstock.network import AddressRefused, RefusedNetworks
from penstock.triggers.buckets.s3 import MinioTrigger, S3Trigger

_REGION = "us-east-1"
_BLOCK = 512 * 1024
_PATTERN_SECONDS = 0.1
_SESSION = "penstock"
_REFUSED = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "403"}
)
_GONE = frozenset({"NoSuchKey", "404"})
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Connection:
    """How a bucket is reached."""

    key_id: str | None
    secret: str | None
    token: str | None = None
    region: str = _REGION
    endpoint: str | None = None
    authorities: str | None = None
    """The CAs by which the server is known, as PEM; those of the system where there are none."""
    has_path_style: bool = False


async def poll_aws(properties: S3Trigger, cursor: Any, surroundings: Surroundings) -> Polled:
    """Look once at a bucket of AWS, or of what speaks like it."""
    connection = Connection(
        properties.access_key_id,
        properties.secret_key_id,
        properties.session_token,
        properties.region or _REGION,
        properties.endpoint_override,
        has_path_style=properties.force_path_style is True
        or properties.endpoint_override is not None,
    )
    if properties.sts_role_arn is not None:
        connection = await _with_role(properties, connection)
    opening = _opened(connection, properties, properties.marker, properties.delimiter)
    return await poll_bucket(opening, properties, cursor)


async def poll_minio(properties: MinioTrigger, cursor: Any, surroundings: Surroundings) -> Polled:
    """Look once at a bucket of MinIO."""
    connection = Connection(
        properties.access_key_id,
        properties.secret_key_id,
        region=properties.region or _REGION,
        endpoint=properties.endpoint,
        authorities=properties.ca_pem,
        has_path_style=True,
    )
    delimiter = properties.delimiter or (None if properties.recursive else "/")
    opening = _opened(connection, properties, properties.start_after, delimiter)
    return await poll_bucket(opening, properties, cursor)


class S3Bucket:
    """A bucket, with a client of it."""

    def __init__(
        self,
        client: Any,
        properties: S3Trigger | MinioTrigger,
        marker: str | None,
        delimiter: str | None,
    ) -> None:
        self._client = client
        self._properties = properties
        self._bucket = properties.bucket
        self._asked = {
            "Bucket": properties.bucket,
            "Prefix": properties.prefix,
            **({"Delimiter": delimiter} if delimiter else {}),
            **({"StartAfter": marker} if marker else {}),
            **(
                {"ExpectedBucketOwner": properties.expected_bucket_owner}
                if properties.expected_bucket_owner
                else {}
            ),
        }
        self._pattern = _pattern(properties.regexp)

    async def objects(self) -> AsyncIterator[Found]:
        """Give the objects that the properties mean."""
        with told(f"the bucket `{self._bucket}`"):
            async for page in self._client.get_paginator("list_objects_v2").paginate(**self._asked):
                for item in page.get("Contents") or ():
                    if self._is_meant(item["Key"]):
                        yield _found(item)

    async def fetch(self, found: Found, file: BinaryIO) -> None:
        """Write the content of an object, as it was when it was found."""
        what = f"the object `{found.key}` of the bucket `{self._bucket}`"
        with told(what):
            answer = await self._client.get_object(
                Bucket=self._bucket, Key=found.key, IfMatch=f'"{found.version}"'
            )
            async with answer["Body"] as body:
                while block := await body.read(_BLOCK):
                    await asyncio.to_thread(file.write, block)

    async def dispose(self, found: Found) -> None:
        """Delete or move an object, where the trigger says so. One that is gone is done with."""
        if self._properties.action == "NONE":
            return
        with told(f"the object `{found.key}` of the bucket `{self._bucket}`"):
            try:
                if self._properties.action == "MOVE":
                    await self._copy(found)
                await self._client.delete_object(Bucket=self._bucket, Key=found.key)
            except ClientError as error:
                if _code(error) not in _GONE:
                    raise

    async def _copy(self, found: Found) -> None:
        to = self._properties.move_to
        assert to is not None
        bucket = to.bucket or self._bucket
        key = f"{to.key.rstrip('/')}/{found.key.rpartition('/')[2]}"
        if (bucket, key) == (self._bucket, found.key):
            raise SourceError(f"`moveTo` is where the object `{key}` lies: name another folder")
        source = {"Bucket": self._bucket, "Key": found.key}
        await self._client.copy_object(CopySource=source, Bucket=bucket, Key=key)

    def _is_meant(self, key: str) -> bool:
        wanted = self._properties.filter
        if wanted != "BOTH" and key.endswith("/") != (wanted == "DIRECTORY"):
            return False
        if self._pattern is None:
            return True
        try:
            return self._pattern.fullmatch(key, timeout=_PATTERN_SECONDS) is not None
        except TimeoutError:
            raise SourceError(f"`regexp` takes too long for the key `{key}`") from None


@asynccontextmanager
async def _opened(
    connection: Connection,
    properties: S3Trigger | MinioTrigger,
    marker: str | None,
    delimiter: str | None,
) -> AsyncIterator[S3Bucket]:
    async with _client("s3", connection) as client:
        yield S3Bucket(client, properties, marker, delimiter)


@asynccontextmanager
async def _client(service: str, connection: Connection) -> AsyncIterator[Any]:
    if not connection.key_id or not connection.secret:
        raise SourceError(
            "`accessKeyId` and `secretKeyId` are needed: a listener has no credentials of its own"
        )
    if connection.endpoint is not None:
        await asyncio.to_thread(_check_address, connection.endpoint)
    style = "path" if connection.has_path_style else "auto"
    config = AioConfig(
        connect_timeout=10,
        read_timeout=60,
        retries={"max_attempts": 2},
        s3={"addressing_style": style},
    )
    with _authorities(connection.authorities) as verify:
        made = get_session().create_client(
            service,
            region_name=connection.region,
            endpoint_url=connection.endpoint,
            aws_access_key_id=connection.key_id,
            aws_secret_access_key=connection.secret,
            aws_session_token=connection.token,
            verify=verify,
            config=config,
        )
        with told("the object store"):
            async with made as client:
                yield client


async def _with_role(properties: S3Trigger, connection: Connection) -> Connection:
    """Give the connection with the credentials of the role that the access key takes on."""
    sts = Connection(
        connection.key_id,
        connection.secret,
        connection.token,
        connection.region,
        properties.sts_endpoint_override,
    )
    asked = {
        "RoleArn": properties.sts_role_arn,
        "RoleSessionName": properties.sts_role_session_name or _SESSION,
    }
    if properties.sts_role_external_id is not None:
        asked["ExternalId"] = properties.sts_role_external_id
    async with _client("sts", sts) as client:
        with told(f"the role `{properties.sts_role_arn}`"):
            found = (await client.assume_role(**asked))["Credentials"]
    return Connection(
        found["AccessKeyId"],
        found["SecretAccessKey"],
        found["SessionToken"],
        connection.region,
        connection.endpoint,
        has_path_style=connection.has_path_style,
    )


def _check_address(endpoint: str) -> None:
    """Refuse an address that users' flows may not ask. Raises :class:`SourceError`."""
    parts = urlsplit(endpoint)
    try:
        port = parts.port or _PORTS[parts.scheme]
    except (KeyError, ValueError):
        raise SourceError(
            f"`{endpoint}` is not the address of a server, such as https://minio:9000"
        ) from None
    try:
        RefusedNetworks(refused_networks()).resolve(parts.hostname or "", port)
    except AddressRefused as error:
        raise SourceError(str(error)) from None
    except OSError as error:
        raise SourceError(f"{parts.hostname} has no address: {error}") from None


@contextmanager
def _authorities(text: str | None) -> Iterator[bool | str]:
    """Give the file with the CAs by which a server is known; True for those of the system."""
    if text is None:
        yield True
        return
    with tempfile.TemporaryDirectory(prefix="penstock-") as folder:
        file = Path(folder, "ca.pem")
        file.write_text(text)
        yield str(file)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Raise what the client raises in words for the flow's author."""
    try:
        yield
    except ClientError as error:
        code, message = _code(error), error.response.get("Error", {}).get("Message", "")
        if code in _REFUSED:
            raise SourceError(
                f"{what} is not open to these credentials: {code} {message}"
            ) from None
        if code in ("NoSuchBucket", *_GONE):
            raise SourceError(f"{what} is not there: {code}") from None
        raise SourceError(f"{what}: the store answers {code} {message}") from None
    except (BotoCoreError, OSError, TimeoutError) as error:
        raise SourceError(f"{what}: the store does not answer: {error}") from None


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _found(item: Mapping[str, Any]) -> Found:
    version, owner = item.get("ETag", "").strip('"'), item.get("Owner") or {}
    fields = {
        "key": item["Key"],
        "etag": version,
        "size": item.get("Size", 0),
        "lastModified": item["LastModified"].isoformat(),
    }
    if owner:
        fields["owner"] = {"id": owner.get("ID"), "displayName": owner.get("DisplayName")}
    return Found(item["Key"], version, item["LastModified"], fields)


def _pattern(text: str | None) -> regex.Pattern[str] | None:
    if text is None:
        return None
    problem = too_large(text)
    if problem is not None:
        raise SourceError(f"`regexp`: {problem}")
    try:
        return regex.compile(text)
    except regex.error as error:
        raise SourceError(f"`regexp` is no regular expression: {error}") from None
