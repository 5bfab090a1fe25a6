"""Where Penstock's own Services are, as the API server says: a cluster need not have DNS."""

from __future__ import annotations

import asyncio
import logging
import os
import time

from penstock.controller.runtime.outcomes import is_unanswered
from penstock.kubernetes.api.client import SERVICES, Api, ApiError, Object
from penstock.network import RefusedNetworks

AGAIN = 2.0
"""Seconds until what could not be looked up is looked up again."""
REMEMBERED = 60.0
"""Seconds for which the address of a Service counts: it changes where the Service is made anew."""

logger = logging.getLogger(__name__)


class OwnServices:
    """The Services that the environment names, in the controller's namespace."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._namespace = os.environ.get("PENSTOCK_NAMESPACE", "")
        self._addresses: dict[str, tuple[float, str]] = {}
        """The host and port of each Service, by its name, and until when they count."""
        self._names = os.environ.get("PENSTOCK_OWN_SERVICES", "").split()

    async def url(self, name: str, scheme: str = "http") -> str:
        """The URL of a Service's first port, as it was within the last minute. Raises
        :class:`ApiError`."""
        until, address = self._addresses.get(name, (0.0, ""))
        if until < time.monotonic():
            address = await self._address(name)
            self._addresses[name] = time.monotonic() + REMEMBERED, address
        return f"{scheme}://{address}"

    async def _address(self, name: str) -> str:
        spec = await self._spec(name)
        address = _addresses(spec)[:1]
        if not address:
            raise ApiError(404, "NotFound", f"the Service `{name}` has no cluster IP")
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        return f"{host}:{spec['ports'][0]['port']}"

    async def are_refused(self, refused: RefusedNetworks) -> None:
        """Refuse the addresses of all of them: they have no business with users' expressions."""
        for name in self._names:
            while True:
                try:
                    refused.refuse(_addresses(await self._spec(name)))
                    break
                except ApiError as error:
                    if not is_unanswered(error):
                        logger.warning("the Service %s can't be looked up: %s", name, error)
                        break
                await asyncio.sleep(AGAIN)

    async def _spec(self, name: str) -> Object:
        spec: Object = (await self._api.get(SERVICES, self._namespace, name))["spec"]
        return spec


def _addresses(spec: Object) -> list[str]:
    found = spec.get("clusterIPs") or [spec.get("clusterIP", "")]
    return [address for address in found if address not in ("", "None")]
