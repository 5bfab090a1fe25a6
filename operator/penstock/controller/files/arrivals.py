"""What the gateway needs to let files of triggers into the internal storage: it is kept in a Secret
of the controller's own namespace, which the gateway mounts.

The key in it signs for such files alone: see :mod:`penstock.storage.arrivals`.
"""

from __future__ import annotations

import asyncio
import logging
import os

from penstock.controller.files.storage_access import StorageAccess
from penstock.controller.runtime.own_secrets import Data, OwnSecrets
from penstock.kubernetes.api.client import Api, ApiError
from penstock.storage.arrivals import AUTHORITIES, KEY, URL, arrivals_key
from penstock.storage.errors import StorageUnavailable

PERIOD = 300.0
"""Seconds from one look at the Secret to the next."""
AGAIN = 2.0
"""Seconds until what failed is tried again."""
_TYPE = "Opaque"

logger = logging.getLogger(__name__)


class Arrivals:
    """Keeps the Secret as it has to be."""

    def __init__(self, secrets: OwnSecrets, name: str, storage: StorageAccess) -> None:
        self._secrets = secrets
        self._name = name
        self._storage = storage

    @classmethod
    def of_environment(cls, api: Api, storage: StorageAccess) -> Arrivals | None:
        """Find the Secret that the chart names; None where it names none: there is no gateway."""
        name = os.environ.get("PENSTOCK_ARRIVALS")
        if not name:
            return None
        return cls(OwnSecrets(api, os.environ.get("PENSTOCK_NAMESPACE", "")), name, storage)

    async def run(self) -> None:
        """Keep it, for ever."""
        while True:
            try:
                await self.ensure()
            except (ApiError, StorageUnavailable) as error:
                logger.warning("files of triggers can't be let in yet: %s", error)
                await asyncio.sleep(AGAIN)
            else:
                await asyncio.sleep(PERIOD)

    async def ensure(self) -> None:
        """Let the Secret say what is so now. Raises ``ApiError``, :class:`StorageUnavailable`."""
        storage = self._storage
        wanted = {
            URL: storage.url,
            AUTHORITIES: storage.authorities,
            KEY: arrivals_key(storage.key).hex(),
        }

        def changed(found: Data | None) -> Data | None:
            return None if found == wanted else wanted

        await self._secrets.keep(self._name, _TYPE, changed)
