"""Runs one attempt on this machine, without a cluster: what `penstock run` does.

Core tasks run in this process, in a thread of their own. Scripts run as local processes in a fresh
directory, with this machine's interpreters: the image is not used. What a pod's end does to stray
processes, killing the process group does here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from penstock.engine.actions import Observation, StartAttempt
from penstock.flow.model import format_duration
from penstock.resources.execution import State
from penstock.tasks.captured import Captured, exit_words, is_candidate
from penstock.tasks.catalog import core_type
from penstock.tasks.contract import Container, CoreTask, TaskFailure, TaskStopped
from penstock.tasks.framing import MAX_BYTES, TOO_LARGE
from penstock.tasks.reading import read
from penstock.tasks.registry import container

OnLog = Callable[[str, str], None]
"""Is given each line of a task's log, with the stream: `stdout` or `stderr`."""

GRACE_SECONDS = 1.0
"""Between the polite and the rude way to end a script."""
_STRAY_SECONDS = 2.0
_CHUNK_BYTES = 64 * 1024
_MAX_LINE_BYTES = 2 * MAX_BYTES
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _ignore(stream: str, line: str) -> None:
    """Logs that nobody wants."""


async def run_locally(start: StartAttempt, on_log: OnLog = _ignore) -> Observation:
    """Run an attempt to its end. Cancelling it kills the task."""
    began = datetime.now(UTC)
    try:
        core = core_type(start.task.type)
        if core is not None:
            seen = await _run_core(read(core.load(), start.properties), start.timeout, on_log)
        else:
            seen = await _run_script(
                container(start.task.type, start.properties), start.timeout, on_log
            )
    except TaskFailure as failure:
        seen = _failed("TaskFailed", str(failure), outputs=failure.outputs)
    values = {**vars(seen), "start_date": began, "end_date": datetime.now(UTC)}
    return Observation(**values)


class _ThreadContext:
    """The context of a core task in a thread: it can be told to stop."""

    def __init__(self, on_log: OnLog) -> None:
        self._on_log = on_log
        self._stopping = threading.Event()

    def log(self, message: str, level: str = "INFO") -> None:
        if self._stopping.is_set():
            raise TaskStopped
        for line in (message if level == "INFO" else f"{level} {message}").split("\n"):
            self._on_log("stdout", line)

    def wait(self, seconds: float) -> None:
        if self._stopping.wait(min(seconds, threading.TIMEOUT_MAX)):
            raise TaskStopped

    def stop(self) -> None:
        self._stopping.set()


async def _run_core(task: CoreTask, timeout: timedelta | None, on_log: OnLog) -> Observation:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Mapping[str, Any] | None] = loop.create_future()
    context = _ThreadContext(lambda *line: _call(loop, on_log, *line))

    def work() -> None:
        try:
            outputs = task.run(context)
        except BaseException as error:
            _call(loop, _set_exception, ended, error)
        else:
            _call(loop, _set_result, ended, outputs)

    threading.Thread(target=work, name="task", daemon=True).start()
    try:
        async with asyncio.timeout(timeout.total_seconds() if timeout is not None else None):
            outputs = await ended
    except TimeoutError:
        return _timed_out(timeout)
    except (TaskFailure, asyncio.CancelledError):
        raise
    except Exception as error:
        return _failed("TaskFailed", f"{type(error).__name__}: {error}")
    finally:
        context.stop()
    return Observation(State.SUCCESS, exit_code=0, outputs=outputs)


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *given: Any) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(function, *given)


def _set_result(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _set_exception(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


async def _run_script(what: Container, timeout: timedelta | None, on_log: OnLog) -> Observation:
    with tempfile.TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as base:
        environment = _prepare(Path(base), what)
        pipes = {"stdout": await _Pipe.open(), "stderr": await _Pipe.open()}
        try:
            process = await asyncio.create_subprocess_exec(
                *what.command,
                cwd=f"{base}/work",
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pipes["stdout"].write_end,
                stderr=pipes["stderr"].write_end,
                start_new_session=True,
            )
        except OSError as error:
            for pipe in pipes.values():
                pipe.close()
            return _failed("StartError", f"{what.command[0]}: {error.strerror}", 127)
        finally:
            for pipe in pipes.values():
                os.close(pipe.write_end)
        lines = _Lines(on_log)
        readers = [
            asyncio.create_task(lines.read(name, pipe.reader)) for name, pipe in pipes.items()
        ]
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
    return _script_observation(code if code >= 0 else 128 - code, lines, timed_out, timeout)


@dataclass
class _Pipe:
    """One stream of a script. The process does not own it: with pipes of its own, asyncio's `wait`
    would wait for whatever the script left behind in the background, which holds them open.
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


def _prepare(base: Path, what: Container) -> dict[str, str]:
    for name in ("work", "home", "tmp"):
        (base / name).mkdir()
    for name, text in what.files.items():
        file = base / "work" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")
    return {
        "PATH": os.environ.get("PATH", _PATH),
        "HOME": f"{base}/home",
        "TMPDIR": f"{base}/tmp",
        "WORKING_DIR": f"{base}/work",
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        **what.env,
    }


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the whole group to end, and make it end."""
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
    """Splits both streams into lines, passes them on, and keeps what may hold values."""

    def __init__(self, on_log: OnLog) -> None:
        self._on_log = on_log
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
        self._on_log(stream, line)

    def captured(self) -> Captured:
        return Captured().add_all(self.found["stdout"]).add_all(self.found["stderr"])


def _script_observation(
    code: int, lines: _Lines, timed_out: bool, timeout: timedelta | None
) -> Observation:
    captured = lines.captured()
    outputs = {"vars": captured.vars, "exitCode": code, "outputFiles": {}}
    notes = "; ".join(captured.notes) or None
    if timed_out:
        return _timed_out(timeout, code, outputs)
    if code != 0:
        words = [exit_words(code), TOO_LARGE if lines.too_large else None, notes]
        return _failed("ExitCode", "; ".join(word for word in words if word), code, outputs)
    if lines.too_large:
        return _failed("InvalidOutputs", TOO_LARGE, code)
    return Observation(State.SUCCESS, exit_code=code, message=notes, outputs=outputs)


def _timed_out(
    timeout: timedelta | None, code: int | None = None, outputs: Mapping[str, Any] | None = None
) -> Observation:
    words = f"Timeout after {format_duration(timeout)}" if timeout is not None else "Timeout"
    return _failed("Timeout", words, code, outputs)


def _failed(
    reason: str,
    message: str,
    code: int | None = None,
    outputs: Mapping[str, Any] | None = None,
) -> Observation:
    return Observation(
        State.FAILED, exit_code=code, reason=reason, message=message, outputs=outputs
    )
