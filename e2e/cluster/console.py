"""The output for people: one line per step on stderr, and errors that say what to do.

Progress goes to stderr so that stdout carries only the answer (a path), ready for ``$(...)``.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class ClusterError(Exception):
    """Something that stops the command; the message says what, where and what to do."""


_started = time.monotonic()
_printing = threading.Lock()


def say(message: str) -> None:
    """Print one progress line, stamped with the seconds since the command began."""
    with _printing:
        print(f"{time.monotonic() - _started:7.1f}s  {message}", file=sys.stderr, flush=True)


@contextmanager
def long_step(what: str, takes: str, every: float = 60.0) -> Iterator[None]:
    """Say that something begins and how long it takes, each minute that it goes on, and its end."""
    begin = time.monotonic()
    ended = threading.Event()

    def remind() -> None:
        while not ended.wait(every):
            say(f"still at it: {what} ({time.monotonic() - begin:.0f}s of {takes})")

    say(f"{what}: {takes} on two cores, the first time")
    reminder = threading.Thread(target=remind, daemon=True)
    reminder.start()
    try:
        yield
    finally:
        ended.set()
        reminder.join()
    say(f"{what}: done ({time.monotonic() - begin:.1f}s)")


@contextmanager
def step(what: str) -> Iterator[None]:
    """Report ``what`` once it is done, with the time it took."""
    begin = time.monotonic()
    yield
    say(f"{what} ({time.monotonic() - begin:.1f}s)")
