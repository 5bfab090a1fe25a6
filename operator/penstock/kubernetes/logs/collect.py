"""Reads the part of a pod's log that was not read yet, as far as an attempt's log is kept.

An attempt's log is kept up to 8 MiB and, where there is more, with its last 1000 lines and a note
in between. Readers see the same log whether it comes from the pod or from the archive.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from penstock.kubernetes.api.client import Api, Object
from penstock.kubernetes.logs.kubelet import Piece, read_piece
from penstock.kubernetes.observation import podstatus
from penstock.kubernetes.observation.results import needs_log

HEAD_BYTES = 8 * 1024 * 1024
TAIL_LINES = 1000
TAIL_BYTES = 2 * 1024 * 1024
CUT = "the log is cut here: of an attempt's log its first 8 MiB and its last 1000 lines are kept"
GAP = "lines may be missing here: the kubelet had moved them away before they were read"
_SILENCE = 90.0
"""Seconds without a byte after which following a pod that is being deleted is given up."""
_PATIENCE = 30.0


def has_begun(pod: Object) -> bool:
    """Whether the task's container runs or ran."""
    if podstatus.started(pod) is not None or podstatus.terminated(pod) is not None:
        return True
    return podstatus.is_over(pod)


def has_ended(pod: Object) -> bool:
    """Whether the task's container will print nothing more."""
    return podstatus.terminated(pod) is not None or podstatus.is_over(pod)


async def caught(api: Api, pod: Object, size: int, last: str | None, *, ends: bool) -> Piece:
    """The lines that were printed after the time ``last``; ``size`` bytes of the log are known
    already.

    With ``ends`` this is all that is left of the log: where a pod is being deleted, its last lines
    are waited for. Raises :class:`Unreadable` and ``ApiError``.
    """
    room = HEAD_BYTES - size
    piece = Piece()
    try:
        if room > 0:
            found = await _read(api, pod, room, last, ends=ends)
            piece.is_cut = found.is_cut
            if found.size and not found.follows:
                piece.first = found.first
                piece.add_note(GAP)
            _append(piece, found)
        if ends and (room <= 0 or piece.is_cut):
            await _add_tail(api, pod, piece, last)
    except BaseException:
        piece.close()
        raise
    return piece


async def _read(api: Api, pod: Object, limit: int, last: str | None, *, ends: bool) -> Piece:
    query = {} if last is None else {"sinceTime": f"{last[:19]}Z"}
    if ends and not has_ended(pod):
        query["follow"] = "true"
    return await read_piece(_answer(api, pod, query), limit, last, is_whole=ends)


async def _add_tail(api: Api, pod: Object, piece: Piece, last: str | None) -> None:
    request = needs_log(pod)
    result = 0 if request is None else request.tail_lines
    query = {"tailLines": str(TAIL_LINES + result)}
    after = piece.last or last
    piece.first = piece.first or last
    piece.add_note(CUT)
    found = await read_piece(_answer(api, pod, query), TAIL_BYTES, after, is_whole=True)
    _append(piece, found)


def _answer(api: Api, pod: Object, query: Mapping[str, str]) -> AsyncIterator[bytes]:
    meta = pod["metadata"]
    query = {"container": podstatus.container_name(pod), "timestamps": "true", **query}
    silence = _SILENCE if "follow" in query else _PATIENCE
    return api.log_stream(meta["namespace"], meta["name"], query, silence)


def _append(piece: Piece, found: Piece) -> None:
    try:
        piece.add(found)
    finally:
        found.close()
