"""The files that a WorkingDirectory keeps from one execution to the next, while the world
exists."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from penstock.tasks.files.input_files import found

Key = tuple[str, str, str]
"""The flow's namespace and id, and the id of the WorkingDirectory's task run."""


class Caches:
    """Keeps the cache of each WorkingDirectory in a folder of its own."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._saved: dict[Path, datetime] = {}

    def restore(self, key: Key, directory: Path, cache: Mapping[str, Any], now: datetime) -> None:
        """Put the kept files back, unless they are older than they may be.

        `cache` holds `patterns` and `ttl`, in seconds.
        """
        folder = self._base.joinpath(*key)
        saved = self._saved.get(folder)
        ttl = cache.get("ttl")
        if saved is None or (ttl is not None and saved + timedelta(seconds=ttl) <= now):
            return
        shutil.copytree(folder, directory, dirs_exist_ok=True)

    def save(self, key: Key, directory: Path, cache: Mapping[str, Any], now: datetime) -> None:
        """Keep the files that match, in place of those kept before."""
        folder = self._base.joinpath(*key)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, file in found(directory, cache["patterns"]):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        self._saved[folder] = now
