"""The key with which Penstock signs what has to do with files: it lies in the storage itself."""

from __future__ import annotations

import re
import secrets

from penstock.storage.errors import FileMissing, StorageUnavailable
from penstock.storage.files import Storage

KEY_PATH = "/.penstock/key"
"""The path of the key within the storage, beside the tenants: no URI leads there."""

_KEY_BYTES = 32
_KEY = re.compile(rb"[0-9a-f]{64}")


def create_key(storage: Storage) -> bytes:
    """The signing key of a storage, which is made where there is none yet. Only one process calls
    this."""
    if not storage.exists(KEY_PATH):
        with storage.writing(KEY_PATH) as file:
            file.write(secrets.token_hex(_KEY_BYTES).encode())
    return read_key(storage)


def read_key(storage: Storage) -> bytes:
    """The signing key of a storage. Raises :class:`StorageUnavailable` where there is none yet."""
    try:
        with storage.open(KEY_PATH) as file:
            text = file.read()
    except FileMissing:
        raise StorageUnavailable(
            "the storage has no signing key yet; the storage service makes it when it starts"
        ) from None
    if _KEY.fullmatch(text) is None:
        raise StorageUnavailable(f"the storage's file {KEY_PATH} holds no signing key")
    return bytes.fromhex(text.decode())
