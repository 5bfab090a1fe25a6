"""Files made of records: lines of text, or ION values of which each is a line."""

from __future__ import annotations

import codecs
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from penstock.tasks.contract.task import Context, TaskFailure

CHUNK_BYTES = 256 * 1024
MAX_RECORD_BYTES = 64 * 1024 * 1024
"""A file without the separator is refused before it fills the memory."""


@dataclass
class Making:
    """A file that is being made."""

    file: BinaryIO
    uri: str = field(init=False, default="")
    """Known when the file is whole."""


@contextmanager
def making(context: Context, name: str) -> Iterator[Making]:
    """Make a file of this task run: it is kept where the block ends without an error."""
    files = context.services.files
    with tempfile.TemporaryFile(prefix="penstock-") as file:
        made = Making(file)
        yield made
        file.seek(0)
        made.uri = files.put(name, file)


def copy(context: Context, source: BinaryIO, target: BinaryIO) -> None:
    """Copy a stream; ends early where the task is to stop."""
    while chunk := source.read(CHUNK_BYTES):
        context.wait(0)
        target.write(chunk)


def save(source: BinaryIO, target: BinaryIO) -> None:
    """Copy a stream to its end."""
    shutil.copyfileobj(source, target, CHUNK_BYTES)


def records(source: BinaryIO, separator: bytes = b"\n") -> Iterator[bytes]:
    """The parts of a stream without their separators; nothing follows a last separator."""
    if not separator:
        raise TaskFailure("property `separator`: must not be empty")
    rest = b""
    while chunk := source.read(CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(separator)
        yield from whole
        if len(rest) > MAX_RECORD_BYTES:
            raise TaskFailure(f"a record is larger than {MAX_RECORD_BYTES // 2**20} MiB")
    if rest:
        yield rest


def items(context: Context, source: BinaryIO) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """The lines of an ION file, each with its value. Raises :class:`TaskFailure`."""
    for number, line in enumerate(records(source), 1):
        if number % 1000 == 0:
            context.wait(0)
        if not line.strip():
            continue
        value = _value(line, number)
        if not isinstance(value, dict):
            raise TaskFailure(f"line {number} is not a map of fields")
        yield line, value


def encoded(text: str, charset: str = "UTF-8") -> bytes:
    """Text as bytes. Raises :class:`TaskFailure` for a charset that is not known."""
    try:
        codecs.lookup(charset)
        return text.encode(charset)
    except (LookupError, UnicodeEncodeError):
        raise TaskFailure(f"`{text}` can't be written in the charset `{charset}`") from None


def line_of(value: Any) -> bytes:
    """A value as one line of a file: JSON, which is ION."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return text.encode("utf-8", "replace") + b"\n"


def extension(uri: str) -> str:
    """The file's extension with its dot; empty where it has none."""
    _, dot, last = uri.rpartition("/")[2].rpartition(".")
    return dot + last if last.isalnum() else ""


def _value(line: bytes, number: int) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return _ion(line, number)


def _ion(line: bytes, number: int) -> Any:
    """Read where JSON does not do: the expressions' ION is slower, and heavier to import."""
    from penstock.expressions.errors import ExpressionError
    from penstock.expressions.formats.ion import from_ion
    from penstock.expressions.limits import Budget, Limits

    try:
        return from_ion(line.decode("utf-8", "replace"), Budget(Limits()))
    except ExpressionError as error:
        raise TaskFailure(f"line {number}: {error}") from None
