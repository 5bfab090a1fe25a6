"""How errors become HTTP answers: JSON, with a reason that the client knows."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from penstock.storage.errors import (
    AccessDenied,
    FileDamaged,
    FileMissing,
    FileTooLarge,
    StorageError,
    StorageFull,
    StorageUnavailable,
)

logger = logging.getLogger(__name__)

_REASONS: Mapping[type[StorageError], tuple[str, int]] = {
    FileMissing: ("missing", 404),
    AccessDenied: ("denied", 403),
    FileDamaged: ("damaged", 422),
    StorageFull: ("full", 507),
    FileTooLarge: ("too-large", 413),
    StorageUnavailable: ("unavailable", 503),
}


def described(error: StorageError) -> dict[str, Any]:
    """An error as the JSON that the client reads."""
    return {"error": {"reason": _reason(error)[0], "message": str(error)}}


@web.middleware
async def errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer each error that a handler raises before it began to answer."""
    try:
        return await handler(request)
    except StorageError as error:
        logger.info("%s refused: %s", request.method, error)
        return web.json_response(described(error), status=_reason(error)[1])
    except (web.HTTPException, ConnectionError):
        raise
    except Exception as error:  # each kind of storage has its own errors
        logger.exception("%s failed", request.method)
        kind = type(error).__name__
        failed = StorageUnavailable(f"the storage behind it failed ({kind}); its log says why")
        return web.json_response(described(failed), status=500)


def _reason(error: StorageError) -> tuple[str, int]:
    return _REASONS.get(type(error), ("refused", 400))
