"""The certificate with which a service serves: taken from a folder, and again when it is another.

The kubelet mounts the Secret there, and writes it anew within a minute or so after it has changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

FOLDER = "PENSTOCK_TLS"
"""The variable that names the folder. Without it a service speaks plain HTTP, as outside of a
cluster."""
CERTIFICATE, KEY = "tls.crt", "tls.key"
"""The files in it: the keys of a Secret of the type `kubernetes.io/tls`."""
EVERY = 10.0
"""Seconds from one look for another certificate to the next."""

logger = logging.getLogger(__name__)


class ServedCertificate:
    """A server's context whose certificate is that of a folder."""

    def __init__(self, folder: Path) -> None:
        """Take what the folder has. Raises ``OSError`` where there is no certificate in it, or the
        key is another one's."""
        self._folder = folder
        self._taken = b""
        self.context = _context()
        self.renew()

    def renew(self) -> bool:
        """Take what the folder has now, for connections that begin from now on. Raises ``OSError``,
        and goes on with what there was, where that can't be served.

        Call it where the event loop of the server runs: no connection begins meanwhile.
        """
        # The kubelet replaces all files at once, by a link: these two are of one moment.
        certificate, key = (self._folder / CERTIFICATE).resolve(), (self._folder / KEY).resolve()
        found = hashlib.sha256(certificate.read_bytes() + b"\0" + key.read_bytes()).digest()
        if found == self._taken:
            return False
        _context().load_cert_chain(
            certificate, key
        )  # a pair that does not fit spoils no context in use
        self.context.load_cert_chain(certificate, key)
        self._taken = found
        return True

    async def keep_fresh(self, every: float = EVERY) -> None:
        """Look for another certificate for ever."""
        while True:
            await asyncio.sleep(every)
            try:
                if self.renew():
                    logger.info("serving with a new certificate of %s", self._folder)
            except OSError as error:
                logger.warning(
                    "the certificate in %s can't be served, the one before is: %s",
                    self._folder,
                    error,
                )


@asynccontextmanager
async def tls_of_environment() -> AsyncIterator[ssl.SSLContext | None]:
    """The context to serve with, kept fresh within the block; None for plain HTTP."""
    folder = os.environ.get(FOLDER)
    if not folder:
        yield None
        return
    try:
        served = ServedCertificate(Path(folder))
    except OSError as error:
        raise SystemExit(
            f"{FOLDER} names {folder}, and there is no certificate in it that can be served: "
            f"{error}. Penstock's controller makes it: look into its log"
        ) from error
    fresh = asyncio.create_task(served.keep_fresh())
    try:
        yield served.context
    finally:
        fresh.cancel()


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
