"""Runs one attempt on this machine, without a cluster, for `penstock run`.

Core tasks run in this process, in a thread of their own. Scripts run as local processes in a fresh
directory, with this machine's interpreters: the image is not used. What a pod's end does to stray
processes, killing the process group does here.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from penstock.engine.interface.actions import Observation, StartAttempt
from penstock.flow.model import format_duration
from penstock.local.packages import PackageEnvironment, installs_packages
from penstock.local.process import Ended, run_process
from penstock.local.script_files import ScriptFolders, keep_outputs, prepare
from penstock.local.thread import run_in_thread
from penstock.nesting import TOO_DEEP, deep_name
from penstock.resources.execution import State
from penstock.storage.errors import StorageError
from penstock.tasks.contract.framing import TOO_LARGE
from penstock.tasks.contract.installed import find
from penstock.tasks.contract.localizing import Localizing
from penstock.tasks.contract.output_lines import exit_words
from penstock.tasks.contract.services import Metric, Services, log_lines
from penstock.tasks.contract.task import Container, CoreTask, TaskFailure
from penstock.tasks.core.templated import TEMPLATED, inner_task
from penstock.tasks.files.output_files import Kept
from penstock.tasks.registry.definitions import container
from penstock.tasks.registry.properties import read

OnLog = Callable[[str, str], None]
"""Takes the stream (`stdout` or `stderr`) and one line of a task's log."""


def _ignore(stream: str, line: str) -> None:
    """Drop a line of a log."""


class AttemptServices(Services, Protocol):
    """The services of one attempt, and what it published."""

    published: list[Metric]
    """The metrics that the attempt published so far."""


class Host(Protocol):
    """The services that an execution on this machine offers its attempts."""

    def services(
        self, task: str, task_run: str, value: str | None, directory: Path
    ) -> AttemptServices:
        """The services of one attempt."""

    def keep_log(self, task: str, task_run: str, level: str, message: str) -> None:
        """Remember a message of an attempt."""

    def mask(self, text: str) -> str:
        """The text without the secrets that were read."""


async def run_locally(
    start: StartAttempt,
    on_log: OnLog = _ignore,
    host: Host | None = None,
    directory: Path | None = None,
    further: Callable[[StartAttempt], CoreTask | None] = lambda start: None,
    started: Callable[[], None] = lambda: None,
) -> Observation:
    """Run an attempt to its end. Cancelling it kills the task.

    ``directory`` is a working directory that the attempt shares with others; without it the attempt
    gets a fresh one. Without a ``host`` there are no files, no pairs and no secrets. ``further``
    gives tasks that are in no catalog; it may raise :class:`TaskFailure`. ``started`` is called
    when the task itself begins, and never where it is refused before.
    """
    began = datetime.now(UTC)
    log = _Log(start, on_log, host)
    with tempfile.TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as base:
        at = ScriptFolders.make(Path(base), directory)
        run = start.task_run
        services = host.services(run.task_id, run.id, run.value, at.work) if host else None
        try:
            start = _inner(start)
            task = further(start) or _core_task(start, at)
            if task is not None:
                started()
                seen = await _run_core(task, start, log, services)
            else:
                what = container(start.task.type, start.properties)
                seen = await _Script(what, at, log, services).run(start.timeout, started)
        except TaskFailure as failure:
            seen = _failed("TaskFailed", str(failure), outputs=failure.outputs)
        except StorageError as error:
            seen = _failed("TaskFailed", str(error))
    message = host.mask(seen.message) if host and seen.message else seen.message
    metrics = [*seen.metrics, *(services.published if services else ())]
    return replace(
        seen, message=message, metrics=metrics, start_date=began, end_date=datetime.now(UTC)
    )


def _core_task(start: StartAttempt, at: ScriptFolders) -> CoreTask | None:
    """The task that Penstock's own program runs; None where it is a script."""
    definition = find(start.task.type)
    if definition is None or definition.container is not None:
        return None
    localizing = Localizing(str(at.work), f"{at.base}/output", "", with_uris=False)
    properties = definition.spelled(localizing.tree(start.properties))
    return definition.task(read(definition.load(), properties))


def _inner(start: StartAttempt) -> StartAttempt:
    """The start of the task that a templated task describes; every other start as it is."""
    definition = find(start.task.type)
    if definition is None or definition.name != TEMPLATED:
        return start
    task_type, properties = inner_task(read(definition.load(), start.properties).spec)
    task = start.task.model_copy(update={"type": task_type})
    return replace(start, task=task, properties=properties)


