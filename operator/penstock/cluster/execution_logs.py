"""Reads the log of an Execution, of its pods and of the archive: one round at a time."""

from __future__ import annotations

import asyncio
import heapq
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from penstock.cluster.executions import Executions
from penstock.kubernetes.api.client import PODS, Api, ApiError, Object
from penstock.kubernetes.api.labels import EXECUTION_UID
from penstock.kubernetes.logs.collect import has_begun, has_ended, read_new_lines
from penstock.kubernetes.logs.kubelet import Piece, Unreadable
from penstock.kubernetes.logs.lines import LineReader, Source, entry
from penstock.kubernetes.logs.source import source_of
from penstock.kubernetes.observation import podstatus
from penstock.kubernetes.observation.shared_pod import attempts_in
from penstock.resources.execution import ExecutionStatus
from penstock.storage.logtokens import HEADER

Entry = dict[str, Any]
Key = tuple[str, int]
"""A task run's id, and the attempt's number."""

_PROXY = re.compile(r"/api/v1/namespaces/[^/?#]+/services/[^/?#]+/proxy/v1/logs/[^?#]+")
_END = "~"
"""After every time."""
_ROUND = 1.0
"""Seconds between two looks while an execution is followed."""
_LAST_ROUNDS = 15
"""Looks after the end of an execution, until all of its logs are there."""


@dataclass
class _Known:
    """How far the log of one attempt was shown."""

    last: str = ""
    """When the last line was printed that was shown."""
    size: int = 0
    is_over: bool = False
    reader: LineReader | None = None


@dataclass
class _Round:
    """What is there now."""

    archived: dict[Key, Entry] = field(default_factory=dict)
    """What the archive says of each attempt."""
    pods: dict[Key, tuple[Object, Source]] = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)


