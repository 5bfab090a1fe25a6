"""Locks between processes: one of them makes what is slow to make, and the others wait for it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster.console import say


@contextmanager
def held(file: Path, waiting: str) -> Iterator[None]:
    """Hold the lock of a file. `waiting` is said where another process holds it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for {waiting}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
