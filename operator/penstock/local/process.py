"""Runs a command as a process of this machine, to the end of its whole group."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from penstock.tasks.contract.framing import MAX_BYTES
from penstock.tasks.contract.output_lines import Captured, is_candidate

OnLine = Callable[[str, str], None]
"""Is given each line with its stream: `stdout` or `stderr`."""

GRACE_SECONDS = 1.0
"""Between the polite and the rude way to end a script."""
_STRAY_SECONDS = 2.0
_CHUNK_BYTES = 64 * 1024
_MAX_LINE_BYTES = 2 * MAX_BYTES


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    """The exit code as a shell gives it: 128 plus the signal's number where a signal ended the
    process."""
    timed_out: bool
    captured: Captured
    too_large: bool
    """Whether the process printed more values than outputs may hold."""


async def run_process(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    timeout: timedelta | None,
    on_line: OnLine,
    started: Callable[[], None],
) -> Ended:
    """Run a command to the end of its process group. Cancelling this kills the process.

    Raises ``OSError`` where the command can't be started, and has not called ``started`` then.
    """
    pipes = {"stdout": await _Pipe.open(), "stderr": await _Pipe.open()}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=pipes["stdout"].write_end,
            stderr=pipes["stderr"].write_end,
            start_new_session=True,
        )
    except OSError:
        for pipe in pipes.values():
            pipe.close()
        raise
    finally:
        for pipe in pipes.values():
            os.close(pipe.write_end)
    started()
    lines = _Lines(on_line)
    readers = [asyncio.create_task(lines.read(name, pipe.reader)) for name, pipe in pipes.items()]
    timed_out = False
    try:
        async with asyncio.timeout(timeout.total_seconds() if timeout is not None else None):
            await process.wait()
    except TimeoutError:
        timed_out = True
        await _end(process)
    finally:
        if process.returncode is None:
            _signal(process, signal.SIGKILL)
        else:
            await asyncio.wait(readers, timeout=_STRAY_SECONDS)
            _signal(process, signal.SIGKILL)
        for reader in readers:
            reader.cancel()
        for pipe in pipes.values():
            pipe.close()
    code = process.returncode if process.returncode is not None else -signal.SIGKILL
    return Ended(code if code >= 0 else 128 - code, timed_out, lines.captured(), lines.too_large)


@dataclass
class _Pipe:
    """The pipe of one stream of a script. The process does not own it: with pipes of its own,
    asyncio's `wait` would wait for every process that the script left in the background, which
    holds them open.
    """

    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport
    write_end: int

    @classmethod
    async def open(cls) -> _Pipe:
        read_end, write_end = os.pipe()
        reader = asyncio.StreamReader(limit=_CHUNK_BYTES)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb")
        )
        return cls(reader, transport, write_end)

    def close(self) -> None:
        self.transport.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the whole process group to end, then kill it."""
    _signal(process, signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE_SECONDS):
            await process.wait()
    _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


class _Lines:
    """Splits both streams into lines, passes them on, and keeps the lines that may hold values."""

    def __init__(self, on_line: OnLine) -> None:
        self._on_line = on_line
        self.found: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self.too_large = False
        self._bytes = 0

    async def read(self, stream: str, reader: asyncio.StreamReader) -> None:
        rest = bytearray()
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                *lines, last = (bytes(rest) + chunk).split(b"\n") if b"\n" in chunk else [None]
                if last is None:
                    rest += chunk
                    if len(rest) > _MAX_LINE_BYTES:
                        self._take(stream, bytes(rest))
                        rest.clear()
                    continue
                for line in lines:
                    self._take(stream, line or b"")
                rest = bytearray(last)
        finally:
            if rest:
                self._take(stream, bytes(rest))

    def _take(self, stream: str, raw: bytes) -> None:
        line = raw.decode("utf-8", "replace")
        if is_candidate(line):
            self._bytes += len(raw) + 1
            if self._bytes > MAX_BYTES:
                self.too_large = True
            else:
                self.found[stream].append(line)
        self._on_line(stream, line)

    def captured(self) -> Captured:
        return Captured().add_all(self.found["stdout"]).add_all(self.found["stderr"])
