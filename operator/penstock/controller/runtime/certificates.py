"""Makes the CA and the certificates of Penstock's services, and keeps them in Secrets of the
controller's own namespace.

What pins a pod to a CA is the text in its own environment alone. The hash by which a Job is known
as an attempt's does not have it: whatever becomes of the CA, Jobs that exist are adopted as before.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Self

from penstock.controller.runtime.own_secrets import Data, OwnSecrets
from penstock.kubernetes.api.client import Api, ApiError
from penstock.tls.authority import Authority, Pair, UnusableAuthority
from penstock.tls.serving import CERTIFICATE, KEY
from penstock.tls.trust import GIT, STORAGE, trusting

PERIOD = 3600.0
"""Seconds from one look at the certificates to the next."""
AGAIN, LONGEST = 1.0, 300.0
"""Seconds until what failed is tried again: each time twice as many, up to the second number."""
AUTHORITIES = "ca.crt"
"""The key of a service's Secret with the CAs by which it is known."""
_TYPE = "kubernetes.io/tls"

logger = logging.getLogger(__name__)


class CertificatesMissing(Exception):
    """The CA of the installation is not there, or is of no use."""


class Certificates:
    """The CA of the installation, and the certificates of its services."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        authority: str,
        services: Mapping[str, str],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``authority`` names the Secret with the CA, ``services`` that of each service, by the
        name in its certificate."""
        self.authority_secret = authority
        self.secrets = services
        self._secrets = OwnSecrets(api, namespace)
        self._clock = clock
        self._trusted: dict[str, str] = {}
        self._contexts: dict[str, tuple[str, ssl.SSLContext]] = {}
        self._missing = "Penstock's certificates were not looked for yet"

    @classmethod
    def of_environment(cls, api: Api) -> Self | None:
        """Find the certificates that the chart names; None where it names none, as outside of a
        cluster."""
        authority = os.environ.get("PENSTOCK_AUTHORITY")
        if not authority:
            return None
        services = {STORAGE: "PENSTOCK_STORAGE_SERVICE", GIT: "PENSTOCK_GIT_SERVICE"}
        named = {
            name: f"{os.environ[variable]}-tls"
            for name, variable in services.items()
            if os.environ.get(variable)
        }
        return cls(api, os.environ.get("PENSTOCK_NAMESPACE", ""), authority, named)

    def authorities(self, service: str) -> str:
        """The CAs (PEM) by which a service is known. Raises :class:`CertificatesMissing`."""
        try:
            return self._trusted[service]
        except KeyError:
            raise CertificatesMissing(self._missing) from None

    def trust(self, service: str) -> ssl.SSLContext:
        """The context of a client of a service. Raises :class:`CertificatesMissing`."""
        authorities = self.authorities(service)
        known = self._contexts.get(service)
        if known is None or known[0] != authorities:
            known = self._contexts[service] = authorities, trusting(authorities)
        return known[1]

    async def run(self) -> None:
        """Make what is missing, and renew what is due, for ever."""
        pause = AGAIN
        while True:
            try:
                await self.ensure()
            except (ApiError, UnusableAuthority) as error:
                self._missing = f"Penstock's certificates can't be kept: {error}"
                logger.warning("%s", self._missing)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST)
            else:
                pause = AGAIN
                await asyncio.sleep(PERIOD)

    async def ensure(self) -> None:
        """Make what is missing, and renew what is due.

        Raises :class:`ApiError`; :class:`UnusableAuthority` where the Secret with the CA holds
        none: it is not overwritten, since pods that run may know the CA that was there.
        """
        now = self._clock()
        authority = await self._kept_authority(now)
        for service, secret in self.secrets.items():
            kept = await self._kept_certificate(authority, service, secret, now)
            # As it is now: the certificate of the CA may be newer than the service's.
            self._trusted[service] = authority.among(kept.get(AUTHORITIES, ""), now)

    async def _kept_authority(self, now: datetime) -> Authority:
        def wanted(found: Data | None) -> Data | None:
            if found is None:
                logger.info("making a CA, in the Secret %s", self.authority_secret)
                return _data(Authority.create(now).pair)
            authority = self._read(found)
            return _data(authority.renewed(now).pair) if authority.is_due(now) else None

        return self._read(await self._secrets.keep(self.authority_secret, _TYPE, wanted))

    async def _kept_certificate(
        self, authority: Authority, service: str, secret: str, now: datetime
    ) -> Data:
        def wanted(found: Data | None) -> Data | None:
            known = found or {}
            if authority.stands_behind(_pair(known), service, now):
                return None
            logger.info("issuing a certificate, in the Secret %s", secret)
            trusted = authority.after(known.get(AUTHORITIES, ""), now)
            return {**_data(authority.issue(service, now)), AUTHORITIES: trusted}

        return await self._secrets.keep(secret, _TYPE, wanted)

    def _read(self, found: Data) -> Authority:
        try:
            return Authority.read(_pair(found))
        except UnusableAuthority as error:
            raise UnusableAuthority(
                f"the Secret `{self.authority_secret}` in `{self._secrets.namespace}` holds no CA: "
                f"{error}. Put it back, or delete it: another one is made then"
            ) from error


def _pair(data: Data) -> Pair:
    return Pair(data.get(CERTIFICATE, ""), data.get(KEY, ""))


def _data(pair: Pair) -> Data:
    return {CERTIFICATE: pair.certificate, KEY: pair.key}
