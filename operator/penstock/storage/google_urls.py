"""Presigned URLs of Google Cloud Storage: signatures of version 4, with a service account's key.

A URL to write binds the object, the size, the metadata, and which generation of the object it
replaces: so it is good for one write. It does not bind the content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from google.cloud.storage import Client
from google.oauth2 import service_account

from penstock.storage.digests import METADATA
from penstock.storage.google_files import CREDENTIALS, GoogleFiles
from penstock.storage.presigned import LIFETIME, NoPresigning, SignedUrl


@dataclass(frozen=True)
class GoogleUrls:
    """URLs of the objects of a bucket."""

    files: GoogleFiles
    client: Client
    largest: int = 5 * 1024**4

    @classmethod
    def of(cls, files: GoogleFiles) -> GoogleUrls:
        """The URLs of a store. Raises :class:`NoPresigning` where nothing signs them."""
        credentials = files.credentials.credentials
        if not isinstance(credentials, service_account.Credentials):
            raise NoPresigning(
                f"only the key of a service account signs URLs (the variable {CREDENTIALS})"
            )
        return cls(files, Client(project=files.project, credentials=credentials))

    def get(self, at: str) -> SignedUrl:
        return SignedUrl(self._signed(at, "GET", {}))

    def put(self, at: str, size: int, digest: str) -> SignedUrl:
        headers = {
            "x-goog-content-length-range": f"{size},{size}",
            "x-goog-if-generation-match": self._generation(at),
            f"x-goog-meta-{METADATA}": digest,
        }
        return SignedUrl(self._signed(at, "PUT", headers), headers, checked=False)

    def _generation(self, at: str) -> str:
        try:
            return str(self.files.info(at).get("generation", 0))
        except FileNotFoundError:
            return "0"

    def _signed(self, at: str, method: str, headers: Mapping[str, str]) -> str:
        bucket, name, _ = self.files.split_path(at)
        blob = self.client.bucket(bucket).blob(name)
        url: str = blob.generate_signed_url(
            version="v4",
            method=method,
            expiration=timedelta(seconds=LIFETIME),
            api_access_endpoint=self.files._location,
            headers=dict(headers),  # Google's client puts `Host` into it
        )
        return url
