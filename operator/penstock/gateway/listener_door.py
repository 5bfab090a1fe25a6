"""Whose listener it is that asks: its token says of which Kubernetes namespace it is."""

from __future__ import annotations

from aiohttp import web

from penstock.kubernetes.api.client import Api
from penstock.kubernetes.api.reviews import (
    TokenMemory,
    bearer_token,
    claims_audience,
    claims_of,
    user_of,
)

AUDIENCE = "penstock-gateway"
"""The audience of the tokens of listeners, which are worth nothing to the API server."""
_ACCOUNT = "system:serviceaccount:"


class ListenerDoor:
    """Lets in listeners: whoever has a token, made for the gateway, of a service account. The API
    server says whose it is, and is asked once a minute for each token."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._memory: TokenMemory[str] = TokenMemory(self._reviewed)

    async def namespace(self, request: web.Request) -> str:
        """Give the Kubernetes namespace whose listener asks. Raises what answers anybody else, and
        :class:`ApiError` where the API server does not say."""
        token = bearer_token(request.headers.get("Authorization", ""))
        # What says of itself that it is something else is not asked about.
        if token and claims_audience(token, AUDIENCE) and _namespace_in(_subject(token)):
            namespace = await self._memory.of(token, request.remote or "")
            if namespace:
                return namespace
        raise web.HTTPUnauthorized(
            reason=f"a token of a service account for `{AUDIENCE}` is needed"
        )

    async def _reviewed(self, token: str) -> str:
        """The namespace that the API server names; nothing where the token is nobody's."""
        user = await user_of(self._api, token, AUDIENCE)
        return "" if user is None else _namespace_in(user.name)


def _subject(token: str) -> str:
    subject = claims_of(token).get("sub")
    return subject if isinstance(subject, str) else ""


def _namespace_in(user: str) -> str:
    """The namespace of a service account; nothing where a user is none."""
    if not user.startswith(_ACCOUNT):
        return ""
    namespace, _, name = user.removeprefix(_ACCOUNT).partition(":")
    return namespace if name else ""
