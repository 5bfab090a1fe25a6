"""Whose a token is, and what somebody may do: the API server is asked, and knows."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from penstock.kubernetes.api.client import Api, Object, Resource
from penstock.turns import Turns

TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews")
ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews")
REMEMBERED = 60.0
"""Seconds for which what the API server said of a token counts."""
_MOST = 1000
_LONGEST_TOKEN = 16 * 1024
_AT_ONCE, _OF_ONE = 4, 2
"""Tokens that the API server is asked about at once, in all and for one asker."""

T = TypeVar("T")


@dataclass(frozen=True)
class User:
    """Somebody whom the API server knows."""

    name: str
    uid: str = ""
    groups: Sequence[str] = ()
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)


async def user_of(api: Api, token: str, audience: str | None = None) -> User | None:
    """Return whose a token is that was made for an audience, by default the API server itself; None
    where it is nobody's. Raises :class:`ApiError` where the API server does not say."""
    spec: Object = {"token": token} | ({"audiences": [audience]} if audience else {})
    answer = await api.create(TOKEN_REVIEWS, "", _review("authentication.k8s.io/v1", "Token", spec))
    status: dict[str, Any] = answer.get("status") or {}
    user: dict[str, Any] = status.get("user") or {}
    if status.get("authenticated") is not True or not user.get("username"):
        return None
    # An API server that knows no audiences names none, and its word says nothing about this one.
    if audience is not None and audience not in (status.get("audiences") or ()):
        return None
    return User(
        user["username"],
        user.get("uid") or "",
        tuple(user.get("groups") or ()),
        user.get("extra") or {},
    )


async def may_get(api: Api, user: User, path: str) -> bool:
    """Tell whether somebody may get a path that is no object's, which ClusterRoles call one of the
    ``nonResourceURLs``. Raises :class:`ApiError` where the API server does not say."""
    spec: Object = {
        "user": user.name,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
        "nonResourceAttributes": {"path": path, "verb": "get"},
    } | ({"uid": user.uid} if user.uid else {})
    body = _review("authorization.k8s.io/v1", "SubjectAccess", spec)
    status = (await api.create(ACCESS_REVIEWS, "", body)).get("status") or {}
    return status.get("allowed") is True and not status.get("denied")


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says of itself, which anybody may write; nothing where it is no JWT."""
    parts = token.split(".")
    if len(token) > _LONGEST_TOKEN or len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def claims_audience(token: str, audience: str) -> bool:
    """Tell whether a token says that it was made for an audience."""
    found = claims_of(token).get("aud")
    return audience in found if isinstance(found, list) else audience == found


def bearer_token(authorization: str) -> str:
    """Return the token in the value of an ``Authorization`` header; nothing where there is none."""
    kind, _, token = authorization.partition(" ")
    is_token = kind == "Bearer" and len(token) <= _LONGEST_TOKEN and token.isascii()
    return token if is_token else ""


class TokenMemory(Generic[T]):
    """Remembers for a minute what was found out about tokens. Each asker has its turn, so that one
    that shows many forged tokens keeps nobody else waiting."""

    def __init__(self, found_out: Callable[[str], Awaitable[T]]) -> None:
        self._found_out = found_out
        self._seen: OrderedDict[bytes, tuple[float, T]] = OrderedDict()
        """What was found out about a token, by its hash, and until when that counts."""
        self._turns = Turns(_AT_ONCE, _OF_ONE)

    async def of(self, token: str, asker: str) -> T:
        """Return what is known of a token, or is found out now. ``asker`` is whoever shows it, such
        as by an address. Raises what finding out does."""
        key = hashlib.sha256(token.encode()).digest()
        if (known := self._known(key)) is not None:
            return known[0]
        async with self._turns.turn(asker):
            if (known := self._known(key)) is not None:  # others have shown it meanwhile
                return known[0]
            found = await self._found_out(token)
            self._seen[key] = time.monotonic() + REMEMBERED, found
            self._seen.move_to_end(key)
            if len(self._seen) > _MOST:
                self._seen.popitem(last=False)
        return found

    def _known(self, key: bytes) -> tuple[T] | None:
        seen = self._seen.get(key)
        return None if seen is None or seen[0] < time.monotonic() else (seen[1],)


def _review(version: str, kind: str, spec: Object) -> Object:
    return {"apiVersion": version, "kind": f"{kind}Review", "spec": spec}
