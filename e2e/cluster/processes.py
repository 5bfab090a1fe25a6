"""Starts the components in the background, and finds and stops them again.

Each is marked by a variable in its environment, which containerd's shims inherit. The mark, not
the pid file, says whether a process is the cluster's: a pid file may outlive a crash and name
somebody else's process.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from e2e.cluster import commands
from e2e.cluster.console import ClusterError
from e2e.cluster.paths import Layout, running_state_directory

_MARK = "PENSTOCK_CLUSTER_COMPONENT"
_LOG_TAIL = 25
# The caller's cluster, systemd's sockets and a proxy are none of the components' business.
_UNWANTED_VARIABLES = (
    *("KUBECONFIG", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"),
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
)


def start(layout: Layout, name: str, arguments: Sequence[str | Path]) -> None:
    """Start a component that outlives this command; its output goes to the logs."""
    layout.logs.mkdir(parents=True, exist_ok=True)
    layout.pids.mkdir(parents=True, exist_ok=True)
    with log_file(layout, name).open("ab") as log:
        process = subprocess.Popen(
            [str(argument) for argument in arguments],
            env=_clean_environment(name),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _wait_for_mark(process)
    (layout.pids / f"{name}.pid").write_text(f"{process.pid}\n")


def pid_of(layout: Layout, name: str) -> int | None:
    """The pid of a component, or None when it does not run, or runs for another clone."""
    if running_state_directory() != layout.state:
        return None
    try:
        pid = int((layout.pids / f"{name}.pid").read_text())
    except (OSError, ValueError):
        return None
    return pid if _mark(pid) == name and _runs(pid) else None


def stop(layout: Layout, names: Iterable[str], timeout: float = 10.0) -> None:
    """Ask components to end, then kill those that do not."""
    pids = {pid for name in names if (pid := pid_of(layout, name)) is not None}
    _signal(pids, signal.SIGTERM)
    if left := _wait_gone(pids, timeout):
        _signal(left, signal.SIGKILL)
        _wait_gone(left, timeout)


def kill_marked(timeout: float = 10.0) -> None:
    """Kill everything that bears the mark: stray components, and containerd's shims."""
    pids = marked()
    _signal(pids, signal.SIGKILL)
    _wait_gone(pids, timeout)


def marked() -> set[int]:
    """The pids of all processes that the cluster started, containers left out."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {pid for pid in pids if _mark(pid) is not None and _runs(pid)}


def wait_until(layout: Layout, name: str, what: str, probe: Callable[[], bool]) -> None:
    """Poll until the probe holds; raise with the log's end if the component dies or is late."""
    deadline = time.monotonic() + 90
    while not probe():
        if pid_of(layout, name) is None:
            ended = f"{name} ended{_how(layout, name)}"
            raise ClusterError(f"{ended} before {what}.\n{_log_tail(layout, name)}")
        if time.monotonic() > deadline:
            raise ClusterError(f"after 90 seconds, not yet: {what}.\n{_log_tail(layout, name)}")
        time.sleep(0.1)


def log_file(layout: Layout, name: str) -> Path:
    return layout.logs / f"{name}.log"


def _log_tail(layout: Layout, name: str) -> str:
    path = log_file(layout, name)
    lines = path.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
    return f"The end of {path}:\n" + "\n".join(f"    {line}" for line in lines)


def _wait_for_mark(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process can be recognized as ours.

    execve lets Popen return before the kernel has laid out the new environment: until then, for
    up to some 15 ms when the program is read from the disk, the process has no mark, and whoever
    looks for the component would find that it has ended.
    """
    while process.poll() is None and _mark(process.pid) is None:
        time.sleep(0.001)


def _clean_environment(name: str) -> dict[str, str]:
    variables = commands.environment({_MARK: name})
    for unwanted in _UNWANTED_VARIABLES:
        variables.pop(unwanted, None)
    return variables


def _mark(pid: int) -> str | None:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    prefix = f"{_MARK}=".encode()
    return next(
        (item.removeprefix(prefix).decode() for item in variables if item.startswith(prefix)), None
    )


def _runs(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in ("Z", "X")


def _how(layout: Layout, name: str) -> str:
    """The status with which a component ended, where this command started it."""
    try:
        pid = int((layout.pids / f"{name}.pid").read_text())
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (OSError, ValueError):
        return ""
    if ended is None:
        return ""
    kind = "with status" if ended.si_code == os.CLD_EXITED else "by signal"
    return f" {kind} {ended.si_status}"


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _wait_gone(pids: set[int], timeout: float) -> set[int]:
    deadline = time.monotonic() + timeout
    while (left := {pid for pid in pids if _runs(pid)}) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