class ExecutionLogs:
    """Gives what the tasks of one Execution printed: each round what is new since the one before.

    ``warn`` is told once of each part that can't be read, and that the rest is given without it.
    """

    def __init__(
        self,
        api: Api,
        namespace: str,
        name: str,
        is_wanted: Callable[[Entry], bool],
        warn: Callable[[str], None],
    ) -> None:
        self.status = ExecutionStatus()
        self._api = api
        self._namespace = namespace
        self._name = name
        self._is_wanted = is_wanted
        self._warn = warn
        self._warned: set[str] = set()
        self._known: dict[Key, _Known] = {}
        self._is_first = True

    @property
    def is_complete(self) -> bool:
        """Whether the log of every attempt that ran was shown to its end."""
        began = self.status.start_date
        ran = (
            (run.id, attempt.number)
            for run in self.status.task_runs
            for attempt in run.attempts
            if attempt.job is not None
            and attempt.start_date is not None
            # What a replay keeps ran in another execution.
            and (began is None or attempt.start_date >= began)
        )
        return all(key in self._known and self._known[key].is_over for key in ran)

    async def followed(self) -> AsyncIterator[Entry]:
        """Give what was printed and what is printed, until the Execution has ended."""
        left = _LAST_ROUNDS
        while left:
            async for found in self.news():
                yield found
            if self.status.finished and self.is_complete:
                return
            left -= self.status.finished
            await asyncio.sleep(_ROUND)

    async def news(self) -> AsyncIterator[Entry]:
        """Give what was printed since the last round, in the order of time.

        Raises :class:`ExecutionNotFound` and :class:`ApiError`.
        """
        body = await Executions(self._api, self._namespace).get(self._name)
        self.status = ExecutionStatus.from_json(body.get("status") or {})
        now = _Round()
        try:
            await self._look(body, now)
            archived = self._from_archive(self._plan(now.archived))
            live = heapq.merge(*[lines async for lines in self._from_pods(now)], key=_time)
            async for found in _merged(archived, live):
                if self._is_wanted(found):
                    yield found
        finally:
            for piece in now.pieces:
                piece.close()
        self._is_first = False

    async def _look(self, body: Object, now: _Round) -> None:
        try:
            now.archived = await self._listed()
        except (ApiError, ValueError) as error:
            self._say(f"the archive can't be read, so only logs of pods are shown: {error}")
        uid = body["metadata"]["uid"]
        try:
            pods = await self._api.list(PODS, self._namespace, f"{EXECUTION_UID}={uid}")
        except ApiError as error:
            self._say(f"pods can't be listed, so only archived logs are shown: {error}")
            pods = []
        for pod in (own for body in pods for own in attempts_in(body)):
            source = source_of(pod)
            if source is not None and has_begun(pod):
                now.pods[source.task_run, source.attempt] = (pod, source)

    async def _listed(self) -> dict[Key, Entry]:
        pieces = [piece async for piece in self._ask("/attempts", {})]
        found = json.loads(b"".join(pieces)) if pieces else []
        return {(item["taskRunId"], item["attempt"]): item for item in found}

    def _plan(self, listed: dict[Key, Entry]) -> dict[Key, tuple[str, str]]:
        """The span of the archive that is to be shown, for each attempt that has news in it."""
        plan: dict[Key, tuple[str, str]] = {}
        for key, told in listed.items():
            known = self._known.get(key)
            if known is None or (told["ended"] and not known.is_over):
                known = self._known.setdefault(key, _Known())
                plan[key] = known.last, _END if told["ended"] else told["last"]
                known.is_over = bool(told["ended"])
                known.last, known.size = told.get("last", known.last), told.get("size", known.size)
        return plan

    async def _from_archive(self, plan: dict[Key, tuple[str, str]]) -> AsyncIterator[Entry]:
        apart = [{"taskRunId": run, "attempt": str(number)} for run, number in plan]
        asked: list[dict[str, str]] = [{}] if self._is_first and plan else apart
        for query in asked:
            async for found in self._entries(query):
                since, until = plan.get((found["taskRunId"], found["attempt"]), (_END, ""))
                if since < found["timestamp"] <= until:
                    yield found

    async def _from_pods(self, now: _Round) -> AsyncIterator[Iterator[Entry]]:
        """What each pod printed that is not in the archive."""
        for key, (pod, source) in now.pods.items():
            known = self._known.setdefault(key, _Known())
            piece = None if known.is_over else await self._caught(pod, known)
            if piece is not None:
                now.pieces.append(piece)
                yield self._lines(known, source, piece, ends=has_ended(pod))

    def _lines(self, known: _Known, source: Source, piece: Piece, *, ends: bool) -> Iterator[Entry]:
        known.reader = known.reader or LineReader(source.levels)
        piece.file.seek(0)
        for raw in piece.file:
            for line in known.reader.read(raw):
                yield entry(source, line)
        if ends:
            for line in known.reader.end():
                yield entry(source, line)
        known.last, known.size = piece.last or known.last, known.size + piece.size
        known.is_over = known.is_over or ends

    async def _caught(self, pod: Object, known: _Known) -> Piece | None:
        try:
            return await read_new_lines(
                self._api, pod, known.size, known.last or None, ends=has_ended(pod)
            )
        except Unreadable:
            return None
        except ApiError as error:
            if error.status == 403:
                self._say(f"logs of pods can't be read, so only archived ones are shown: {error}")
            elif not (error.not_found or error.status == 400 or podstatus.was_deleted(pod)):
                self._say(f"the log of the pod {pod['metadata']['name']} can't be read: {error}")
            return None

    async def _entries(self, query: Mapping[str, str]) -> AsyncIterator[Entry]:
        rest = b""
        async for piece in self._ask("", query):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield json.loads(line)

    async def _ask(self, part: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Ask the storage service, through the API server."""
        where = self.status.logs
        if where is None:
            return
        if _PROXY.fullmatch(where.path) is None or ".." in unquote(where.path):
            raise ValueError("the execution's status names no place of logs")
        async for piece in self._api.stream(where.path + part, query, {HEADER: where.token}):
            yield piece

    def _say(self, warning: str) -> None:
        if warning not in self._warned:
            self._warned.add(warning)
            self._warn(warning)


async def _merged(archived: AsyncIterator[Entry], live: Iterator[Entry]) -> AsyncIterator[Entry]:
    """Both, in the order of time."""
    held = next(live, None)
    async for found in archived:
        while held is not None and held["timestamp"] < found["timestamp"]:
            yield held
            held = next(live, None)
        yield found
    while held is not None:
        yield held
        held = next(live, None)


def _time(found: Entry) -> str:
    return str(found["timestamp"])
