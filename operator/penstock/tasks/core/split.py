"""The task `Split`, which splits a file into several, by size, number or lines."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

from penstock.tasks.contract.records import encoded, extension, making, records
from penstock.tasks.contract.task import Context, TaskFailure

Lines = Iterator[bytes]

_SIZE = re.compile(r"^\s*(\d+)\s*([KMGT]?)(?:I?B)?\s*$", re.IGNORECASE)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_MAX_PARTITIONS = 1000
"""That many files are open at once."""


@dataclass(frozen=True)
class Split:
    """Splits a file at its lines. Where several ways are asked for, `bytes` wins over `partitions`
    and that over `rows`.

    ```yaml
    id: split
    type: io.kestra.plugin.core.storage.Split
    from: "{{ inputs.file }}"
    rows: 100
    ```
    """

    from_: str
    """The URI of the file."""
    bytes: str | None = None
    """The size at which a part is closed, such as `10MB`."""
    partitions: int | None = None
    """The number of parts; the lines go to them in turn."""
    rows: int | None = None
    """The number of lines in a part."""
    separator: str = "\n"
    """What ends a line."""

    def run(self, context: Context) -> Mapping[str, Any]:
        if self.bytes is None and self.partitions is None and self.rows is None:
            raise TaskFailure("one of `bytes`, `partitions` and `rows` is needed")
        separator = encoded(self.separator)
        with context.services.files.open(self.from_) as source:
            lines = (line + separator for line in records(source, separator))
            if self.bytes is None and self.partitions is not None:
                uris = self._in_turn(context, lines, self.partitions)
            else:
                uris = list(self._one_by_one(context, lines))
        return {"uris": uris}

    def _one_by_one(self, context: Context, lines: Lines) -> Iterator[str]:
        size, rows = self._limits()
        line = next(lines, None)
        number = 0
        while line is not None:
            number += 1
            written = count = 0
            with making(context, self._name(number)) as part:
                while line is not None and written < size and count < rows:
                    part.file.write(line)
                    written, count = written + len(line), count + 1
                    line = next(lines, None)
            context.wait(0)
            yield part.uri

    def _limits(self) -> tuple[float, float]:
        """The bytes and the lines at which a part is closed."""
        if self.bytes is not None:
            match = _SIZE.match(self.bytes)
            size = int(match[1]) * _UNITS[match[2].upper()] if match is not None else 0
            if size < 1:
                raise TaskFailure(f"property `bytes`: `{self.bytes}` is not a size such as 10MB")
            return size, float("inf")
        if self.rows is None or self.rows < 1:
            raise TaskFailure("property `rows`: must be at least 1")
        return float("inf"), self.rows

    def _in_turn(self, context: Context, lines: Lines, partitions: int) -> list[str]:
        if not 1 <= partitions <= _MAX_PARTITIONS:
            raise TaskFailure(f"property `partitions`: must be from 1 to {_MAX_PARTITIONS}")
        with ExitStack() as stack:
            parts: list[BinaryIO] = []
            for number, line in enumerate(lines):
                if number < partitions:
                    parts.append(stack.enter_context(tempfile.TemporaryFile()))
                parts[number % partitions].write(line)
                if number % 1000 == 0:
                    context.wait(0)
            uris = []
            for index, part in enumerate(parts, 1):
                part.seek(0)
                uris.append(context.services.files.put(self._name(index), part))
            return uris

    def _name(self, number: int) -> str:
        return f"part-{number}{extension(self.from_)}"