class _Log:
    """Masks and passes on the lines of an attempt."""

    def __init__(self, start: StartAttempt, on_log: OnLog, host: Host | None) -> None:
        self._run = start.task_run
        self._on_log = on_log
        self._host = host

    def line(self, stream: str, line: str) -> None:
        """Pass on one line of a script."""
        self._on_log(stream, self._kept("ERROR" if stream == "stderr" else "INFO", line))

    def message(self, level: str, message: str) -> None:
        """Pass on one message of a core task."""
        shown = self._kept(level, message)
        for line in log_lines(shown, level):
            self._on_log("stdout", line)

    def _kept(self, level: str, message: str) -> str:
        if self._host is None:
            return message
        masked = self._host.mask(message)
        self._host.keep_log(self._run.task_id, self._run.id, level, masked)
        return masked


async def _run_core(
    task: CoreTask, start: StartAttempt, log: _Log, services: Services | None
) -> Observation:
    try:
        outputs = await run_in_thread(
            task, start.timeout, log.message, services, start.task.log_level
        )
    except TimeoutError:
        return _timed_out(start.timeout)
    except (TaskFailure, StorageError):
        raise
    except Exception as error:
        return _failed("TaskFailed", f"{type(error).__name__}: {error}")
    if (name := deep_name(outputs)) is not None:
        return _failed("InvalidOutputs", f"the output `{name}` is {TOO_DEEP}")
    return Observation(State.SUCCESS, exit_code=0, outputs=outputs)


class _Script:
    """Runs one attempt of a script."""

    def __init__(
        self, what: Container, at: ScriptFolders, log: _Log, services: Services | None
    ) -> None:
        self._what = what
        self._at = at
        self._log = log
        self._services = services

    async def run(self, timeout: timedelta | None, started: Callable[[], None]) -> Observation:
        """Run the script to its end. Raises :class:`TaskFailure` and :class:`StorageError`."""
        warnings: list[str] = []
        what = await asyncio.to_thread(
            prepare, self._what, self._at, self._services, warnings.append
        )
        for warning in warnings:
            self._log.message("WARN", warning)
        environment = await asyncio.to_thread(self._environment, what)
        try:
            ended = await run_process(
                what.command, self._at.work, environment, timeout, self._log.line, started
            )
        except OSError as error:
            words = f"{what.command[0]}: {error.strerror}"
            return _failed("StartError", words + _lacking(what, environment), 127)
        kept = Kept()
        if not ended.timed_out:
            kept = await asyncio.to_thread(
                keep_outputs, what, self._at, self._services, strict=ended.code == 0
            )
        seen = _script_observation(ended, kept, timeout)
        if ended.code == 127 and not ended.timed_out:
            seen = replace(seen, message=f"{seen.message}{_lacking(what, environment)}")
        return seen

    def _environment(self, what: Container) -> dict[str, str]:
        """The variables of the process. Where it installs packages, they name an environment for
        these."""
        given = {"PIP_CACHE_DIR": _pip_cache(), **self._at.environment(what.env)}
        if not installs_packages(what, self._at.work):
            return given
        own = PackageEnvironment.make(self._at.base, given["PATH"])
        return given if own is None else own.variables(given)


def _lacking(what: Container, environment: Mapping[str, str]) -> str:
    """The end of a message where this machine has no interpreter of a script; else nothing."""
    path = environment.get("PATH")
    if not what.programs or any(shutil.which(program, path=path) for program in what.programs):
        return ""
    return (
        f": this machine has no `{what.programs[0]}`, and `penstock run` runs scripts with the "
        "machine's interpreters, not in images"
    )


def _pip_cache() -> str:
    """The folder where pip keeps packages on this machine: the home of an attempt is its own, and
    empty."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return os.environ.get("PIP_CACHE_DIR") or f"{caches}/pip"


def _script_observation(ended: Ended, kept: Kept, timeout: timedelta | None) -> Observation:
    code, captured = ended.code, ended.captured
    outputs = {"vars": captured.vars, "exitCode": code, "outputFiles": kept.files}
    notes = "; ".join((*captured.notes, *kept.notes)) or None
    if ended.timed_out:
        seen = _timed_out(timeout, code, outputs)
    elif code != 0:
        words = [exit_words(code), TOO_LARGE if ended.too_large else None, notes]
        seen = _failed("ExitCode", "; ".join(word for word in words if word), code, outputs)
    elif ended.too_large:
        return _failed("InvalidOutputs", TOO_LARGE, code)
    elif (name := deep_name(captured.vars)) is not None:
        return _failed("InvalidOutputs", f"the output `{name}` is {TOO_DEEP}", code)
    else:
        seen = Observation(State.SUCCESS, exit_code=code, message=notes, outputs=outputs)
    return replace(seen, metrics=captured.metrics)


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
