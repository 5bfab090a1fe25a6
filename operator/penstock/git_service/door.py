"""Who may ask the Git service: the controller, and nobody else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import time
from collections import OrderedDict
from typing import Any, Protocol

from penstock.git.wire import AUDIENCE
from penstock.kubernetes.api.client import Api, ApiError, Resource

TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews")
REMEMBERED = 60.0
"""Seconds for which what the API server said of a token counts."""
_MOST = 1000
_LONGEST_TOKEN = 16 * 1024
_AT_ONCE = 4
"""Tokens that the API server is asked about at once."""

logger = logging.getLogger(__name__)


class Door(Protocol):
    """Decides whether whoever shows a token is let in."""

    async def admits(self, token: str) -> bool: ...


class SecretDoor:
    """Lets in whoever knows a secret: the controller that has started this process."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    async def admits(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._secret)


class ReviewDoor:
    """Lets in the service account ``user``, with tokens that were made for this service: the API
    server says whose a token is."""

    def __init__(self, api: Api, user: str) -> None:
        self._api = api
        self._user = user
        self._seen: OrderedDict[bytes, tuple[float, bool]] = OrderedDict()
        """Whether each token is let in, by its hash, and until when that counts."""
        self._asking = asyncio.Semaphore(_AT_ONCE)

    async def admits(self, token: str) -> bool:
        # What says of itself that it is somebody else's, or for something else, is not asked about.
        if not self._claims_to_fit(token):
            return False
        key = hashlib.sha256(token.encode()).digest()
        async with self._asking:
            until, admitted = self._seen.get(key, (0.0, False))
            if until < time.monotonic():
                admitted = await self._reviewed(token)
                self._seen[key] = time.monotonic() + REMEMBERED, admitted
                self._seen.move_to_end(key)
                if len(self._seen) > _MOST:
                    self._seen.popitem(last=False)
        return admitted

    async def _reviewed(self, token: str) -> bool:
        """What the API server says. Raises :class:`ApiError` where it does not."""
        spec = {"token": token, "audiences": [AUDIENCE]}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        answer = await self._api.create(TOKEN_REVIEWS, "", body)
        status: dict[str, Any] = answer.get("status") or {}
        user = (status.get("user") or {}).get("username")
        return (
            status.get("authenticated") is True
            and AUDIENCE in (status.get("audiences") or ())
            and user == self._user
        )

    def _claims_to_fit(self, token: str) -> bool:
        parts = token.split(".")
        if len(token) > _LONGEST_TOKEN or len(parts) != 3:
            return False
        try:
            claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            return claims["sub"] == self._user and AUDIENCE in claims["aud"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return False


async def is_admitted(door: Door, authorization: str) -> bool | None:
    """Whether the value of an ``Authorization`` header opens the door; None: nobody can say."""
    kind, _, token = authorization.partition(" ")
    if kind != "Bearer" or not token:
        return False
    try:
        return await door.admits(token)
    except ApiError as error:
        logger.warning("a token can't be looked at: %s", error)
        return None
