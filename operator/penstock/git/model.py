"""The values that the room of git takes and gives, and its one error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from penstock.git.redaction import redact_url

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
    """What to follow: at most one of the three; none is the remote's default branch (``HEAD``)."""

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


@dataclass(frozen=True)
class SourceFile:
    """A regular file of the commit; ``path`` starts at the top of the repository."""

    path: str
    blob: str
    content: bytes | None
    """The bytes of the file; None where it is not read, because the caller knows the blob
    already."""


@dataclass(frozen=True)
class Skipped:
    """An entry of the commit that is not read. ``path`` is printable, odd bytes are escaped."""

    path: str
    reason: str


@dataclass(frozen=True)
class Snapshot:
    """The files of one commit, ordered by path. ``commit`` is the truth about what was read."""

    commit: str
    files: tuple[SourceFile, ...]
    skipped: tuple[Skipped, ...]
