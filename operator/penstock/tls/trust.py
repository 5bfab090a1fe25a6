"""Connections to Penstock's own services, which are known by the CA of the installation. Standard
library only: the pods of tasks use it."""

from __future__ import annotations

import ssl
from http.client import HTTPConnection

STORAGE = "storage.penstock.internal"
GIT = "git.penstock.internal"
"""The names in the services' certificates. Clients ask for these, not for the address that they
call: a Service that is made anew has another one."""


class NotOurService(ConnectionError):
    """Whoever answers has no certificate of this installation for the service."""


def trusting(authorities: str) -> ssl.SSLContext:
    """A client's context that takes certificates of these CAs (PEM), and no others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=authorities)
    return context


class ServiceConnection(HTTPConnection):
    """An HTTPS connection to a service, whatever its address. Raises :class:`NotOurService`."""

    def __init__(self, address: str, name: str, trust: ssl.SSLContext, timeout: float) -> None:
        """``address`` is a host and a port; ``name`` the name in the service's certificate."""
        super().__init__(address, timeout=timeout)
        self._name = name
        self._trust = trust

    def connect(self) -> None:
        super().connect()
        try:
            self.sock = self._trust.wrap_socket(self.sock, server_hostname=self._name)
        except ssl.SSLCertVerificationError as error:
            raise NotOurService(
                f"who answers at {self.host}:{self.port} has no certificate of this Penstock for "
                f"`{self._name}` ({error.verify_message}); if Penstock's CA was made anew since "
                "this task began, run it again"
            ) from error
