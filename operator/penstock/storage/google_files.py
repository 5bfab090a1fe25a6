"""Google Cloud Storage as a file system: gcsfs, with credentials that are given or found.

An open file reads one generation of an object. Errors are those of a file system.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import google.auth
from aiohttp import ClientError
from gcsfs.core import GCSFile, GCSFileSystem
from gcsfs.retry import ChecksumError, HttpError, NonRetryableError, retry_request
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.oauth2 import service_account

from penstock.storage.errors import StorageError

CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS_JSON"
"""The variable with a key of a service account, as the JSON text that Google gives out."""
BLOCK = 4 * 1024 * 1024
"""Bytes of a file that are sent at once, and held in memory."""
READ_BLOCK = 1024 * 1024
_TRIES = 3
"""Of every request, for some 4 s: who asks for a file tries again himself."""
_SCOPES = ["https://www.googleapis.com/auth/devstorage.read_write"]
_ERRORS = (
    *(HttpError, NonRetryableError, ChecksumError),
    *(ClientError, GoogleAuthError, ValueError, RuntimeError),
)


def opened(options: dict[str, Any]) -> GoogleFiles:
    """Open the file system of Google Cloud Storage, with the credentials of the environment."""
    credentials, project = _credentials()
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # what it logs is raised, too
    named = {"project": project, **options}
    return GoogleFiles(token=credentials, use_listings_cache=False, **named)


def _credentials() -> tuple[Credentials, str | None]:
    text = os.environ.get(CREDENTIALS)
    try:
        if text:
            key = json.loads(text)
            made: Any = service_account.Credentials
            made = made.from_service_account_info(key, scopes=_SCOPES)
            return made, made.project_id
        return google.auth.default(scopes=_SCOPES)
    except (GoogleAuthError, ValueError) as error:
        reason = f"the variable {CREDENTIALS} is not right" if text else "no credentials"
        # Google's message about a wrong key may show a part of it.
        said = "" if text else f": {str(error).partition('. ')[0]}"
        raise StorageError(
            f"gs:// has {reason}{said}. Set {CREDENTIALS} to the JSON key of a service account, by "
            "the Secret `storage.secretName`, or give the pod's service account an identity"
        ) from (None if text else error)


class GoogleFiles(GCSFileSystem):  # type: ignore[misc]
    """The buckets that the credentials open."""

    protocol = ("gs",)
    cachable = False

    _request = retry_request(retries=_TRIES)(GCSFileSystem._request.__wrapped__)

    async def _call(self, *arguments: Any, **named: Any) -> Any:
        """Call Google. Raises its errors as those of a file system."""
        try:
            return await super()._call(*arguments, **named)
        except _ERRORS as error:
            if isinstance(error, OSError):
                raise
            raise OSError(f"Google Cloud Storage: {error}") from error

    async def _isdir(self, path: str) -> bool:
        bucket, name, _ = self.split_path(path)
        listed = {"prefix": f"{name}/", "maxResults": 1, "json_out": True}
        return bool((await self._call("GET", "b/{}/o", bucket, **listed)).get("items"))

    def _open(self, path: str, mode: str = "rb", **more: Any) -> GCSFile:
        more["block_size"] = READ_BLOCK if mode == "rb" else BLOCK
        more["consistency"] = more.get("consistency") or self.consistency
        return _GoogleFile(self, path, mode, **{**more, "cache_type": "readahead"})


class _GoogleFile(GCSFile):  # type: ignore[misc]
    """An open object. Where it is replaced meanwhile, parts of the old and the new one are not
    mixed."""

    def _fetch_range(self, start: int | None = None, end: int | None = None) -> bytes:
        if start is not None and start >= min(self.size, self.size if end is None else end):
            return b""
        generation = self.details["generation"]
        found = self.gcsfs.cat_file(self.path, start=start, end=end, generation=generation)
        return bytes(found)
