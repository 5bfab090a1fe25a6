"""Files that come before there is an Execution: what a trigger got, and a flow is to work with.

Such a file lies in the folder of the Execution that it will start, whose name is known beforehand
(see :mod:`penstock.cluster.firings`). So it is that Execution's own, and goes with it. Who may put
one is told by an address that is signed for this one file: its size, its digest, and some minutes.

The signature is made with a key of its own, which is derived from the storage's: whoever has it can
sign for such files, and for nothing else.
"""

from __future__ import annotations

import re
import secrets
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from penstock.storage.errors import StorageError
from penstock.storage.signing import OneObject, sign
from penstock.storage.uris import ExecutionPlace, checked

ROUTE = "/a"
"""The path below which the storage service takes such files."""
LIFETIME = 900.0
"""Seconds for which an address counts."""
MOST_BYTES = 1024**3
"""The most bytes of such a file."""
EXPECTED = timedelta(days=1)
"""How long such a file stays without an Execution: the event that it came with may wait so long."""
URL, AUTHORITIES, KEY = "url", "authorities", "key"
"""The keys of the Secret by which the gateway lets such files in: where the storage service is, the
CAs (PEM) by which it is known, empty where it speaks plain HTTP, and the key in hexadecimal
digits."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIME = "%Y%m%dT%H%M%SZ"
_FOLDER = re.compile(r"([0-9]{8}T[0-9]{6}Z)-[0-9a-f]{16}")
_PATH = re.compile(rf"/.+/executions/[^/]+/trigger/{_FOLDER.pattern}/[^/]+")


def arrivals_key(key: bytes) -> bytes:
    """Derive the key that signs for such files from the storage's."""
    return bytes.fromhex(sign(key, "arrivals", b""))


def arrival_path(place: ExecutionPlace, name: str) -> str:
    """Choose the path of a file for an Execution that is still to be created. No other file ever
    has it, and it tells the time. Raises :class:`StorageError` where the name can't be that of a
    file."""
    if "/" in name:
        raise StorageError(f"`{name}` is not the name of a file: it has a /")
    now = datetime.now(UTC).strftime(_TIME)
    return checked(f"{place.folder}trigger/{now}-{secrets.token_hex(8)}/{name}")


def is_arrival(path: str) -> bool:
    """Tell whether a path is one that :func:`arrival_path` gives."""
    return _PATH.fullmatch(path) is not None


def arrived_at(folder: str) -> datetime | None:
    """Tell when a path was chosen, by the name of the folder around the file; None where that is
    no folder of such a file."""
    found = _FOLDER.fullmatch(folder)
    try:
        return found and datetime.strptime(found[1], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def signed_address(key: bytes, tenant: str, path: str, size: int, digest: str) -> str:
    """Sign the address, relative to the storage service, to which the file is put. ``key`` is that
    of arrivals; ``digest`` the SHA-256 of the content. Raises :class:`StorageError`."""
    if not 0 <= size <= MOST_BYTES:
        raise StorageError(f"a file of a trigger has at most {MOST_BYTES // 1024**2} MiB")
    if _DIGEST.fullmatch(digest) is None:
        raise StorageError("the digest of a file is its SHA-256, in 64 hexadecimal digits")
    wanted = OneObject("PUT", tenant, path, int(time.time() + LIFETIME), size, digest)
    query = {
        "expires": wanted.expires,
        "size": size,
        "sha256": digest,
        "signature": wanted.signature(key),
    }
    return f"{ROUTE}{quote(f'/{tenant}{path}', safe='/-._~')}?{urlencode(query)}"
