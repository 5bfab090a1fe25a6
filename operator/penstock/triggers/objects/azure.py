"""The trigger that looks for new blobs in a container of Azure Blob Storage."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, model_validator

from penstock.flow.model import Document
from penstock.triggers.brokers.properties import Count, in_capitals
from penstock.triggers.kinds import PollTrigger
from penstock.triggers.objects.properties import Action, ObjectTrigger, Text, number

AZURE = "io.kestra.plugin.azure.storage.blob.Trigger"

BlobFilter = Annotated[Literal["FILES", "DIRECTORIES", "BOTH"], BeforeValidator(in_capitals)]
"""Which blobs count: `DIRECTORIES` are those whose name ends with `/`."""


class MoveBlobTo(Document):
    """Where blobs are moved."""

    container: str | None = None
    """The container; the one of the trigger where it is not given."""
    name: Text
    """The folder below which a blob is put, under the last part of its name."""


class AzureBlobTrigger(ObjectTrigger):
    """Looks for new blobs in a container of Azure Blob Storage, and starts one execution for them.

    ```yaml
    id: arrived
    type: io.kestra.plugin.azure.storage.blob.Trigger
    endpoint: https://company.blob.core.windows.net
    connectionString: "{{ secret('AZURE_CONNECTION') }}"
    container: lake
    prefix: inbox/
    action: MOVE
    moveTo:
      name: done
    ```
    """

    endpoint: str | None = None
    """The address of the account; not needed where `connectionString` has it."""
    connection_string: str | None = None
    """What Azure calls the connection string of an account."""
    shared_key_account_name: str | None = None
    """The name of the account, to whose key `sharedKeyAccountAccessKey` belongs."""
    shared_key_account_access_key: str | None = None
    """A key of the account."""
    sas_token: str | None = None
    """A shared access signature."""
    container: Text
    """The container."""
    prefix: str | None = None
    """How the names begin."""
    regexp: str | None = None
    """What the whole name must match."""
    delimiter: str | None = None
    """Names in which it stands once more after the prefix are passed over."""
    filter: BlobFilter = "FILES"
    """`FILES`, `DIRECTORIES` (names that end with `/`) or `BOTH`."""
    max_files: Count = 25
    """How many blobs one execution gets at most; the others are looked at next time."""
    action: Action
    """What is done with a blob once its Execution is stored: `MOVE`, `DELETE` or `NONE`."""
    move_to: MoveBlobTo | None = None
    """Where `MOVE` puts it."""

    @model_validator(mode="after")
    def _knows_where_to(self) -> Self:
        if self.action == "MOVE" and self.move_to is None:
            raise ValueError("`action: MOVE` needs `moveTo` with a `name`")
        if self.endpoint is None and self.connection_string is None:
            raise ValueError("give `endpoint`")
        return self

    @property
    def most(self) -> int:
        return number(self.max_files, 25)

    @property
    def pattern(self) -> str | None:
        return self.regexp

    @property
    def not_served(self) -> str | None:
        has_key = self.shared_key_account_name and self.shared_key_account_access_key
        if not (self.connection_string or has_key or self.sas_token):
            return (
                "give `connectionString`, `sharedKeyAccountName` and `sharedKeyAccountAccessKey`, "
                "or `sasToken`, from secrets: a listener has no credentials of its own for a "
                "container"
            )
        return super().not_served


TRIGGER = PollTrigger(
    AZURE, AzureBlobTrigger, served=True, driver="penstock.listener.sources.azure_blob:poll"
)
