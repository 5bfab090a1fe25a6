"""Triggers that look for objects in buckets that speak S3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from penstock.flow.model import Document, RenderedBool
from penstock.flow.problems import Location
from penstock.triggers.brokers.properties import Count
from penstock.triggers.buckets.objects import Action, Filter, ObjectsTrigger
from penstock.triggers.kinds import PollTrigger

AWS = "io.kestra.plugin.aws.s3.Trigger"
MINIO = "io.kestra.plugin.minio.Trigger"


class MoveTo(Document):
    """Where an object is moved to."""

    bucket: str | None = None
    """The bucket; that of the trigger where none is named."""
    key: str
    """The folder: the last part of the object's own key follows it."""


class _S3(ObjectsTrigger):
    access_key_id: str | None = None
    """The id of the access key."""
    secret_key_id: str | None = None
    """The secret of the access key: `{{ secret('…') }}`."""
    region: str | None = None
    """The region of the bucket; `us-east-1` where none is named."""
    bucket: Annotated[str, Field(min_length=1)]
    """The bucket."""
    prefix: str = ""
    """How the keys of the objects begin."""
    delimiter: str | None = None
    """What a key may not have behind the prefix, such as `/`."""
    marker: str | None = None
    """The key after which to begin."""
    regexp: str | None = None
    """A regular expression that the whole key has to match."""
    filter: Filter = "BOTH"
    """`FILES` passes over keys that end with a slash, `DIRECTORY` takes these alone."""
    max_keys: Count = 1000
    """No effect: every object is looked at."""
    expected_bucket_owner: str | None = None
    """The account to which the bucket must belong."""
    action: Action = "NONE"
    """What becomes of an object once its execution is stored: `NONE`, `DELETE`, `MOVE`."""
    move_to: MoveTo | None = None
    """Where `MOVE` moves it to."""

    @model_validator(mode="after")
    def _moves_somewhere(self) -> Self:
        if self.action == "MOVE" and self.move_to is None:
            raise ValueError("`action: MOVE` needs `moveTo`")
        return self

    def without_effect(self) -> Iterator[tuple[Location, str]]:
        yield from super().without_effect()
        if self.move_to is not None and self.action in ("NONE", "DELETE"):
            yield ("moveTo",), "has no effect without `action: MOVE`"


class S3Trigger(_S3):
    """Starts an execution for the objects that are new in a bucket.

    ```yaml
    id: orders
    type: io.kestra.plugin.aws.s3.Trigger
    bucket: lake
    prefix: inbox/
    action: MOVE
    moveTo: {key: done}
    region: eu-central-1
    accessKeyId: "{{ secret('AWS_ID') }}"
    secretKeyId: "{{ secret('AWS_KEY') }}"
    ```
    """

    session_token: str | None = None
    """The token of a session, beside the access key."""
    endpoint_override: str | None = None
    """The address of a server that speaks S3, in the place of AWS's."""
    compatibility_mode: RenderedBool = False
    """No effect: every server that speaks S3 is spoken to alike."""
    force_path_style: RenderedBool = False
    """Whether the bucket stands in the path and not in the host; with `endpointOverride` it does
    anyway."""
    sts_role_arn: str | None = None
    """A role that the access key may take on."""
    sts_role_external_id: str | None = None
    """The external id that the role asks for."""
    sts_role_session_name: str | None = None
    """How the session of the role is called."""
    sts_role_session_duration: Any = None
    """Not served: a session lasts an hour."""
    sts_endpoint_override: str | None = None
    """The address of a server for roles, in the place of AWS's."""


class MinioTrigger(_S3):
    """Starts an execution for the objects that are new in a bucket of MinIO.

    ```yaml
    id: orders
    type: io.kestra.plugin.minio.Trigger
    endpoint: http://minio:9000
    bucket: lake
    prefix: inbox/
    action: DELETE
    accessKeyId: "{{ secret('MINIO_ID') }}"
    secretKeyId: "{{ secret('MINIO_KEY') }}"
    ```
    """

    endpoint: Annotated[str, Field(min_length=1)]
    """The address of the server."""
    recursive: RenderedBool = True
    """Whether folders below the prefix are looked into."""
    include_versions: RenderedBool = True
    """No effect: the newest version of an object counts."""
    start_after: str | None = None
    """The key after which to begin."""
    client_pem: str | None = None
    """Not served: a certificate of the client."""
    ca_pem: str | None = None
    """The CAs by which the server is known, as PEM."""
    ssl: Any = None
    """Not served: give `caPem`."""

    @property
    def not_served(self) -> str | None:
        for name, value in (("clientPem", self.client_pem), ("ssl", self.ssl)):
            if value is not None:
                return f"`{name}` is not served: leave it out, and give `caPem` where it is needed"
        return super().not_served


TRIGGERS = (
    PollTrigger(AWS, S3Trigger, served=True, driver="penstock.listener.sources.s3:poll_aws"),
    PollTrigger(MINIO, MinioTrigger, served=True, driver="penstock.listener.sources.s3:poll_minio"),
)
