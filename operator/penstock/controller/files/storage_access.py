"""The internal storage as the controller uses it: itself, and for the pods that it gives grants."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass

from penstock.controller.runtime.certificates import Certificates, CertificatesMissing
from penstock.kubernetes.api.client import SERVICES, Api, ApiError
from penstock.storage.errors import StorageError, StorageUnavailable
from penstock.storage.files import Storage
from penstock.storage.grants import Grant
from penstock.storage.key import read_key
from penstock.storage.settings import StorageSettings, opened
from penstock.tasks.remote.storage import GRANT_VARIABLE, TRUST_VARIABLE, URL_VARIABLE
from penstock.tls.trust import STORAGE

logger = logging.getLogger(__name__)

PORT = "storage"
"""The name of the Service's port."""
AGAIN = 2.0
"""Seconds until what was not there is looked for again."""


@dataclass(frozen=True)
class _Connected:
    key: bytes
    url: str


class StorageAccess:
    """Files of all tenants, and grants for pods once the storage service has started.

    Until then nothing waits: what needs a grant is refused, and tried again by its reconcile.
    """

    def __init__(
        self, api: Api, settings: StorageSettings, certificates: Certificates | None = None
    ) -> None:
        """Where ``certificates`` is None the storage service speaks plain HTTP."""
        self._api = api
        self._settings = settings
        self._certificates = certificates
        self._storage = opened(settings)
        self._connected: _Connected | None = None
        self._missing = "the storage service was not looked for yet"

    @property
    def root(self) -> Storage:
        """The files of all tenants."""
        return self._storage

    def storage(self, tenant: str) -> Storage:
        """The files of a Kubernetes namespace. Its methods block: call them in a thread."""
        return self._storage.of(tenant)

    @property
    def url(self) -> str:
        """Where pods reach the storage service. Raises :class:`StorageUnavailable`."""
        return self._known().url

    @property
    def has_tls(self) -> bool:
        """Whether the storage service's own port speaks TLS."""
        return self._certificates is not None

    @property
    def key(self) -> bytes:
        """What the controller signs with. Raises :class:`StorageUnavailable`."""
        return self._known().key

    def grant(self, grant: Grant) -> str:
        """The token that a pod gets. Raises :class:`StorageUnavailable`.

        It stands in the Job's spec, whose hash must be the same when it is made again after a
        crash: nothing in the grant may depend on the time at which this is called.
        """
        return grant.token(self._known().key)

    def environment(self, grant: Grant) -> dict[str, str]:
        """The variables by which a pod reaches the storage service: where it is, how it is known,
        and the grant. Raises :class:`StorageUnavailable`.
        """
        made = {URL_VARIABLE: self.url, GRANT_VARIABLE: self.grant(grant)}
        authorities = self.authorities
        return made | ({TRUST_VARIABLE: authorities} if authorities else {})

    @property
    def authorities(self) -> str:
        """The CAs (PEM) by which clients know the storage service; empty where they need none.
        Raises :class:`StorageUnavailable`."""
        # An address that an administrator names is that of something in front of the service.
        if self._certificates is None or self._settings.service_url is not None:
            return ""
        try:
            return self._certificates.authorities(STORAGE)
        except CertificatesMissing as error:
            raise StorageUnavailable(str(error)) from error

    async def run(self) -> None:
        """Look for the key and the address of the service until both are there."""
        while self._connected is None:
            try:
                key = await asyncio.to_thread(read_key, self._storage)
                self._connected = _Connected(key, await self._address())
            except (StorageError, ApiError, OSError) as error:
                self._missing = str(error)
                logger.warning("the internal storage is not there yet: %s", error)
                await asyncio.sleep(AGAIN)
        logger.info("the storage service is at %s", self._connected.url)

    def _known(self) -> _Connected:
        if self._connected is None:
            raise StorageUnavailable(f"the internal storage is not there yet: {self._missing}")
        return self._connected

    async def _address(self) -> str:
        if self._settings.service_url is not None:
            return self._settings.service_url.rstrip("/")
        namespace, name = service_name()
        if not namespace or not name:
            raise StorageUnavailable(
                "neither the setting `storage.serviceUrl` nor the variables PENSTOCK_NAMESPACE and "
                "PENSTOCK_STORAGE_SERVICE say where the storage service is"
            )
        spec = (await self._api.get(SERVICES, namespace, name))["spec"]
        address = spec.get("clusterIP", "")
        if address in ("", "None"):
            raise StorageUnavailable(f"the Service `{name}` has no cluster IP")
        host = f"[{address}]" if ":" in address else address
        scheme = "https" if self.has_tls else "http"
        return f"{scheme}://{host}:{spec['ports'][0]['port']}"


def service_name() -> tuple[str | None, str | None]:
    """Give the namespace and the name of the storage service's Service, as far as they are set."""
    return os.environ.get("PENSTOCK_NAMESPACE"), os.environ.get("PENSTOCK_STORAGE_SERVICE")
