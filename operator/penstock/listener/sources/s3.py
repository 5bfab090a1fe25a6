"""Looks for new objects in a bucket of S3, or of a store that speaks as S3 does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from functools import cache
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from aiohttp import ClientError as ConnectionFailed
from botocore.exceptions import BotoCoreError, ClientError

from penstock.listener.source import SourceError
from penstock.listener.sources.addresses import GuardedResolver, checked_url, refused_within
from penstock.listener.sources.certificates import client_context
from penstock.listener.sources.objects import poll_of
from penstock.listener.sources.seen import Found
from penstock.network import AddressRefused
from penstock.triggers.objects.s3 import MinioTrigger, S3Trigger

_CHUNK = 1024 * 1024
_CONNECT, _ANSWER = 10, 30
"""Seconds for a connection, and for an answer."""
_CHANGED = frozenset({"412", "PreconditionFailed", "404", "NoSuchKey", "NotFound"})
"""What a store says where an object is gone, or is another one."""


class S3Bucket:
    """The bucket of a trigger."""

    def __init__(self, client: Any, properties: S3Trigger | MinioTrigger) -> None:
        self._client = client
        self._properties = properties
        owner = getattr(properties, "expected_bucket_owner", None)
        payer = getattr(properties, "request_payer", None)
        self._always: dict[str, Any] = {}
        if owner:
            self._always["ExpectedBucketOwner"] = owner
        if payer:
            self._always["RequestPayer"] = payer.lower()
        self._moved_to = _target_of(properties)

    async def pages(self) -> AsyncIterator[Sequence[Found]]:
        wanted = self._properties
        asked: dict[str, Any] = {"Bucket": wanted.bucket, "FetchOwner": True, **self._always}
        if isinstance(wanted.max_keys, int):
            asked["MaxKeys"] = min(wanted.max_keys, 1000)
        delimiter = wanted.delimiter
        if delimiter is None and isinstance(wanted, MinioTrigger) and not wanted.recursive:
            delimiter = "/"
        named = {"Prefix": wanted.prefix, "Delimiter": delimiter, "StartAfter": wanted.marker}
        asked |= {name: value for name, value in named.items() if value}
        while True:
            with self._errors():
                page = await self._client.list_objects_v2(**asked)
            yield [_found(item) for item in page.get("Contents", ()) if self._is_looked_at(item)]
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def _is_looked_at(self, item: Mapping[str, Any]) -> bool:
        key = item["Key"]
        if self._moved_to is not None and key.startswith(f"{self._moved_to}/"):
            return False  # it was moved there
        is_folder = key.endswith("/")
        return self._properties.filter == "BOTH" or is_folder == (
            self._properties.filter == "DIRECTORY"
        )

    async def read(self, found: Found) -> AsyncIterator[bytes]:
        with self._errors():
            answer = await self._client.get_object(**self._named(found), IfMatch=found.version)
            async with answer["Body"] as body:
                async for chunk in body.iter_chunks(_CHUNK):
                    yield chunk

    async def move(self, found: Found) -> None:
        to = self._properties.move_to
        assert to is not None
        source = {"Bucket": self._properties.bucket, "Key": found.name}
        name = found.name.rstrip("/").rpartition("/")[2]
        with self._errors(changed_is_fine=True):
            await self._client.copy_object(
                Bucket=to.bucket or self._properties.bucket,
                Key=f"{to.key.rstrip('/')}/{name}",
                CopySource=source,
                CopySourceIfMatch=found.version,
                **({"RequestPayer": self._always["RequestPayer"]} if self._payer else {}),
            )
            await self._client.delete_object(**self._named(found))

    async def delete(self, found: Found) -> None:
        with self._errors(changed_is_fine=True):
            await self._client.head_object(**self._named(found), IfMatch=found.version)
            await self._client.delete_object(**self._named(found))

    @property
    def _payer(self) -> bool:
        return "RequestPayer" in self._always

    def _named(self, found: Found) -> dict[str, Any]:
        return {"Bucket": self._properties.bucket, "Key": found.name, **self._always}

    def _errors(self, changed_is_fine: bool = False) -> AbstractContextManager[None]:
        return errors_told(f"the bucket `{self._properties.bucket}`", changed_is_fine)


@contextmanager
def errors_told(where: str, changed_is_fine: bool = False) -> Iterator[None]:
    """Raise what a client raises in words for the flow's author."""
    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        code = str(told.get("Code", ""))
        if changed_is_fine and code in _CHANGED:
            return
        said = told.get("Message") or code
        raise SourceError(f"{where}: {error.operation_name} is refused: {said}") from None
    except (AddressRefused, BotoCoreError, ConnectionFailed, OSError) as error:
        refused = refused_within(error)
        why = str(refused) if refused else f"{where} can't be reached: {error}"
        raise SourceError(why) from None


