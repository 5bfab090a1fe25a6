"""Files over HTTP, to and from signed URLs. Standard library only, and bounded memory.

A download that breaks off goes on where it was; an upload starts again. Both give up after some
attempts without progress.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, BinaryIO, Protocol
from urllib.parse import SplitResult, urlsplit

from penstock.storage.errors import (
    AccessDenied,
    FileDamaged,
    FileMissing,
    FileTooLarge,
    StorageError,
    StorageFull,
    StorageUnavailable,
)
from penstock.tls.trust import STORAGE, ServiceConnection, trusting

ATTEMPTS = 10
"""The tries without progress: for 40 s where nobody answers, which is longer than the restart of a
storage service takes."""
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 8.0
"""Seconds between attempts: each pause is twice the one before."""
WINDOW = 40.0
"""The sum of the pauses between all attempts."""
TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as broken."""

_SEND_BLOCK = 256 * 1024
"""The bytes of a file that are sent at once: a third faster than the kernel's own `sendfile` on a
loopback, where the reader then has to gather the file page by page."""
_DIGESTS = (
    *("x-penstock-sha256", "x-amz-meta-penstock-sha256"),
    *("x-goog-meta-penstock-sha256", "x-ms-meta-penstock_sha256"),
)
_ERRORS: Mapping[str, type[StorageError]] = {
    "missing": FileMissing,
    "denied": AccessDenied,
    "damaged": FileDamaged,
    "full": StorageFull,
    "too-large": FileTooLarge,
    "unavailable": StorageUnavailable,
}
_OF_STATUS = {403: "denied", 404: "missing", 413: "too-large", 507: "full"}
_OVERTAKEN_CODES = (
    *("PreconditionFailed", "UnauthorizedBlobOverwrite"),
    "AuthorizationPermissionMismatch",  # the code of Azurite
)
"""The codes for a file that somebody wrote meanwhile: a new URL replaces the old one."""
_DAMAGED_CODES = ("BadDigest", "XAmzContentChecksumMismatch", "IncompleteBody")
_SHOWN = 4096
_BROKEN = (OSError, HTTPException)
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Connect(Protocol):
    """Makes a connection to the server of a URL, and gives the target to ask it for."""

    def __call__(self, url: str, timeout: float = TIMEOUT) -> tuple[HTTPConnection, str]: ...


