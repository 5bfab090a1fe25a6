"""Triggers that look for new objects in a bucket of S3, or of a store that speaks as S3 does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from penstock.flow.model import Document, Duration, RenderedBool
from penstock.flow.problems import Location
from penstock.triggers.brokers.properties import Count, in_capitals
from penstock.triggers.kinds import PollTrigger
from penstock.triggers.objects.properties import Action, ObjectTrigger, Text, number

S3 = "io.kestra.plugin.aws.s3.Trigger"
MINIO = "io.kestra.plugin.minio.Trigger"

Filter = Annotated[Literal["FILES", "DIRECTORY", "BOTH"], BeforeValidator(in_capitals)]
"""Which objects count: `DIRECTORY` are those whose key ends with `/`."""


class MoveTo(Document):
    """Where objects are moved."""

    bucket: str | None = None
    """The bucket; the one of the trigger where it is not given."""
    key: Text
    """The folder below which an object is put, under the last part of its key."""


class _Bucket(ObjectTrigger):
    bucket: Text
    """The bucket."""
    prefix: str | None = None
    """How the keys begin."""
    delimiter: str | None = None
    """Keys in which it stands once more after the prefix are passed over: with `/`, those in deeper
    folders."""
    regexp: str | None = None
    """What the whole key must match."""
    filter: Filter = "BOTH"
    """`FILES`, `DIRECTORY` (keys that end with `/`) or `BOTH`."""
    max_keys: Count = 1000
    """How many keys are asked for at once: all pages are read."""
    action: Action
    """What is done with an object once its Execution is stored: `MOVE`, `DELETE` or `NONE`."""
    move_to: MoveTo | None = None
    """Where `MOVE` puts it."""
    access_key_id: str | None = None
    """The id of the access key."""
    secret_key_id: str | None = None
    """The secret of the access key."""
    region: str | None = None
    """The region of the bucket; `us-east-1` where it is not given."""

    @model_validator(mode="after")
    def _knows_where_to(self) -> Self:
        if self.action == "MOVE" and self.move_to is None:
            raise ValueError("`action: MOVE` needs `moveTo` with a `key`")
        return self

    @property
    def pattern(self) -> str | None:
        return self.regexp

    @property
    def not_served(self) -> str | None:
        if self.access_key_id is None or self.secret_key_id is None:
            return (
                "give `accessKeyId` and `secretKeyId`, from secrets: a listener has no credentials "
                "of its own for a bucket"
            )
        return super().not_served

    @property
    def endpoint_url(self) -> str | None:
        """The address of a store that is not AWS'."""
        raise NotImplementedError


class S3Trigger(_Bucket):
    """Looks for new objects in a bucket of S3, and starts one execution for them.

    ```yaml
    id: arrived
    type: io.kestra.plugin.aws.s3.Trigger
    bucket: lake
    prefix: inbox/
    region: eu-central-1
    accessKeyId: "{{ secret('AWS_KEY') }}"
    secretKeyId: "{{ secret('AWS_SECRET') }}"
    action: MOVE
    moveTo:
      key: done
    ```
    """

    max_files: Count = 25
    """How many objects one execution gets at most; the others are looked at next time."""
    marker: str | None = None
    """Keys up to this one are passed over."""
    expected_bucket_owner: str | None = None
    """The account that must own the bucket."""
    request_payer: str | None = None
    """`REQUESTER`, where who asks pays."""
    session_token: str | None = None
    """The token of temporary credentials."""
    endpoint_override: str | None = None
    """The address of another store than AWS'."""
    compatibility_mode: RenderedBool = False
    """No effect: stores that are not AWS' are asked in the way that all know."""
    force_path_style: RenderedBool = False
    """Whether the bucket stands in the path of a request, not in its host's name."""
    sts_role_arn: str | None = None
    """A role that the access key takes on."""
    sts_role_external_id: str | None = None
    """An id that the role asks for."""
    sts_role_session_name: str | None = None
    """How the session of the role is called; `penstock` where it is not given."""
    sts_role_session_duration: Duration | None = None
    """How long the credentials of the role count."""
    sts_endpoint_override: str | None = None
    """The address at which the role is asked for."""

    @property
    def most(self) -> int:
        return number(self.max_files, 25)

    @property
    def endpoint_url(self) -> str | None:
        return self.endpoint_override


class MinioTrigger(_Bucket):
    """Looks for new objects in a bucket of MinIO, and starts one execution for them.

    ```yaml
    id: arrived
    type: io.kestra.plugin.minio.Trigger
    endpoint: http://minio.storage:9000
    bucket: lake
    prefix: inbox/
    accessKeyId: "{{ secret('MINIO_KEY') }}"
    secretKeyId: "{{ secret('MINIO_SECRET') }}"
    action: NONE
    ```
    """

    endpoint: Text
    """The address of the server."""
    start_after: str | None = None
    """Keys up to this one are passed over."""
    recursive: RenderedBool = True
    """Whether deeper folders are looked into."""
    include_versions: RenderedBool = True
    """No effect: what is looked at is the newest version of each object."""
    client_pem: str | None = None
    """Not served: a certificate of the client."""
    ca_pem: str | None = None
    """The CA of the server, as PEM."""
    ssl: dict[str, Any] | None = None
    """Not served: give the CA in `caPem`."""

    @property
    def most(self) -> int:
        return number(self.max_keys, 1000)

    @property
    def marker(self) -> str | None:
        """Where the listing begins."""
        return self.start_after

    @property
    def endpoint_url(self) -> str | None:
        return self.endpoint

    @property
    def not_served(self) -> str | None:
        if self.client_pem is not None:
            return "`clientPem` is not served: log in with an access key"
        if self.ssl is not None:
            return "`ssl` is not served: give the CA in `caPem`"
        return super().not_served

    def without_effect(self) -> Iterator[tuple[Location, str]]:
        yield from super().without_effect()
        if "include_versions" in self.model_fields_set:
            reason = "has no effect: what is looked at is the newest version of each object"
            yield ("includeVersions",), reason


TRIGGERS = (
    PollTrigger(S3, S3Trigger, served=True, driver="penstock.listener.sources.s3:poll"),
    PollTrigger(MINIO, MinioTrigger, served=True, driver="penstock.listener.sources.s3:poll"),
)
