"""Opens files of a directory that somebody else may change meanwhile.

A script shares its directory with the container that keeps its files. That container may read what
the script may not, so no link that the script puts there, at whatever moment, may lead it out.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_beneath(directory: Path, name: str) -> BinaryIO:
    """Open a file below the directory to read; links are followed only within it.

    Raises ``OSError``, for example for a part of the path that has become a link.
    """
    real, root = (directory / name).resolve(strict=True), directory.resolve()
    if not real.is_relative_to(root) or real == root:
        raise OSError(errno.ELOOP, "leads out of its directory", str(name))
    *folders, last = real.relative_to(root).parts
    at = os.open(directory, _FOLDER)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        return os.fdopen(os.open(last, _FILE, dir_fd=at), "rb")
    finally:
        with suppress(OSError):
            os.close(at)