def connect(url: str, timeout: float = TIMEOUT) -> tuple[HTTPConnection, str]:
    """Connect to a server that is known as everybody knows it: by its name, and a public CA."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.netloc, timeout=timeout), _target(parts)


class Connector:
    """Connects to the storage service, which is known by Penstock's own CA, and to the object
    stores to which its URLs lead, which are known as everybody knows them."""

    def __init__(self, service: str, authorities: str | None) -> None:
        """``authorities`` are CAs in PEM; where it is None the service is one of those others."""
        self._service = _server(urlsplit(service))
        self._trust = trusting(authorities) if authorities else None

    def __call__(self, url: str, timeout: float = TIMEOUT) -> tuple[HTTPConnection, str]:
        parts = urlsplit(url)
        if self._trust is None or _server(parts) != self._service:
            return connect(url, timeout)
        connection = ServiceConnection(parts.netloc, STORAGE, self._trust, timeout)
        return connection, _target(parts)


def _server(parts: SplitResult) -> tuple[str, str]:
    return parts.scheme, parts.netloc


def _target(parts: SplitResult) -> str:
    return parts.path + (f"?{parts.query}" if parts.query else "")


class Patience:
    """Decides how often a broken transfer is tried again: without end while it makes progress."""

    def __init__(self, what: str, window: float | None = None) -> None:
        """After ``window`` seconds since the first failure no further attempt is made, however few
        there were, since each may take long.
        """
        self._what = what
        self._window = window
        self._began = 0.0
        self._failed = 0

    def progress(self) -> None:
        """Note that bytes came through: the count starts anew."""
        self._failed = 0

    def after(self, error: Exception) -> None:
        """Wait before the next attempt. Raises :class:`StorageUnavailable` after the last one."""
        now = time.monotonic()
        if not self._failed:
            self._began = now
        self._failed += 1
        late = self._window is not None and now - self._began >= self._window
        if self._failed >= ATTEMPTS or late:
            raise StorageUnavailable(
                f"{self._what}: the connection broke {self._failed} times in a row: {error}"
            ) from error
        time.sleep(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failed - 1)))


class Download(io.RawIOBase):
    """A file that is read as it comes, with its size and its digest checked at the end."""

    def __init__(self, ask: Callable[[], str], name: str, connect: Connect = connect) -> None:
        self._ask = ask
        self._connect = connect
        self._name = name
        self._patience = Patience(f"`{name}` can't be read")
        self._made = hashlib.sha256()
        self._offset = 0
        self._size: int | None = None
        self._tag: str | None = None
        self._digest: str | None = None
        self._connection: HTTPConnection | None = None
        self._response: HTTPResponse | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            # A new URL, since the one before may have expired; asking for it has its own patience.
            url = self._ask() if self._response is None else ""
            try:
                count = self._connected(url).readinto(buffer)
                if count == 0 and self._size is not None and self._offset < self._size:
                    raise ConnectionError(f"it ended after {self._offset} of {self._size} bytes")
            except (*_BROKEN, StorageUnavailable) as error:
                self._drop()
                self._patience.after(error)
                continue
            if count == 0:
                self._check()
                return 0
            self._patience.progress()
            self._made.update(memoryview(buffer)[:count])
            self._offset += count
            return count

    def close(self) -> None:
        self._drop()
        super().close()

    def _connected(self, url: str) -> HTTPResponse:
        if self._response is None:
            headers = {"Range": f"bytes={self._offset}-"} if self._offset else {}
            self._connection, target = self._connect(url)
            self._connection.request("GET", target, headers=headers)
            self._response = self._accepted(self._connection.getresponse())
        return self._response

    def _accepted(self, response: HTTPResponse) -> HTTPResponse:
        if response.status != (206 if self._offset else 200):
            raise refusal(response, self._name)
        tag = response.getheader("ETag")
        if self._offset and tag != self._tag:
            raise FileDamaged(f"`{self._name}` changed while it was read")
        if not self._offset:
            length = response.getheader("Content-Length")
            self._size, self._tag = int(length) if length else None, tag
            self._digest = next(filter(None, map(response.getheader, _DIGESTS)), None)
        return response

    def _check(self) -> None:
        if self._digest not in (None, self._made.hexdigest()):
            raise FileDamaged(
                f"`{self._name}` is damaged: its SHA-256 is {self._made.hexdigest()}, and was "
                f"{self._digest} when it was written"
            )

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._response = None


def send(
    url: str,
    headers: Mapping[str, str],
    source: BinaryIO,
    size: int,
    name: str,
    connect: Connect = connect,
) -> None:
    """PUT the rest of a file. Raises ``OSError`` or ``HTTPException`` where it broke off."""
    connection, target = connect(url)
    try:
        connection.putrequest("PUT", target)
        for key, value in {**headers, "Content-Length": str(size)}.items():
            connection.putheader(key, value)
        connection.endheaders()
        broken = _pour(connection, source, size, name)
        try:
            response = connection.getresponse()
        except _BROKEN:
            raise broken or ConnectionError("there was no answer") from None
        if response.status not in (200, 201, 204):
            raise refusal(response, name)
        response.read()
    finally:
        connection.close()


def _pour(connection: HTTPConnection, source: BinaryIO, size: int, name: str) -> OSError | None:
    """Send the bytes. A server that refuses stops reading: its answer is read all the same, so the
    error is given back."""
    left = size
    while left:
        block = source.read(min(_SEND_BLOCK, left))
        if not block:
            raise FileDamaged(f"`{name}` became shorter while it was uploaded")
        try:
            connection.sock.sendall(block)
        except OSError as error:
            return error
        left -= len(block)
    return None


@contextmanager
def room_for(name: str) -> Iterator[None]:
    """Turn the error of a full disk into a message that says so."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StorageFull(f"there is no space left for `{name}` on the disk of the task") from None


def refusal(response: HTTPResponse, name: str) -> StorageError:
    """The error that a server answered: Penstock's own in JSON, an object store's in XML."""
    text = response.read(_SHOWN).decode("utf-8", "replace")
    try:
        return error_of(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        pass
    found = dict(re.findall(r"<(Code|Message)>([^<]*)</", text))
    said = ": ".join(filter(None, (found.get("Code"), found.get("Message")))) or response.reason
    reason = _OF_STATUS.get(response.status, "unavailable" if response.status >= 500 else "")
    if found.get("Code") in _DAMAGED_CODES:
        reason = "damaged"
    if found.get("Code") in _OVERTAKEN_CODES:
        reason = "unavailable"
    message = f"`{name}`: the object store answered {response.status}: {said}"
    return error_of({"reason": reason, "message": message})


def error_of(said: Mapping[str, Any]) -> StorageError:
    """The error that the storage service described."""
    return _ERRORS.get(said["reason"], StorageError)(said["message"])
