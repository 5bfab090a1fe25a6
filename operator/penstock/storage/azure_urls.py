"""Presigned URLs of Azure: a shared access signature of one blob.

It is signed with the account's key, or with one that Azure gives to an identity for a day. It binds
the blob, the direction and the time, but neither the size nor the content: so a URL to write a blob
that is not there yet may create it and not replace it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.exceptions import AzureError
from azure.core.utils import parse_connection_string
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, generate_blob_sas

from penstock.storage.azure_files import AzureFiles
from penstock.storage.digests import AZURE_METADATA
from penstock.storage.presigned import LIFETIME, NoPresigning, SignedUrl

_KEY_LIFETIME = timedelta(days=1)
_MARGIN = timedelta(minutes=5)


class AccountKey:
    """The key of the storage account, which signs URLs."""

    def __init__(self, account: str, key: str) -> None:
        self.account = account
        self._key = key

    def arguments(self) -> dict[str, Any]:
        """The arguments with which a signature is made."""
        return {"account_key": self._key}


class DelegatedKey:
    """A key of an identity, which signs URLs; it is asked for anew before it ends."""

    def __init__(self, client: BlobServiceClient) -> None:
        self.account = str(client.account_name)
        self._client = client
        self._key, self._until = self._asked()

    def arguments(self) -> dict[str, Any]:
        """The arguments with which a signature is made."""
        if self._until < datetime.now(UTC) + timedelta(seconds=LIFETIME) + _MARGIN:
            self._key, self._until = self._asked()
        return {"user_delegation_key": self._key}

    def _asked(self) -> tuple[Any, datetime]:
        now = datetime.now(UTC)
        until = now + _KEY_LIFETIME
        return self._client.get_user_delegation_key(now - _MARGIN, until), until


@dataclass(frozen=True)
class AzureUrls:
    """URLs of the blobs of an account."""

    files: AzureFiles
    key: AccountKey | DelegatedKey
    largest: int = 5000 * 1024**2

    @classmethod
    def of(cls, files: AzureFiles) -> AzureUrls:
        """The URLs of an account. Raises :class:`NoPresigning` where nothing signs them."""
        return cls(files, _key_of(files))

    def get(self, at: str) -> SignedUrl:
        return SignedUrl(self._signed(at, BlobSasPermissions(read=True)))

    def put(self, at: str, size: int, digest: str) -> SignedUrl:
        there = self.files.exists(at)
        url = self._signed(at, BlobSasPermissions(create=not there, write=there))
        headers = {"x-ms-blob-type": "BlockBlob", f"x-ms-meta-{AZURE_METADATA}": digest}
        return SignedUrl(url, headers, checked=False)

    def _signed(self, at: str, permission: BlobSasPermissions) -> str:
        container, blob, _ = self.files.split_path(at)
        url = self.files.service_client.get_blob_client(container, blob).url
        signature = generate_blob_sas(
            self.key.account,
            container,
            blob,
            permission=permission,
            expiry=datetime.now(UTC) + timedelta(seconds=LIFETIME),
            protocol="https" if url.startswith("https:") else None,
            **self.key.arguments(),
        )
        return f"{url}?{signature}"


def _key_of(files: AzureFiles) -> AccountKey | DelegatedKey:
    said = parse_connection_string(files.connection_string) if files.connection_string else {}
    account = said.get("accountname") or files.account_name
    key = said.get("accountkey") or (None if said else files.account_key)
    if account and key:
        return AccountKey(account, key)
    if files.sync_credential is None:
        raise NoPresigning("there is neither a key of the account nor an identity to sign with")
    try:
        return DelegatedKey(BlobServiceClient(files.account_url, files.sync_credential))
    except AzureError as error:
        reason = str(error).partition("\n")[0]
        raise NoPresigning(
            f"the identity gets no key to sign with (role `Storage Blob Delegator`): {reason}"
        ) from error
