"""The settings of the internal storage, and the storage that they open."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from fsspec import AbstractFileSystem
from pydantic import Field, model_validator

from penstock.flow.model import Document
from penstock.storage.errors import StorageError
from penstock.storage.files import Storage

GIB = 1024**3

_OPTIONS: Mapping[str, frozenset[str]] = {
    "file": frozenset(),
    "s3": frozenset({"endpoint_url", "client_kwargs", "config_kwargs", "use_ssl", "anon"}),
    "gs": frozenset({"project", "endpoint_url", "consistency", "requester_pays"}),
    "az": frozenset({"account_name", "account_host", "location_mode"}),
}
"""The names that `options` may have, by the scheme of the URL."""

_SECRET = re.compile(
    r"secret|password|token|credential|connection_string|(^|_)key($|_)", re.IGNORECASE
)
_S3_BLOCK = 8 * 1024 * 1024
"""Bytes of a file that are held in memory while it is read or written through s3fs."""


class StorageSettings(Document):
    """An administrator's settings of the internal storage. Credentials are no settings: they come
    as variables of the environment, from a Secret.
    """

    url: str = "file:///var/lib/penstock"
    """The place of the files: a folder (`file:///…`, on a volume), or a bucket:
    `s3://bucket/prefix`, `gs://…`, `az://…`."""
    options: dict[str, Any] = {}
    """Options of that file system, such as `endpoint_url` for S3."""
    service_url: str | None = None
    """The address at which pods reach the storage service; that of its Service where it is null."""
    max_file_gib: Annotated[float, Field(gt=0)] = 100
    """The most GiB that one file may have. S3 takes 5 TiB at most in any case."""
    quota_gib: Annotated[float, Field(ge=0)] | None = None
    """The most GiB of files that one Kubernetes namespace may keep; 0 for any number. Where it is
    null, half of the volume, and any number in a bucket."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        scheme, rest = self.scheme, urlsplit(self.url)
        if scheme not in _OPTIONS:
            raise ValueError(
                f"`storage.url` is `{self.url}`; it begins with file://, s3://, gs:// or az://"
            )
        if scheme == "file" and (rest.netloc or not rest.path.strip("/")):
            raise ValueError("`storage.url` names no folder; write file:///var/lib/penstock")
        if scheme != "file" and not rest.netloc:
            raise ValueError(f"`storage.url` names no bucket; write {scheme}://bucket/prefix")
        if rest.username or rest.query or rest.fragment:
            raise ValueError("`storage.url` has more than a bucket or a folder and a path")
        for name in self.options.keys() - _OPTIONS[scheme]:
            known = ", ".join(sorted(_OPTIONS[scheme])) or "none"
            raise ValueError(f"`storage.options.{name}` is not known for {scheme}:// ({known})")
        for name in _names(self.options):
            if _SECRET.search(name):
                raise ValueError(
                    f"`storage.options` must not hold `{name}`: credentials come from a Secret"
                )
        if self.service_url is not None and not self.service_url.startswith(
            ("http://", "https://")
        ):
            raise ValueError("`storage.serviceUrl` must begin with http:// or https://")
        return self

    @property
    def scheme(self) -> str:
        """The scheme of the URL, which names the kind of file system."""
        return self.url.partition("://")[0]

    @property
    def max_file_bytes(self) -> int:
        return int(self.max_file_gib * GIB)

    def quota_bytes(self) -> int | None:
        """The most bytes that one Kubernetes namespace may keep; None for any number. It looks at
        the size of the volume."""
        if self.quota_gib is not None:
            return int(self.quota_gib * GIB) or None
        if self.scheme != "file":
            return None
        folder = Path(urlsplit(self.url).path)
        existing = next(item for item in (folder, *folder.parents) if item.exists())
        return shutil.disk_usage(existing).total // 2


def opened(settings: StorageSettings) -> Storage:
    """Open the storage of all tenants that the settings describe. Nothing is read yet."""
    if settings.scheme == "file":
        return Storage.local(urlsplit(settings.url).path, durable=True)
    # Two processes write: a listing that one of them remembers may be out of date.
    return Storage(_STORES[settings.scheme](dict(settings.options)), settings.url)


def _s3(options: dict[str, Any]) -> AbstractFileSystem:
    from penstock.storage.s3 import S3  # its client is slow to import

    return S3(use_listings_cache=False, **_for_s3(options))


def _google(options: dict[str, Any]) -> AbstractFileSystem:
    with _installed("gs", "gcs", "gcsfs"):
        from penstock.storage import google_files
    return google_files.opened(options)


def _azure(options: dict[str, Any]) -> AbstractFileSystem:
    with _installed("az", "azure", "adlfs"):
        from penstock.storage import azure_files
    return azure_files.opened(options)


_STORES: Mapping[str, Callable[[dict[str, Any]], AbstractFileSystem]] = {
    "s3": _s3,
    "gs": _google,
    "az": _azure,
}


@contextmanager
def _installed(scheme: str, extra: str, package: str) -> Iterator[None]:
    """Turn a failed import into a message that says what to do; Penstock's image has every
    package."""
    try:
        yield
    except ImportError as error:
        raise StorageError(
            f"{scheme}:// needs the package `{package}`, which is not installed ({error}): use "
            f"Penstock's own image, or `pip install 'penstock[{extra}]'`"
        ) from error


def _for_s3(options: dict[str, Any]) -> dict[str, Any]:
    """The options with which S3 is used here. They ask for signatures of version 4, which every S3
    server takes; for few tries when nobody answers, since callers try again; and for bounded
    memory.
    """
    config = {
        "signature_version": "s3v4",
        "connect_timeout": 10,
        "retries": {"mode": "standard", "max_attempts": 2},
        **options.get("config_kwargs", {}),
    }
    return {**options, "config_kwargs": config, "default_block_size": _S3_BLOCK}


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)
