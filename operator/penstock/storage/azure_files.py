"""Azure Blob Storage as a file system: adlfs, made to behave as the other stores do.

Names of blobs are taken as they are, where adlfs reads `?` and `#` as parts of a URL. An open file
reads one version of a blob. Errors are those of a file system.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from adlfs import AzureBlobFileSystem
from adlfs.spec import AzureBlobFile
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceNotFoundError
from fsspec.asyn import sync_wrapper

from penstock.storage.errors import StorageError, StorageUnavailable

BLOCK = 4 * 1024 * 1024
"""Bytes of a file that are sent at once, and held in memory; a blob has 50,000 of them at most."""
READ_BLOCK = 1024 * 1024
_NAMES = ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_CONNECTION_STRING")

P = ParamSpec("P")
T = TypeVar("T")


def opened(options: dict[str, Any]) -> AzureFiles:
    """Open the file system of a storage account, with the credentials of the environment."""
    if "account_name" not in options and not any(map(os.environ.get, _NAMES)):
        raise StorageError(
            "az:// needs the name of the storage account: set `storage.options.account_name`, or "
            f"one of the variables {' and '.join(_NAMES)}, which may come from a Secret"
        )
    logging.getLogger("azure").setLevel(logging.WARNING)  # it logs every request
    return AzureFiles(use_listings_cache=False, **options)


def _told(act: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Turn the errors of the service into errors of a file system."""

    @wraps(act)
    async def told(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return await act(*arguments, **named)
        except ResourceNotFoundError as error:
            raise FileNotFoundError(_said(error)) from error
        except RuntimeError as error:  # adlfs wraps the errors of an upload
            if getattr(error.__cause__, "error_code", None) == "InvalidBlockList":
                raise StorageUnavailable(
                    "somebody else wrote the file at the same time, and came first"
                ) from error
            raise OSError(f"Azure: {_said(error)}") from error
        except AzureError as error:
            raise OSError(f"Azure: {_said(error)}") from error

    return told


def _said(error: Exception) -> str:
    return str(error).partition("\n")[0]


class AzureFiles(AzureBlobFileSystem):  # type: ignore[misc]
    """The containers of a storage account."""

    protocol = ("az",)
    cachable = False

    def do_connect(self) -> None:
        super().do_connect()
        # Four tries in 9 s, not in 84: the client that asks for a file tries again itself.
        policy = self.service_client._config.retry_policy
        policy.initial_backoff, policy.increment_base, policy.random_jitter_range = 0.5, 1.5, 0.5

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(item) for item in path]
        return str(path).removeprefix("az://").strip("/")

    def split_path(self, path: str, *_: Any, **__: Any) -> tuple[str, str, None]:
        container, _slash, blob = str(self._strip_protocol(path)).partition("/")
        return container, blob, None

    _info = _told(AzureBlobFileSystem._info)
    _ls = _told(AzureBlobFileSystem._ls)
    _rm_file = _told(AzureBlobFileSystem._rm_file)

    @_told
    async def _isdir(self, path: str) -> bool:
        container, blob, _version = self.split_path(path)
        return bool(await self._dir_exists(container, blob))

    @_told
    async def _find(self, path: str, **_: Any) -> list[str]:
        container, folder, _version = self.split_path(path)
        client = self.service_client.get_container_client(container)
        blobs = client.list_blobs(name_starts_with=f"{folder}/", include=["metadata"])
        return [f"{container}/{blob.name}" async for blob in blobs if not _is_folder(blob)]

    def _open(self, path: str, mode: str = "rb", **more: Any) -> AzureBlobFile:
        more["block_size"] = READ_BLOCK if mode == "rb" else BLOCK
        return _AzureFile(self, path, mode, **{**more, "cache_type": "readahead"})


def _is_folder(blob: Any) -> bool:
    """Whether a listed blob is a folder: accounts with a hierarchical namespace list those too."""
    metadata = {name.lower(): value for name, value in (blob.metadata or {}).items()}
    return metadata.get("hdi_isfolder") == "true"


class _AzureFile(AzureBlobFile):  # type: ignore[misc]
    """An open blob. Where it is replaced meanwhile, parts of the old and the new one are not
    mixed."""

    @_told
    async def _async_fetch_range(self, start: int, end: int | None = None, **_: Any) -> bytes:
        length = (self.size if end is None else min(end, self.size)) - start
        if length <= 0:
            return b""
        client = self.fs.service_client.get_blob_client(self.container_name, self.blob)
        stream = await client.download_blob(
            offset=start,
            length=length,
            etag=self.details["etag"],
            match_condition=MatchConditions.IfNotModified,
        )
        return bytes(await stream.readall())

    _fetch_range = sync_wrapper(_async_fetch_range)
    _upload_chunk = sync_wrapper(_told(AzureBlobFile._async_upload_chunk))
