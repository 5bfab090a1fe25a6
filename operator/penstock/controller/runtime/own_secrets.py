"""The Secrets of the controller's own namespace that it makes and reads: by their names, no others.

Whoever writes one at the same time, such as a second controller that still ends, comes first: what
is there then is looked at again.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from penstock.controller.runtime.outcomes import is_gone, is_outrun
from penstock.kubernetes.api.client import SECRETS, Api, ApiError, Object
from penstock.resources.labels import MANAGED_BY, MANAGER

_TRIES = 5

Data = dict[str, str]
"""The values of a Secret, as texts."""


class OwnSecrets:
    """Keeps Secrets as they have to be."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self.namespace = namespace

    async def keep(
        self, name: str, kind: str, wanted: Callable[[Data | None], Data | None]
    ) -> Data:
        """Let a Secret hold what is wanted of what it holds: its values afterwards. ``wanted`` is
        given None where there is no Secret, and gives None where it may stay; ``kind`` is the type
        of one that is made. Raises :class:`ApiError`."""
        for _ in range(_TRIES):
            found = await self._found(name)
            held = None if found is None else _decoded(found)
            data = wanted(held)
            if data is None:
                return held or {}
            try:
                await self._write(name, kind, found, data)
            except ApiError as error:
                if not is_outrun(error):
                    raise
            else:
                return data
        raise ApiError(409, "Conflict", f"somebody else writes the Secret `{name}` all the time")

    async def _found(self, name: str) -> Object | None:
        try:
            return await self._api.get(SECRETS, self.namespace, name)
        except ApiError as error:
            if not is_gone(error):
                raise
            return None

    async def _write(self, name: str, kind: str, found: Object | None, data: Data) -> None:
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        if found is not None:
            await self._api.replace(SECRETS, {**found, "data": encoded})
            return
        meta = {"name": name, "labels": {MANAGED_BY: MANAGER}}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": kind}
        await self._api.create(SECRETS, self.namespace, {**body, "data": encoded})


def _decoded(secret: Object) -> Data:
    """The values of a Secret. What is no text is left out: it is nothing of ours."""
    found = {}
    for key, value in (secret.get("data") or {}).items():
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except ValueError:
            continue
    return found
