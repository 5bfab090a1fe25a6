"""What a person sees: one line per step on stderr, and errors that say what to do.

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
def step(what: str) -> Iterator[None]:
    """Report ``what`` once it is done, with the time it took."""
    begin = time.monotonic()
    yield
    say(f"{what} ({time.monotonic() - begin:.1f}s)")
