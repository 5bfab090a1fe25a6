"""TLS to a broker, with certificates that stand in a trigger's properties."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile

from penstock.listener.source import SourceError


def client_context(
    authorities: str | None = None,
    certificate: str | None = None,
    key: str | None = None,
    key_password: str | None = None,
    *,
    checks_host: bool = True,
) -> ssl.SSLContext:
    """A context that trusts these authorities, or the system's, and shows a certificate, if there
    is one. The texts are PEM, or the base64 of it."""
    try:
        context = ssl.create_default_context(cadata=_pem(authorities) if authorities else None)
        context.check_hostname = checks_host
        if certificate and key:
            _load(context, _pem(certificate), _pem(key), key_password)
    except (ssl.SSLError, ValueError) as error:
        raise SourceError(f"the certificates can't be read: {error}") from None
    return context


def _pem(text: str) -> str:
    if "-----BEGIN" in text:
        return text
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("they are neither PEM nor the base64 of it") from None


def _load(context: ssl.SSLContext, certificate: str, key: str, password: str | None) -> None:
    """Python reads a certificate's key from a file only: it is there for this call."""
    descriptor, path = tempfile.mkstemp()
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{certificate}\n{key}\n")
        context.load_cert_chain(path, password=password or "")
    finally:
        os.unlink(path)
