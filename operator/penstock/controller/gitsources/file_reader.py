"""Reads the files of commits: small ones in a thread, large ones in a worker process.

A repository is written by strangers, as flows from kubectl are. A file that would take the memory
of the controller takes that of a worker, and is told of like any other bad file.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from penstock.controller.gitsources.commit_files import SourceFile
from penstock.controller.gitsources.sourcefiles import FileReading, read_file
from penstock.controller.workers.checking import SMALL
from penstock.controller.workers.pool import Busy, WorkerFault, WorkerLost, Workers
from penstock.controller.workers.questions import Call
from penstock.flow.problems import Problem
from penstock.types import flow_parser

logger = logging.getLogger(__name__)

AGAIN = 0.5
"""Seconds after which workers are asked again that had too much to do: a commit has time."""
_THREADS = 2
"""Small files that are read at once: what reads one holds up everything else for a moment."""


@dataclass(frozen=True)
class ReadFile:
    """A file whose flows are to be read and checked."""

    file: SourceFile

    def answer(self, call: Call) -> FileReading:
        """Read and check them."""
        return read_file(self.file, flow_parser())


class FileReader:
    """Reads files, so that none holds up what else the controller does."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._threads = asyncio.Semaphore(_THREADS)

    async def read(self, tenant: str, file: SourceFile) -> FileReading:
        """Read and check the flows of a file. What goes wrong is a problem of that file alone."""
        try:
            if len(file.content) <= SMALL:
                async with self._threads:
                    return await asyncio.to_thread(read_file, file, flow_parser())
            return await self._by_worker(tenant, file)
        except WorkerLost as lost:
            return _unread(file, f"{lost}; make it smaller, or several of it")
        except WorkerFault as fault:
            logger.error("the file %s can't be checked: %s", file.path, fault)
            return _unread(file, f"Penstock made an error ({fault}): please report it")
        except Exception as error:  # one file stops no other, whatever is wrong with its reader
            logger.exception("the file %s can't be checked", file.path)
            kind = type(error).__name__
            return _unread(file, f"Penstock made an error ({kind}): please report it")

    async def _by_worker(self, tenant: str, file: SourceFile) -> FileReading:
        while True:
            try:
                reading: FileReading = await self._workers.ask(tenant, ReadFile(file), {})
                return reading
            except Busy:
                await asyncio.sleep(AGAIN)


def _unread(file: SourceFile, why: str) -> FileReading:
    return FileReading(file.path, problems=(Problem((), f"it can't be checked: {why}", line=1),))
