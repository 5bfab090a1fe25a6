"""S3 as a file system whose failures are those of a storage."""

from __future__ import annotations

import logging
from typing import Any

from botocore.exceptions import BotoCoreError
from s3fs import S3FileSystem

from penstock.storage.errors import StorageUnavailable

logger = logging.getLogger(__name__)


class S3(S3FileSystem):  # type: ignore[misc]
    """Whoever uses it need not know the errors of its client. What a server answers comes as
    ``OSError`` already; this is for a server that does not.
    """

    retries = 2
    """On top of those of the client itself. Whoever asks tries again."""

    async def _call_s3(self, method: str, *arguments: Any, **named: Any) -> Any:
        try:
            return await super()._call_s3(method, *arguments, **named)
        except BotoCoreError as error:
            logger.warning("%s: %s", method, error)
            kind = type(error).__name__
            raise StorageUnavailable(f"the object store does not answer ({kind})") from error
