"""The cluster that the tests run on: how it starts its components."""

import os
import shutil
import signal
from pathlib import Path

from e2e.cluster import processes
from e2e.cluster.paths import Layout

NAME = "test-component"


def test_a_component_is_recognized_as_soon_as_it_was_started(tmp_path: Path) -> None:
    """A program that is read from the disk takes a moment to become what it was started as."""
    layout = Layout(repository=tmp_path, state=tmp_path / "state", cache=tmp_path / "cache")
    program = tmp_path / "program"
    shutil.copy("/bin/sleep", program)
    pid_file = layout.pids / f"{NAME}.pid"
    try:
        for _ in range(30):
            # given a program that no cache holds
            with program.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

            # when it is started
            processes.start(layout, NAME, [program, "60"])
            pid = int(pid_file.read_text())
            found = processes.marked()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

            # then it is found at once
            assert pid in found
    finally:
        pid_file.unlink(missing_ok=True)
