"""The URLs of single files, each for one direction: the object store's own, or this service's."""

from __future__ import annotations

import base64
import logging
import time
from typing import Protocol
from urllib.parse import quote, urlencode

from penstock.storage.digests import METADATA
from penstock.storage.files import Storage
from penstock.storage.grants import Grant
from penstock.storage.presigned import LIFETIME, NoPresigning, Presigner, SignedUrl
from penstock.storage.presigners import presigner
from penstock.storage.signing import OneObject

logger = logging.getLogger(__name__)

OBJECTS = "/o"
"""The path below which this service has its objects."""


class Urls(Protocol):
    """Makes URLs of the files of tenants, for whoever holds a grant."""

    @property
    def largest(self) -> int | None:
        """The most bytes that one PUT may send; None for any number."""

    def get(self, holder: Grant, path: str) -> SignedUrl: ...

    def put(self, holder: Grant, path: str, size: int, digest: str) -> SignedUrl: ...


class OwnUrls:
    """Makes URLs of this service, relative to its own address. They end with the namespace of the
    grant, too."""

    largest = None

    def __init__(self, key: bytes) -> None:
        self._key = key

    def get(self, holder: Grant, path: str) -> SignedUrl:
        wanted = OneObject("GET", holder.tenant, path, _expiry(), namespace=holder.namespace)
        return self._signed(wanted)

    def put(self, holder: Grant, path: str, size: int, digest: str) -> SignedUrl:
        tenant, namespace = holder.tenant, holder.namespace
        return self._signed(OneObject("PUT", tenant, path, _expiry(), size, digest, namespace))

    def _signed(self, wanted: OneObject) -> SignedUrl:
        return SignedUrl(url_of(wanted, wanted.signature(self._key)))


def url_of(wanted: OneObject, signature: str) -> str:
    """The URL that carries a permission and its signature."""
    query: dict[str, str | int] = {"expires": wanted.expires}
    if wanted.size is not None and wanted.digest is not None:
        query |= {"size": wanted.size, "sha256": wanted.digest}
    if wanted.namespace:
        query["namespace"] = wanted.namespace
    path = quote(f"/{wanted.tenant}{wanted.path}", safe="/-._~")
    return f"{OBJECTS}{path}?{urlencode({**query, 'signature': signature})}"


class S3Urls:
    """Makes URLs that the S3 client signs. The digest goes along twice: as the checksum, by which
    the server refuses a file that changed on its way, and as metadata, by which readers check the
    object.
    """

    largest = 5 * 1024**3

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def get(self, holder: Grant, path: str) -> SignedUrl:
        at = self._storage.of(holder.tenant).at(path)
        return SignedUrl(self._storage.filesystem.url(at, expires=LIFETIME))

    def put(self, holder: Grant, path: str, size: int, digest: str) -> SignedUrl:
        checksum = base64.b64encode(bytes.fromhex(digest)).decode()
        url = self._storage.filesystem.url(
            self._storage.of(holder.tenant).at(path),
            expires=LIFETIME,
            client_method="put_object",
            ContentLength=size,
            ChecksumSHA256=checksum,
            Metadata={METADATA: digest},
        )
        return SignedUrl(url, {"x-amz-checksum-sha256": checksum, f"x-amz-meta-{METADATA}": digest})


class StoreUrls:
    """Makes URLs that an object store takes. A file that is too large for one PUT goes by the
    service."""

    largest = None

    def __init__(self, storage: Storage, signer: Presigner, own: OwnUrls) -> None:
        self._storage = storage
        self._signer = signer
        self._own = own

    def get(self, holder: Grant, path: str) -> SignedUrl:
        return self._signer.get(self._storage.of(holder.tenant).at(path))

    def put(self, holder: Grant, path: str, size: int, digest: str) -> SignedUrl:
        if size > self._signer.largest:
            return self._own.put(holder, path, size, digest)
        return self._signer.put(self._storage.of(holder.tenant).at(path), size, digest)


def urls_for(storage: Storage, key: bytes) -> Urls:
    """The maker of a storage's URLs: the object store where it can sign them, else the service. It
    may ask the store: call it in a thread.
    """
    if "s3" in storage.filesystem.protocol:
        return S3Urls(storage)
    own = OwnUrls(key)
    try:
        signer = presigner(storage.filesystem)
    except NoPresigning as error:
        logger.info("files go through this service: %s", error)
        return own
    logger.info("files go to and from the object store itself, by presigned URLs")
    return StoreUrls(storage, signer, own)


def _expiry() -> int:
    return int(time.time()) + LIFETIME
