"""What a task may have deleted: first it is counted, then it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from penstock.cluster.key_value_writer import KeyValueWriter
from penstock.engine.interface.selecting import PurgeExecutions
from penstock.kubernetes.api.client import EXECUTIONS, Api, Object
from penstock.kubernetes.logs.archive import LogArchive
from penstock.kubernetes.logs.purge import ALL, Window, count_lines, purge_lines
from penstock.kubernetes.status.execution_records import place_of
from penstock.storage.execution import ExecutionFiles
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.kv_effects import Change

Numbers = Mapping[str, int]


class Purging(Protocol):
    """One kind of things to delete."""

    async def count(self) -> Numbers:
        """The outputs of the task: how much there is."""

    async def delete(self) -> None:
        """Let it be gone. What is gone already is no failure."""


@dataclass(frozen=True)
class ExecutionPurge:
    """Executions, or their logs and files alone."""

    api: Api
    storage: Storage
    bodies: Sequence[Object]
    asked: PurgeExecutions

    async def count(self) -> Numbers:
        files, lines = await asyncio.to_thread(self._stored)
        asked = self.asked
        return {
            "executionsCount": len(self.bodies) if asked.executions else 0,
            "logsCount": lines,
            "storagesCount": files,
            "metricsCount": sum(map(_metrics, self.bodies)) if asked.metrics else 0,
        }

    async def delete(self) -> None:
        if not self.asked.executions:
            await asyncio.to_thread(self._clear)
            return
        for body in self.bodies:  # whose files follow, as those of any deleted execution do
            meta = body["metadata"]
            await self.api.delete(EXECUTIONS, meta["namespace"], meta["name"], meta["uid"])

    def _stored(self) -> tuple[int, int]:
        files = lines = 0
        for place in self._places():
            if self.asked.files:
                files += sum(map(place.holds, self.storage.list(place.folder)))
            if self.asked.logs:
                lines += count_lines(LogArchive(self.storage, place), ALL)
        return files, lines

    def _clear(self) -> None:
        for place in self._places():
            if self.asked.files:
                ExecutionFiles(self.storage, place).purge()
            if self.asked.logs:
                purge_lines(LogArchive(self.storage, place), ALL)

    def _places(self) -> Iterable[ExecutionPlace]:
        return filter(None, map(place_of, self.bodies))


@dataclass(frozen=True)
class LogPurge:
    """Lines of logs."""

    archives: Sequence[LogArchive]
    window: Window

    async def count(self) -> Numbers:
        lines = await asyncio.to_thread(self._lines)
        return {"count": lines, "executionLogsCount": lines, "nonExecutionLogsCount": 0}

    async def delete(self) -> None:
        await asyncio.to_thread(self._purge)

    def _lines(self) -> int:
        return sum(count_lines(archive, self.window) for archive in self.archives)

    def _purge(self) -> None:
        for archive in self.archives:
            purge_lines(archive, self.window)


@dataclass(frozen=True)
class KeyPurge:
    """Key-value pairs."""

    writer: KeyValueWriter
    tenant: str
    attempt: str
    keys: Sequence[tuple[str, str]]
    """Namespace and key."""

    async def count(self) -> Numbers:
        return {"size": len(self.keys)}

    async def delete(self) -> None:
        for namespace, key in self.keys:
            change = Change("delete", namespace, key)
            await self.writer.change(self.tenant, change, self.attempt)


def _metrics(body: Object) -> int:
    runs: list[dict[str, Any]] = (body.get("status") or {}).get("taskRuns") or []
    return sum(len(run.get("metrics") or ()) for run in runs)
