"""A worker: answers questions on its standard input until that ends.

What comes and goes is pickled, with its length in front. While a question is answered, functions
that read something are called by whoever asked. The controller's environment, its rights and its
files are not handed on to a worker; what its memory and time may be is set before the first word of
a stranger is read.
"""

from __future__ import annotations

import os
import pickle
import resource
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

from penstock.expressions import ExpressionError, NotLoaded

LENGTH = struct.Struct(">Q")
MEMORY = 192 * 1024 * 1024
"""Bytes of data that a worker may have."""
_TIRED = MEMORY * 3 // 4
"""Bytes from which on a worker makes way for a fresh one."""
SECONDS = 60
"""Seconds of CPU that one question may take, whoever has asked it and died meanwhile."""
_NICE = 5
"""Deciding what is small comes first, but not so much that nothing else is ever done."""


class Asker:
    """Whoever asks, at the other end of two pipes."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    def receive(self) -> Any:
        """Wait for a message. Raises ``EOFError`` where there will be none."""
        head = self._incoming.read(LENGTH.size)
        if len(head) < LENGTH.size:
            raise EOFError
        (length,) = LENGTH.unpack(head)
        return pickle.loads(self._incoming.read(length))

    def send(self, *message: Any) -> None:
        """Send a message, whole."""
        written = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._outgoing.write(LENGTH.pack(len(written)) + written)
        self._outgoing.flush()

    def call(self, name: str, *args: Any, **named: Any) -> Any:
        """Let a function be called there. Raises ``ExpressionError`` as it does, and ``NotLoaded``
        where the question is given up, since something has to be read first."""
        self.send("call", name, args, named)
        kind, value = self.receive()
        if kind == "error":
            raise ExpressionError(value)
        if kind == "give up":
            raise NotLoaded(name)
        return value


def main() -> None:
    """Answer questions until there are no more."""
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asker = Asker(sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout = sys.stderr
    while True:
        try:
            question = asker.receive()
        except EOFError:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(used.ru_utime + used.ru_stime) + SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
        _answer(asker, question)


def _answer(asker: Asker, question: Any) -> None:
    try:
        answer = question.answer(asker.call)
        asker.send("answer", answer, _data_bytes() > _TIRED)
    except NotLoaded:
        asker.send("given up", _data_bytes() > _TIRED)
    except MemoryError:
        asker.send("memory")
    except Exception as error:
        # Its words may hold anything; the place is enough to find the fault.
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        asker.send("failed", type(error).__name__, where)


def _data_bytes() -> int:
    """Give what `RLIMIT_DATA` counts. (The highest that `getrusage` tells of is that of whoever
    started the process, where that was larger.)"""
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
