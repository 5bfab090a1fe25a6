"""Bringing the log of one pod into the internal storage, part by part."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from penstock.controller.runtime.outcomes import is_bad_request, is_missing
from penstock.controller.runtime.queue import Key
from penstock.kubernetes.api.client import Api, ApiError, Object
from penstock.kubernetes.api.labels import EXECUTION_NAME, EXECUTION_UID
from penstock.kubernetes.logs.archive import LogArchive, Part
from penstock.kubernetes.logs.collect import HEAD_BYTES, has_ended, read_new_lines
from penstock.kubernetes.logs.kubelet import Piece, Unreadable
from penstock.kubernetes.logs.lines import Source
from penstock.kubernetes.logs.source import source_of
from penstock.kubernetes.observation import podstatus

LOST = "the log ends here: the pod was gone before the rest was read"

_NEVER = "1970-01-01T00:00:00.000000000Z"


@dataclass
class PodLog:
    """How far the log of one pod is archived."""

    pod: Object
    execution: Key
    execution_uid: str
    source: Source
    known: bool = False
    """Whether the storage was asked what it has."""
    parts: int = 0
    size: int = 0
    last: str | None = None
    """When the last line was printed that is kept."""
    failures: int = 0
    fails_since: float | None = None
    """Since when it could not be read or kept, by the monotonic clock."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by who reads and keeps a part: the next part begins where this one ends."""

    @property
    def node(self) -> str:
        return str((self.pod.get("spec") or {}).get("nodeName") or "")

    @property
    def ends(self) -> bool:
        """Whether nothing will be printed after what is printed now, or soon."""
        return has_ended(self.pod) or podstatus.was_deleted(self.pod)


class LogKeeper:
    """Reads logs from the kubelets and keeps them."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def bring_on(self, log: PodLog, archive: LogArchive) -> bool:
        """Archive what there is; whether that is all there will ever be.

        Raises ``ApiError``, ``StorageError`` and ``OSError`` where it may be tried again.
        """
        if not log.known and await asyncio.to_thread(_recall, log, archive):
            return True
        ends = log.ends
        if log.size >= HEAD_BYTES and not ends:
            return False
        try:
            piece = await read_new_lines(self._api, log.pod, log.size, log.last, ends=ends)
        except Unreadable as error:
            if not ends:
                return False
            piece = _nothing(log, f"the log could not be read: {error}")
        except ApiError as error:
            if is_missing(error):
                ends, piece = True, _nothing(log, LOST)
            elif is_bad_request(error) and ends:  # it ended before it had a log
                piece = _nothing(log, f"the log could not be read: {error}")
            else:
                raise
        try:
            await asyncio.to_thread(_keep, log, archive, piece, ends=ends)
        finally:
            piece.close()
        return ends

    async def give_up(self, log: PodLog, archive: LogArchive, why: str) -> None:
        """Say in the archive why there is no more."""
        piece = _nothing(log, f"the log could not be read: {why}")
        try:
            await asyncio.to_thread(_keep, log, archive, piece, ends=True)
        finally:
            piece.close()


def log_of(pod: Object) -> PodLog | None:
    """Begin to archive the log of a pod; None where the pod is of no attempt of ours."""
    meta, source = pod["metadata"], source_of(pod)
    if source is None:
        return None
    name = meta["annotations"][EXECUTION_NAME]
    uid = meta["labels"][EXECUTION_UID]
    return PodLog(pod, Key("Execution", meta["namespace"], name), uid, source)


def _recall(log: PodLog, archive: LogArchive) -> bool:
    """Go on from what the storage has; whether it has all."""
    key = (log.source.task_run, log.source.attempt)
    if archive.has_ended(key):
        return True
    log.parts, part = archive.parts(key)
    if part is not None:
        log.size, log.last = part.size, part.last
    log.known = True
    return False


def _keep(log: PodLog, archive: LogArchive, piece: Piece, *, ends: bool) -> None:
    if not piece.size and not ends:
        return
    last = piece.last or log.last or _NEVER
    part = Part(log.source, piece.first or last, last, log.size + piece.size)
    piece.file.seek(0)
    archive.write(part, None if ends else log.parts, piece.file)
    log.parts, log.size, log.last = log.parts + 1, part.size, piece.last or log.last


def _nothing(log: PodLog, why: str) -> Piece:
    """The end of a log of which no more can be read."""
    piece = Piece()
    piece.first = log.last or _now()
    piece.add_note(why)
    return piece


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
