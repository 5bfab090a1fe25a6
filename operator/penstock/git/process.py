"""Runs git so that a hostile repository, server or environment stays without effect.

GitPython's command object is used for what it is good at, and its way to start a process is
replaced, because that one inherits the whole environment (``GIT_TRACE_CURL``, ``GIT_DIR``,
``GIT_CONFIG_*`` …), reads without a bound, and needs ``ps`` to find the children of a git that
hangs. Whatever goes through :class:`HardenedGit` has:

* an environment from an allow-list, no configuration but ours, an empty home, no prompt, no
  hooks, no transport but HTTP;
* a process group of its own, which is killed as a whole when the time is up;
* a bounded output, and on request a bounded directory.

Nothing outlives a call: no process, no open file, no ``Repo``.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from git import Git
from git.exc import GitCommandError

from penstock.git.model import GitError

PASSED_ON = (
    "PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH",
    "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
)  # fmt: skip
"""The variables that git sees of ours: how to find programs, trust and the way out."""

HARDENING = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "http:https",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
    "LANGUAGE": "C",
}

CONFIGURATION = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.askPass": "",
    "credential.helper": "",
    # A maintenance run would go on in the background, after the call.
    "gc.auto": "0",
    "maintenance.auto": "false",
    # Always one pack per fetch, so that its growth can be seen in one directory.
    "fetch.unpackLimit": "1",
    "fetch.recurseSubmodules": "false",
}

OUTPUT_LIMIT = 64 * 1024 * 1024
_ERROR_LIMIT = 16 * 1024
_CHUNK = 64 * 1024
_WATCH_INTERVAL = 0.1


@dataclass(frozen=True)
class Watch:
    """A directory whose content may not outgrow ``limit`` bytes."""

    directory: Path
    limit: int

    def check(self) -> None:
        if _size(self.directory) > self.limit:
            raise GitError(
                "TooLarge",
                f"The repository needs more than {self.limit} bytes. Keep flows in a smaller "
                "repository, or raise the limit.",
            )


def _size(directory: str | os.PathLike[str]) -> int:
    """The bytes below a directory. Files that vanish meanwhile do not count."""
    total = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    total += _size(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


class HardenedGit(Git):
    """Runs git commands under one deadline; made by :func:`hardened_git`."""

    def __init__(self, home: Path, deadline: float, directory: Path | None = None) -> None:
        super().__init__(home)
        self.home = home
        self.deadline = deadline
        self.directory = directory

    def inside(self, directory: Path) -> HardenedGit:
        """Git commands for the bare repository in a directory, under this deadline."""
        return HardenedGit(self.home, self.deadline, directory)

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        config: Mapping[str, str] | None = None,
        limit: int = OUTPUT_LIMIT,
        watch: Watch | None = None,
    ) -> tuple[bytes, bytes]:
        """Run git to its end; gives its standard output, and its standard error.

        ``config`` is handed over in the environment, so credentials are in nobody's process list.
        """
        command = [self.GIT_PYTHON_GIT_EXECUTABLE or "git"]
        if self.directory is not None:
            command.append(f"--git-dir={self.directory}")
        return self.execute([*command, *arguments], stdin, config, limit, watch)

    def execute(  # type: ignore[override]  # the one way out of GitPython, narrowed
        self,
        command: Sequence[str],
        stdin: bytes = b"",
        config: Mapping[str, str] | None = None,
        limit: int = OUTPUT_LIMIT,
        watch: Watch | None = None,
        **_: Any,
    ) -> tuple[bytes, bytes]:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.home,
                env=self._environment_for(config or {}),
                start_new_session=True,
            )
        except OSError as error:
            raise _not_started(error) from None
        try:
            output, errors = self._communicate(process, stdin, limit, watch)
            process.wait(self._remaining())
        except subprocess.TimeoutExpired:
            raise _timeout() from None
        finally:
            _end(process)
        if watch is not None:
            watch.check()
        if process.returncode != 0:
            raise GitCommandError(list(command), process.returncode, errors, None)
        return output, errors

    def _environment_for(self, config: Mapping[str, str]) -> dict[str, str]:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment |= HARDENING
        environment["HOME"] = str(self.home)
        environment["GIT_CEILING_DIRECTORIES"] = str(self.home.parent)
        settings = {**CONFIGURATION, **config}
        environment["GIT_CONFIG_COUNT"] = str(len(settings))
        for index, (key, value) in enumerate(settings.items()):
            environment[f"GIT_CONFIG_KEY_{index}"] = key
            environment[f"GIT_CONFIG_VALUE_{index}"] = value
        return environment

    def _remaining(self) -> float:
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise _timeout()
        return remaining

    def _communicate(
        self, process: subprocess.Popen[bytes], stdin: bytes, limit: int, watch: Watch | None
    ) -> tuple[bytes, bytes]:
        """Feed and read all pipes at once until they are closed, within time and size."""
        assert process.stdin
        assert process.stdout
        assert process.stderr
        output, errors = bytearray(), bytearray()
        pending = memoryview(stdin)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, output)
            selector.register(process.stderr, selectors.EVENT_READ, errors)
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
            while selector.get_map():
                remaining = self._remaining()
                wait = remaining if watch is None else min(remaining, _WATCH_INTERVAL)
                for key, _ in selector.select(wait):
                    stream: IO[bytes] = key.fileobj  # type: ignore[assignment]
                    if stream is process.stdin:
                        pending = _feed(stream, pending)
                        if not pending:
                            selector.unregister(stream)
                            stream.close()
                        continue
                    chunk = os.read(stream.fileno(), _CHUNK)
                    if not chunk:
                        selector.unregister(stream)
                    elif stream is process.stdout:
                        output += chunk
                        if len(output) > limit:
                            raise GitError("TooLarge", f"Git printed more than {limit} bytes.")
                    else:
                        errors += chunk
                        del errors[:-_ERROR_LIMIT]
                if watch is not None:
                    watch.check()
        return bytes(output), bytes(errors)


def _feed(stream: IO[bytes], pending: memoryview) -> memoryview:
    """Write as much as the pipe takes, and give the rest. A reader that went away gets no more."""
    try:
        return pending[os.write(stream.fileno(), pending[:_CHUNK]) :] if pending else pending
    except BlockingIOError:
        return pending
    except BrokenPipeError:
        return pending[:0]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing behind: kill the group if it runs, close the pipes, reap.

    The group is killed before its leader is reaped, so its number cannot be another's. Where
    Penstock is process 1 of its container it inherits git's helpers and reaps them as well.
    """
    killed = process.returncode is None
    if killed:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()
    if killed and os.getpid() == 1:
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-process.pid, 0)


def _not_started(error: OSError) -> GitError:
    return GitError("GitOperationFailed", f"Git cannot be started: {error.strerror or error}.")


def _timeout() -> GitError:
    return GitError(
        "Timeout",
        "The Git server did not finish in time. Check that it is reachable, or raise the timeout.",
    )


@contextlib.contextmanager
def hardened_git(timeout: float) -> Iterator[HardenedGit]:
    """Give git commands for one call, with an empty home of their own that is deleted after it."""
    deadline = time.monotonic() + timeout
    try:
        home = tempfile.TemporaryDirectory(prefix="penstock-git-", ignore_cleanup_errors=True)
    except OSError as error:
        raise _not_started(error) from None
    with home:
        yield HardenedGit(Path(home.name).resolve(), deadline)
