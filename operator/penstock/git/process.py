"""Runs git so that a hostile repository, server or environment stays without effect.

GitPython's command object is used for what it is good at, and its way to start a process is
replaced, because that one inherits the whole environment (``GIT_TRACE_CURL``, ``GIT_DIR``,
``GIT_CONFIG_*`` …), reads without a bound, and needs ``ps`` to find the children of a git that
hangs. Whatever goes through :class:`HardenedGit` has:

* an environment from an allow-list, no configuration but ours, an empty home, no prompt, no
  hooks, no transport but HTTP;
* a process group of its own, which is killed as a whole when the time is up or nobody waits any
  more, and bounded memory;
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from git import Git
from git.exc import GitCommandError

from penstock.git.model import GitError, Terms

PASSED_ON = (
    "PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH",
)  # fmt: skip
"""The variables of our environment that git sees: they name programs and certificates."""

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
    # Larger files go from disk to disk in pieces, and are nobody's delta.
    "core.bigFileThreshold": "1m",
    "core.deltaBaseCacheLimit": "16m",
    "core.packedGitWindowSize": "16m",
    "core.packedGitLimit": "128m",
    "pack.threads": "1",
}

MEMORY = 384 * 1024 * 1024
"""The address space of each of git's processes, in bytes."""
OUTPUT_LIMIT = 32 * 1024 * 1024
_ERROR_LIMIT = 16 * 1024
_CHUNK = 64 * 1024
_LOOK = 0.1
"""Seconds between two looks at what grows, and whether anybody waits still."""
_LIMITED = 'ulimit -v "$0" && exec "$@"'
"""The shell command that limits git's memory before git begins, and that of what git starts."""

Watch = Callable[[], None]
"""Is called while git works, and raises where it has to stop."""


class HardenedGit(Git):
    """Runs git commands under one deadline; made by :func:`hardened_git`."""

    def __init__(self, home: Path, terms: Terms, directory: Path | None = None) -> None:
        super().__init__(home)
        self.home = home
        self.terms = terms
        self.directory = directory

    def inside(self, directory: Path) -> HardenedGit:
        """Git commands for the bare repository in a directory, under the same terms."""
        return HardenedGit(self.home, self.terms, directory)

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        config: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        limit: int = OUTPUT_LIMIT,
        watch: Watch | None = None,
    ) -> tuple[bytes, bytes]:
        """Run git to its end; gives its standard output, and its standard error.

        ``config`` is handed over in the environment, so credentials are in nobody's process list.
        """
        return self.execute(self._command(arguments), stdin, config, environment, limit, watch)

    def execute(  # type: ignore[override]  # the one way out of GitPython, narrowed
        self,
        command: Sequence[str],
        stdin: bytes = b"",
        config: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        limit: int = OUTPUT_LIMIT,
        watch: Watch | None = None,
        **_: Any,
    ) -> tuple[bytes, bytes]:
        variables = self._environment_for(config or {}) | dict(environment or {})
        process = self._started(command, variables, subprocess.PIPE)
        try:
            output, errors = self._communicate(process, stdin, limit, watch)
            self._wait(process)
        finally:
            _end(process)
        if watch is not None:
            watch()
        if process.returncode != 0:
            raise GitCommandError(list(command), process.returncode, errors, None)
        return output, errors

    @contextlib.contextmanager
    def answering(self, *arguments: str) -> Iterator[Answers]:
        """A git that answers requests one by one, until the block ends. What it complains about is
        not read: it shows in the answers."""
        process = self._started(
            self._command(arguments), self._environment_for({}), subprocess.DEVNULL
        )
        try:
            yield Answers(process, self.terms)
        finally:
            _end(process)

    def _command(self, arguments: Sequence[str]) -> list[str]:
        command = [str(self.GIT_PYTHON_GIT_EXECUTABLE or "git")]
        if self.directory is not None:
            command.append(f"--git-dir={self.directory}")
        return [*command, *arguments]

    def _started(
        self, command: Sequence[str], environment: Mapping[str, str], errors: int
    ) -> subprocess.Popen[bytes]:
        self.terms.deadline.remaining()
        try:
            return subprocess.Popen(
                ["/bin/sh", "-c", _LIMITED, str(MEMORY // 1024), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=self.home,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise _not_started(error) from None

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
                wait = min(self.terms.deadline.remaining(), _LOOK)
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
                    watch()
        return bytes(output), bytes(errors)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for a process that has closed its pipes."""
        while True:
            try:
                process.wait(min(self.terms.deadline.remaining(), _LOOK))
                return
            except subprocess.TimeoutExpired:
                continue


class Answers:
    """What a git says that is asked by lines on its standard input."""

    def __init__(self, process: subprocess.Popen[bytes], terms: Terms) -> None:
        assert process.stdin
        assert process.stdout
        self._stdin = process.stdin.fileno()
        self._stdout = process.stdout.fileno()
        self._terms = terms
        self._buffer = b""

    def ask(self, request: str) -> bytes:
        """The line that answers a request; without its end. Empty where git has gone.

        The answer to the request before was read whole, so git reads, and a short line fits.
        """
        with contextlib.suppress(BrokenPipeError):
            os.write(self._stdin, request.encode() + b"\n")
        while b"\n" not in self._buffer and len(self._buffer) < _CHUNK:
            if not (chunk := self._read()):
                return b""
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def pieces(self, size: int) -> Iterator[bytes]:
        """Give the next bytes in pieces; fewer than ``size`` where git has gone."""
        while size > 0:
            chunk = self._buffer or self._read()
            if not chunk:
                return
            piece, self._buffer = chunk[:size], chunk[size:]
            size -= len(piece)
            yield piece

    def _read(self) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            while not selector.select(min(self._terms.deadline.remaining(), _LOOK)):
                continue
        return os.read(self._stdout, _CHUNK)


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


@contextlib.contextmanager
def hardened_git(terms: Terms) -> Iterator[HardenedGit]:
    """Give git commands for one call, with an empty home of their own that is deleted after it."""
    try:
        home = tempfile.TemporaryDirectory(prefix="penstock-git-", ignore_cleanup_errors=True)
    except OSError as error:
        raise _not_started(error) from None
    with home:
        yield HardenedGit(Path(home.name).resolve(), terms)
