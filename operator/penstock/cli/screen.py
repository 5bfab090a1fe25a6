"""Which display of a local execution suits a stream: live in a terminal, lines anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from penstock.cli.display import Display, PlainDisplay


@contextmanager
def open_display(stream: TextIO) -> Iterator[Display]:
    """Open the display that suits a stream."""
    if not stream.isatty():
        yield PlainDisplay(stream)
        return
    from penstock.cli.live import LiveDisplay

    with LiveDisplay(stream) as display:
        yield display
