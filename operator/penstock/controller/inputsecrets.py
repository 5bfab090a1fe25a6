"""The values of inputs of type SECRET, kept in a Secret that the Execution owns.

The controller may make Secrets and not read any: it writes the values there once, and from then on
it knows them by name only, as it does all others.
"""

from __future__ import annotations

from penstock.engine.actions import KeepSecrets
from penstock.kubernetes.api import SECRETS, Api, ApiError, Object
from penstock.kubernetes.kept import owned_meta


class InputSecrets:
    """Makes the Secrets of executions."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def keep(self, execution: Object, wanted: KeepSecrets) -> None:
        """Let there be the Secret. One that is there was left by a controller that was stopped
        before it wrote the status."""
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": owned_meta(execution, wanted.name),
            "immutable": True,
            "stringData": dict(wanted.values),
        }
        try:
            await self._api.create(SECRETS, execution["metadata"]["namespace"], body)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
