"""Uploads in parts, to an S3 bucket: only one part can break off, and a file may be larger than one
PUT. The client sends the parts to presigned URLs; the service begins and completes the upload.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from penstock.storage.digests import METADATA
from penstock.storage.errors import StorageError, StorageUnavailable
from penstock.storage.files import Storage
from penstock.storage.presigned import LIFETIME, SignedUrl
from penstock.storage.uploads import Upload
from penstock.storage.uris import uri_of
from penstock.tasks.remote.uploading import COMPLETE_SECONDS

PART_BYTES = 64 * 1024**2
"""Of each part but the last; more where there would be too many of them."""
_MOST_PARTS = 10_000
"""That S3 takes."""
_MIB = 1024**2
_LOOK_SECONDS = 0.5


class S3Parts:
    """Begins, signs and completes uploads in parts.

    Each part has its own SHA-256, by which the server refuses a part that changed on its way; that
    of the whole file is metadata of the object, as with a file that is sent as one.
    """

    largest = 5 * 1024**4
    """The most bytes that one object may have."""

    def __init__(self, storage: Storage, key: bytes, part_bytes: int = PART_BYTES) -> None:
        self._storage = storage
        self._key = key
        self._part_bytes = part_bytes

    def part_bytes(self, size: int) -> int:
        """The size of the parts of a file of some size."""
        return max(self._part_bytes, -(-size // (_MOST_PARTS * _MIB)) * _MIB)

    def begin(self, tenant: str, path: str, size: int, digest: str) -> str:
        """Begin an upload, and give its token. Whoever begins one completes or aborts it."""
        begun = self._call(
            "create_multipart_upload",
            tenant,
            path,
            ChecksumAlgorithm="SHA256",
            Metadata={METADATA: digest},
        )
        upload = Upload(tenant, path, begun["UploadId"], size, digest, self.part_bytes(size))
        return upload.token(self._key)

    def verified(self, token: str) -> Upload:
        """The upload of a token. Raises :class:`AccessDenied`."""
        return Upload.verified(token, self._key)

    def put(self, upload: Upload, number: int, digest: str) -> SignedUrl:
        """The URL to which one part is sent. Parts are counted from 1."""
        sizes = upload.sizes
        if not 1 <= number <= len(sizes):
            raise StorageError(f"the upload has {len(sizes)} parts, and no number {number}")
        checksum = base64.b64encode(bytes.fromhex(digest)).decode()
        url = self._storage.filesystem.url(
            self._storage.of(upload.tenant).at(upload.path),
            expires=LIFETIME,
            client_method="upload_part",
            UploadId=upload.id,
            PartNumber=number,
            ContentLength=sizes[number - 1],
            ChecksumSHA256=checksum,
        )
        return SignedUrl(url, {"x-amz-checksum-sha256": checksum})

    def complete(self, upload: Upload) -> None:
        """Make the parts a file. Repeated after the first answer was lost, it does nothing. Raises
        :class:`StorageError` where not all bytes of the file came.
        """
        try:
            parts = list(self._parts(upload))
            sizes = [part["Size"] for part in parts]
            if sizes != list(upload.sizes):
                came = f"{sum(sizes)} of {upload.size} bytes came"
                raise StorageError(f"`{uri_of(upload.path)}` is not whole: {came}")
            named = [{name: part[name] for name in _TOLD if name in part} for part in parts]
            self._on("complete_multipart_upload", upload, MultipartUpload={"Parts": named})
            self._await(upload)
        except FileNotFoundError:
            if not self._is_there(upload):
                raise StorageError(
                    f"`{uri_of(upload.path)}`: the upload is gone; somebody aborted it"
                ) from None

    def abort(self, upload: Upload) -> None:
        """Delete all parts of the upload."""
        with suppress(FileNotFoundError):
            self._on("abort_multipart_upload", upload)

    def _parts(self, upload: Upload) -> Iterator[dict[str, Any]]:
        marker = 0
        while True:
            page = self._on("list_parts", upload, PartNumberMarker=marker)
            yield from page.get("Parts", ())
            if not page.get("IsTruncated"):
                return
            marker = page["NextPartNumberMarker"]

    def _await(self, upload: Upload) -> None:
        """Wait until the object exists. A store may still copy when it says that all is done:
        versitygw does where it is asked a second time, since its first answer took too long.
        """
        deadline = time.monotonic() + COMPLETE_SECONDS
        while not self._is_there(upload):
            if time.monotonic() > deadline:
                raise StorageUnavailable(
                    f"`{uri_of(upload.path)}` is not there yet, {COMPLETE_SECONDS:.0f} s after "
                    "all of its parts came"
                )
            time.sleep(_LOOK_SECONDS)

    def _is_there(self, upload: Upload) -> bool:
        try:
            found = self._call("head_object", upload.tenant, upload.path)
        except FileNotFoundError:
            return False
        told = (found["ContentLength"], found["Metadata"].get(METADATA))
        return told == (upload.size, upload.digest)

    def _on(self, method: str, upload: Upload, **more: Any) -> dict[str, Any]:
        return self._call(method, upload.tenant, upload.path, UploadId=upload.id, **more)

    def _call(self, method: str, tenant: str, path: str, **more: Any) -> dict[str, Any]:
        files = self._storage.filesystem
        bucket, name, _ = files.split_path(self._storage.of(tenant).at(path))
        answer: dict[str, Any] = files.call_s3(method, Bucket=bucket, Key=name, **more)
        return answer


_TOLD = ("PartNumber", "ETag", "ChecksumSHA256")
"""What a store wants to hear of each part. One that makes no checksums tells none."""


def parts_for(storage: Storage, key: bytes) -> S3Parts | None:
    """The uploads in parts of a store; None where it takes none."""
    return S3Parts(storage, key) if "s3" in storage.filesystem.protocol else None
