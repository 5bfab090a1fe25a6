"""Which files lie below a folder, found one after the other, with their sizes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from fsspec import AbstractFileSystem


def files_below(folder: str) -> Iterator[tuple[str, int]]:
    """Yield the files below a folder of this machine; what goes meanwhile may be left out."""
    pending = [folder]
    while pending:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        yield entry.path, entry.stat(follow_symlinks=False).st_size


def objects_below(files: AbstractFileSystem, folder: str) -> Iterator[tuple[str, int]]:
    """Yield the objects of a store below a prefix. All of them are asked for before the first one
    is given: that is one call for each thousand."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for path, item in files.find(folder, detail=True).items():
            if path.startswith(f"{folder}/"):  # a store finds an object of that name, too
                yield path, int(item.get("size") or 0)
