"""The trigger that looks for new objects in a bucket of Google Cloud Storage."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from penstock.flow.model import RenderedBool, is_expression
from penstock.triggers.brokers.properties import Count, in_capitals
from penstock.triggers.kinds import PollTrigger
from penstock.triggers.objects.properties import Action, ObjectTrigger, Text, number

GCS = "io.kestra.plugin.gcp.gcs.Trigger"
_URI = re.compile(r"gs://([^/]+)/?(.*)", re.DOTALL)


def bucket_and_name(uri: str) -> tuple[str, str] | None:
    """The bucket of a URI such as `gs://lake/inbox`, and what follows it; None for no such URI."""
    match = _URI.fullmatch(uri)
    return None if match is None else (match[1], match[2])


class GcsTrigger(ObjectTrigger):
    """Looks for new objects in a bucket of Google Cloud Storage, and starts one execution for them.

    ```yaml
    id: arrived
    type: io.kestra.plugin.gcp.gcs.Trigger
    from: gs://lake/inbox/
    serviceAccount: "{{ secret('GCP_KEY') }}"
    action: MOVE
    moveDirectory: gs://lake/done/
    ```
    """

    from_: Annotated[Text, Field(alias="from")]
    """Where to look: `gs://`, the bucket, and how the names begin."""
    listing_type: Annotated[Literal["DIRECTORY", "RECURSIVE"], BeforeValidator(in_capitals)] = (
        "DIRECTORY"
    )
    """Whether deeper folders are looked into (`RECURSIVE`) or not."""
    reg_exp: str | None = None
    """What the whole `gs://…` URI must match."""
    all_versions: RenderedBool = False
    """Not served: what is looked at is the newest version of each object."""
    max_files: Count = 25
    """How many objects one execution gets at most; the others are looked at next time."""
    action: Action = "NONE"
    """What is done with an object once its Execution is stored: `MOVE`, `DELETE` or `NONE`."""
    move_directory: str | None = None
    """Where `MOVE` puts it: a `gs://…` URI."""
    service_account: str | None = None
    """The key of a service account, as the JSON text that Google gives out."""
    impersonated_service_account: str | None = None
    """Not served: give the key of that account."""
    project_id: str | None = None
    """The project that pays for the requests, where the bucket wants one."""
    scopes: list[str] = ["https://www.googleapis.com/auth/cloud-platform"]
    """What the credentials are asked for."""

    @model_validator(mode="after")
    def _has_places(self) -> Self:
        for name, uri in (("from", self.from_), ("moveDirectory", self.move_directory)):
            if uri is not None and not is_expression(uri) and bucket_and_name(uri) is None:
                raise ValueError(f"`{name}` must be a URI such as gs://bucket/folder/")
        if self.action == "MOVE" and self.move_directory is None:
            raise ValueError("`action: MOVE` needs `moveDirectory`")
        return self

    @property
    def most(self) -> int:
        return number(self.max_files, 25)

    @property
    def pattern(self) -> str | None:
        return self.reg_exp

    @property
    def not_served(self) -> str | None:
        if self.service_account is None:
            return (
                "give `serviceAccount`, from a secret: a listener has no credentials of its own "
                "for a bucket"
            )
        if self.impersonated_service_account is not None:
            return "`impersonatedServiceAccount` is not served: give the key of that account"
        if self.all_versions is True:
            return "`allVersions` is not served: leave it out"
        return super().not_served


TRIGGER = PollTrigger(GCS, GcsTrigger, served=True, driver="penstock.listener.sources.gcs:poll")
