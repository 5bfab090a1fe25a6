"""Who may ask the Git service: the controller, and nobody else."""

from __future__ import annotations

import hmac
import logging
from typing import Protocol

from penstock.git.wire import AUDIENCE
from penstock.kubernetes.api.client import Api, ApiError
from penstock.kubernetes.api.reviews import (
    TokenMemory,
    bearer_token,
    claims_audience,
    claims_of,
    user_of,
)

logger = logging.getLogger(__name__)


class Door(Protocol):
    """Decides whether whoever shows a token is let in."""

    async def admits(self, token: str, asker: str) -> bool: ...


class SecretDoor:
    """Lets in whoever knows a secret: the controller that has started this process."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    async def admits(self, token: str, asker: str) -> bool:
        return hmac.compare_digest(token.encode(), self._secret)


class ReviewDoor:
    """Lets in the service account ``user``, with tokens that were made for this service: the API
    server says whose a token is."""

    def __init__(self, api: Api, user: str) -> None:
        self._api = api
        self._user = user
        self._memory = TokenMemory(self._reviewed)

    async def admits(self, token: str, asker: str) -> bool:
        # What says of itself that it is somebody else's, or for something else, is not asked about.
        fits = claims_of(token).get("sub") == self._user and claims_audience(token, AUDIENCE)
        return fits and await self._memory.of(token, asker)

    async def _reviewed(self, token: str) -> bool:
        """What the API server says. Raises :class:`ApiError` where it does not."""
        user = await user_of(self._api, token, AUDIENCE)
        return user is not None and user.name == self._user


async def is_admitted(door: Door, authorization: str, asker: str = "") -> bool | None:
    """Whether the value of an ``Authorization`` header opens the door; None: nobody can say.
    ``asker`` is the address that it came from."""
    token = bearer_token(authorization)
    if not token:
        return False
    try:
        return await door.admits(token, asker)
    except ApiError as error:
        logger.warning("a token can't be looked at: %s", error)
        return None
