"""What the Git service is asked, and how it answers: values of this room as bytes.

A request is JSON. An answer is a stream of lines of JSON, one for each record; after the line that
says so come the bytes of a piece of a file. An empty line says that the service is alive and that
the call waits for its turn, or for its server. The last record is :class:`Done` or :class:`Failed`:
an answer that ends with another one was cut off.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from penstock.git.model import Begun, FileHead, GitError, Record, Remote, Skipped, Wanted

RESOLVE = "/v1/resolve"
SNAPSHOT = "/v1/snapshot"
AUDIENCE = "penstock-git"
"""The audience of the tokens with which the controller shows who it is."""
LONGEST_LINE = 64 * 1024


@dataclass(frozen=True)
class ResolveRequest:
    """Which commit does the reference of a remote name? Answered by :class:`Resolved`."""

    tenant: str
    """The Kubernetes namespace in whose turn the call is made."""
    remote: Remote
    own: tuple[str, ...] = ()
    """Addresses of Penstock's that may not be asked, beside those that the service knows."""


@dataclass(frozen=True)
class SnapshotRequest:
    """Which files has a commit? Answered by records."""

    tenant: str
    source: str
    """A name for the cache, which nobody else uses."""
    remote: Remote
    wanted: Wanted
    own: tuple[str, ...] = ()
    """Addresses of Penstock's that may not be asked, beside those that the service knows."""


@dataclass(frozen=True)
class Resolved:
    """The commit that a reference names."""

    commit: str


@dataclass(frozen=True)
class Failed:
    """The call cannot go on: a ``GitError`` as it is."""

    error: GitError


@dataclass(frozen=True)
class Done:
    """Nothing more comes."""


@dataclass(frozen=True)
class Piece:
    """The line that says how many bytes of a file follow."""

    size: int


Told = Record | Resolved | Failed | Done
"""What one line says, with the bytes behind it."""

resolve_requests = TypeAdapter(ResolveRequest)
snapshot_requests = TypeAdapter(SnapshotRequest)


def encoded(told: Told) -> bytes:
    """One record as it goes over the wire."""
    match told:
        case bytes():
            return _line({"piece": len(told)}) + told
        case Begun():
            return _line({"begun": told.commit})
        case FileHead():
            return _line({"file": [told.path, told.blob, told.size]})
        case Skipped():
            return _line({"skipped": [told.path, told.reason]})
        case Resolved():
            return _line({"resolved": told.commit})
        case Failed():
            return _line({"failed": [told.error.reason, told.error.message]})
        case Done():
            return _line({"done": True})


def decoded(line: bytes) -> Told | Piece | None:
    """What a line says; None for one that says nothing. Raises ``ValueError``."""
    if not line.strip():
        return None
    try:
        ((kind, value),) = json.loads(line).items()
        match kind:
            case "piece":
                return Piece(int(value))
            case "begun":
                return Begun(value)
            case "file":
                return FileHead(*value)
            case "skipped":
                return Skipped(*value)
            case "resolved":
                return Resolved(value)
            case "failed":
                return Failed(GitError(*value))
            case "done":
                return Done()
    except (TypeError, AttributeError) as error:
        raise ValueError(f"not a record: {line[:100]!r}") from error
    raise ValueError(f"not a record: {line[:100]!r}")


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"
