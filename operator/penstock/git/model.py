"""The values that the room of git takes and gives, and its one error."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from penstock.git.redaction import redact_url
from penstock.network import RefusedNetworks

Reason = Literal[
    "InvalidURL",
    "InvalidReference",
    "NotFound",
    "AuthenticationFailed",
    "Timeout",
    "TooLarge",
    "GitOperationFailed",
]


class GitError(Exception):
    """A sync cannot go on; the error says why.

    ``reason`` is fit for a condition's reason, ``message`` for its message: it holds no
    credentials and says what to do. Only ``InvalidURL`` and ``InvalidReference`` are certain to
    need a change of the resource; every other reason may pass by itself.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.message = message


@dataclass(frozen=True)
class Reference:
    """The reference to follow: at most one of the three; none is the remote's default branch
    (``HEAD``)."""

    branch: str | None = None
    tag: str | None = None
    commit: str | None = None

    def __str__(self) -> str:
        for kind in ("branch", "tag", "commit"):
            name = getattr(self, kind)
            if name is not None:
                return f"{kind} {name!r}"
        return "default branch"


@dataclass(frozen=True)
class Remote:
    """The address of the files: a repository, a reference and a path in it.

    ``path`` is a directory (or one file) of the repository. ``timeout`` is the time in seconds
    that one call, :func:`resolve` or :func:`snapshot`, may take as a whole. User and password are
    part of the URL, percent-encoded; they are taken out of it before git sees it, and this
    object's ``repr`` does not show them.
    """

    url: str
    reference: Reference
    path: str = "."
    timeout: float = 60.0

    def __repr__(self) -> str:
        return (
            f"Remote(url={redact_url(self.url)!r}, reference={self.reference!r}, "
            f"path={self.path!r}, timeout={self.timeout!r})"
        )


@dataclass(frozen=True)
class Limits:
    """The cost that one snapshot may have. A file beyond ``max_file_bytes`` is skipped; beyond the
    other limits the whole snapshot fails: a part of the files would look as if the rest were
    deleted.
    """

    max_files: int = 10_000
    """The most files and skipped entries together."""
    max_file_bytes: int = 1024 * 1024
    max_total_bytes: int = 64 * 1024 * 1024
    """The most bytes of all files that match, whether they are read or known already."""
    max_fetch_bytes: int = 512 * 1024 * 1024
    """The most bytes that the cache may take on disk. It is measured while git writes, so it may be
    exceeded by what arrives within a fraction of a second."""


class Cancelled(Exception):
    """Nobody waits for the call any more."""


class Deadline:
    """The time at which a call has to end. Another thread may cancel the call before it."""

    def __init__(self, seconds: float) -> None:
        self._cancelled = threading.Event()
        self.restart(seconds)

    def restart(self, seconds: float) -> None:
        """Let the call go on for so many seconds from now."""
        self._end = time.monotonic() + seconds

    def cancel(self) -> None:
        """Let the call end, wherever it is, within a fraction of a second."""
        self._cancelled.set()

    def remaining(self) -> float:
        """Seconds, more than none. Raises ``GitError`` where the time is up, and
        :class:`Cancelled`."""
        if self._cancelled.is_set():
            raise Cancelled
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise GitError(
                "Timeout",
                "The Git server did not finish in time. Check that it is reachable, or raise the "
                "timeout.",
            )
        return remaining


@dataclass(frozen=True)
class Terms:
    """What holds for one call: how long it may take, and whom it may ask."""

    deadline: Deadline
    refused: RefusedNetworks = field(default_factory=RefusedNetworks)


@dataclass(frozen=True)
class Wanted:
    """Which files of a commit are asked for, and what they may cost."""

    commit: str
    suffixes: tuple[str, ...] = (".yaml", ".yml")
    known: Mapping[str, str] = field(default_factory=dict)
    """The blobs of files, by path, whose bytes the caller does not need."""
    limits: Limits = Limits()


@dataclass(frozen=True)
class Begun:
    """The commit that is read. It is the truth, whatever was asked for."""

    commit: str


@dataclass(frozen=True)
class FileHead:
    """A regular file of the commit; ``path`` starts at the top of the repository."""

    path: str
    blob: str
    size: int | None
    """How many bytes follow; None: none do, because the caller knows the file already."""


@dataclass(frozen=True)
class Skipped:
    """An entry of the commit that is not read. ``path`` is printable, odd bytes are escaped."""

    path: str
    reason: str


Record = Begun | FileHead | bytes | Skipped
"""What a snapshot gives, in this order: the commit, what of it is skipped, the files that the
caller knows, and the others, each followed by its bytes in pieces. (That a file is skipped for what
stands in it shows in its place.) Files are ordered by path."""
