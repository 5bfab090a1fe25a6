"""How a file is written so that a reader sees the old one or the whole new one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import uuid4

from fsspec import AbstractFileSystem
from fsspec.spec import AbstractBufferedFile

from penstock.storage.digests import Hashed, keep, metadata_of

_PRIVATE = 0o600


@contextmanager
def into_folder(
    unfinished: Path, target: Path, digest: str | None, *, durable: bool
) -> Iterator[Hashed]:
    """Write a local file in a folder beside, and move it to its place when it is whole."""
    unfinished.mkdir(parents=True, exist_ok=True)
    made = unfinished / uuid4().hex
    try:
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
            written = Hashed(file)
            yield written
            written.check(digest)
            keep(file, written.digest)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)


@contextmanager
def into_store(files: AbstractFileSystem, target: str, digest: str | None) -> Iterator[Hashed]:
    """Write an object: it exists once it is closed, and not at all where the block raises."""
    file = cast("BinaryIO", files.open(target, "wb", **metadata_of(files.protocol, digest)))
    try:
        written = Hashed(file)
        yield written
        written.check(digest)
    except BaseException:
        _throw_away(file)
        raise
    file.close()


def _throw_away(file: Any) -> None:
    """Discard an object that is not whole, so that the garbage collector does not close it
    either."""
    file.discard()
    if isinstance(file, AbstractBufferedFile):
        file.closed = True
