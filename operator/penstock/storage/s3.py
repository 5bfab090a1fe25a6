"""S3 as a file system whose failures are those of a storage."""

from __future__ import annotations

import logging
from typing import Any

from botocore.exceptions import BotoCoreError
from s3fs import S3FileSystem

from penstock.storage.errors import StorageUnavailable

logger = logging.getLogger(__name__)


class S3(S3FileSystem):  # type: ignore[misc]
    """S3, without the errors of its client: callers need not know them.

    An error that a server answers is an ``OSError`` already; this is for a server that is silent.
    """

    retries = 2
    """The tries on top of those of the client itself. Callers try again too."""

    async def _call_s3(self, method: str, *arguments: Any, **named: Any) -> Any:
        try:
            return await super()._call_s3(method, *arguments, **named)
        except BotoCoreError as error:
            logger.warning("%s: %s", method, error)
            kind = type(error).__name__
            raise StorageUnavailable(f"the object store does not answer ({kind})") from error
