"""The folders that the containers of a script's pod share, and what they tell each other there.

    work      the working directory
    output    the output directory
    fetched   files that the task's texts name
    packages  packages of Python that are kept
    run       staged | failed, then done, then kept | failed; in between installed, then packed

`staged` holds what is to be said in the log, `failed` a whole termination message, `done` the exit
code, `kept` a line for the controller. Each is there as a whole or not at all.
"""

from __future__ import annotations

import os
from pathlib import Path

BASE = "/penstock"
"""The one writable directory of a script's pod."""
WORK = f"{BASE}/work"
OUTPUT = f"{BASE}/output"
FETCHED = f"{BASE}/fetched"
PACKAGES = f"{BASE}/packages"
KEPT_MARK = "::penstock-files "
"""What the line with the kept files begins with. JSON follows: `files`, URIs by name; `notes`."""
NO_MATCH = "no file matches"


class PodFolders:
    """They, below a base directory."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.work = base / "work"
        self.output = base / "output"
        self.run = base / "run"

    def make(self) -> None:
        """Let them be there."""
        for folder in (self.work, self.output, self.run):
            folder.mkdir(exist_ok=True)

    def said(self, name: str) -> bool:
        """Whether this was told."""
        return os.path.lexists(self.run / name)

    def say(self, name: str, text: str) -> None:
        """Tell it."""
        unfinished = self.run / f".{name}"
        unfinished.write_text(text, encoding="utf-8", errors="replace")
        unfinished.replace(self.run / name)
