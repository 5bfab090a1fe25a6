"""The secrets of this machine's environment, and how they are kept from logs."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from threading import Lock

_PREFIX = "SECRET_"
_SAME_LENGTH = 64


class SecretMissing(Exception):
    """A secret does not exist, or can't be read."""


class Secrets:
    """Secrets by name: those given, and those that `SECRET_<NAME>` holds in base64."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._given = {name.upper(): value for name, value in (given or {}).items()}
        self._read: set[str] = set()
        self._lock = Lock()

    def get(self, key: str, subkey: str | None = None) -> str:
        """The value of a secret, or a field of one that is JSON. Raises :class:`SecretMissing`."""
        value = self._given.get(key.upper())
        if value is None:
            value = _from_environment(key)
        self._remember(value)
        if subkey is None:
            return value
        try:
            field = json.loads(value)[subkey]
        except (ValueError, LookupError, TypeError):
            raise SecretMissing(f"The secret '{key}' has no field '{subkey}'.") from None
        text = field if isinstance(field, str) else json.dumps(field)
        self._remember(text)
        return text

    def mask(self, text: str) -> str:
        """The text with `*` in the place of every secret that was read."""
        with self._lock:
            hidden = sorted(self._read, key=len, reverse=True)
        for value in hidden:
            if value in text:
                text = text.replace(value, "*" * min(len(value), _SAME_LENGTH))
        return text

    def _remember(self, value: str) -> None:
        """Remember a value for masking, also line by line: a script prints a secret of several
        lines so."""
        with self._lock:
            self._read |= {part for part in (value, *value.splitlines()) if part.strip()}


def _from_environment(key: str) -> str:
    name = f"{_PREFIX}{key.upper()}"
    encoded = os.environ.get(name)
    if encoded is None:
        raise SecretMissing(
            f"Cannot find secret for key '{key}'. Set {name} to its value in base64."
        )
    try:
        return base64.b64decode("".join(encoded.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise SecretMissing(f"{name} is not text in base64.") from None