def _target_of(properties: S3Trigger | MinioTrigger) -> str | None:
    """The folder in this very bucket into which objects are moved."""
    to = properties.move_to
    if properties.action != "MOVE" or to is None or to.bucket not in (None, properties.bucket):
        return None
    return to.key.rstrip("/")


def _found(item: Mapping[str, Any]) -> Found:
    owner = item.get("Owner") or {}
    modified = item["LastModified"]
    variables = {
        "key": item["Key"],
        "etag": item["ETag"],
        "size": item["Size"],
        "lastModified": modified.isoformat().replace("+00:00", "Z"),
        "owner": {"id": owner.get("ID"), "displayName": owner.get("DisplayName")},
    }
    return Found(item["Key"], item["ETag"], modified, variables, item["Size"])


@cache
def _session() -> AioSession:
    """One for all triggers: it holds the description of S3, which is large."""
    return get_session()


@asynccontextmanager
async def bucket(properties: S3Trigger | MinioTrigger) -> AsyncIterator[S3Bucket]:
    """Open the bucket of a trigger."""
    connector: dict[str, Any] = {"resolver": GuardedResolver(), "use_dns_cache": False}
    in_path, endpoint, token = True, properties.endpoint_url, None
    if isinstance(properties, MinioTrigger):
        if properties.ca_pem:
            connector["ssl_context"] = client_context(properties.ca_pem)
    else:
        in_path, token = properties.force_path_style is True, properties.session_token
    if endpoint is not None:
        name = "endpoint" if isinstance(properties, MinioTrigger) else "endpointOverride"
        checked_url(endpoint, name)
    config = AioConfig(
        connector_args=connector,
        connect_timeout=_CONNECT,
        read_timeout=_ANSWER,
        retries={"max_attempts": 2, "mode": "standard"},
        s3={"addressing_style": "path" if in_path else "auto"},
    )
    credentials = {
        "aws_access_key_id": properties.access_key_id,
        "aws_secret_access_key": properties.secret_key_id,
        "aws_session_token": token,
    }
    more: dict[str, Any] = {"region_name": properties.region or "us-east-1", "config": config}
    if isinstance(properties, S3Trigger) and properties.sts_role_arn is not None:
        credentials = await _of_role(properties, {**more, **credentials})
    async with _client("s3", {**more, **credentials, "endpoint_url": endpoint}) as client:
        yield S3Bucket(client, properties)


@asynccontextmanager
async def _client(service: str, named: Mapping[str, Any]) -> AsyncIterator[Any]:
    """Open a client of a service."""
    async with AsyncExitStack() as opened:
        try:
            client = await opened.enter_async_context(_session().create_client(service, **named))
        except (BotoCoreError, ValueError) as error:
            raise SourceError(f"the store can't be asked: {error}") from None
        yield client


async def _of_role(properties: S3Trigger, named: Mapping[str, Any]) -> dict[str, str | None]:
    """The credentials of the role that the access key takes on."""
    endpoint = properties.sts_endpoint_override
    if endpoint is not None:
        checked_url(endpoint, "stsEndpointOverride")
    asked: dict[str, Any] = {
        "RoleArn": properties.sts_role_arn,
        "RoleSessionName": properties.sts_role_session_name or "penstock",
    }
    if properties.sts_role_external_id is not None:
        asked["ExternalId"] = properties.sts_role_external_id
    if properties.sts_role_session_duration is not None:
        asked["DurationSeconds"] = int(properties.sts_role_session_duration.total_seconds())
    async with _client("sts", {**named, "endpoint_url": endpoint}) as client:
        with errors_told(f"the role `{properties.sts_role_arn}`"):
            found = (await client.assume_role(**asked))["Credentials"]
    return {
        "aws_access_key_id": found["AccessKeyId"],
        "aws_secret_access_key": found["SecretAccessKey"],
        "aws_session_token": found["SessionToken"],
    }


poll = poll_of(bucket, listed_as="objects")
