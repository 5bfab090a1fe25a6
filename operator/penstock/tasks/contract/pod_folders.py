"""The folders that the containers of a script's pod share, and what they tell each other there.

    work      the working directory
    output    the output directory
    fetched   files that the task's texts name
    packages  packages of Python that are kept
    run       staged | failed, then done, then kept | failed; in between installed, then packed

`staged` holds what is to be said in the log, `failed` a whole termination message, `done` the exit
code, `kept` a line for the controller. Each is there as a whole or not at all.

In the pod of a WorkingDirectory, which has many attempts, each has these folders for itself, below
`attempts`, but for the working directory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

BASE = "/penstock"
"""The one writable directory of a script's pod."""
WORK = f"{BASE}/work"
KEPT_MARK = "::penstock-files "
"""What the line with the kept files begins with. JSON follows: `files`, URIs by name; `notes`."""
NO_MATCH = "no file matches"


@dataclass(frozen=True)
class Paths:
    """Where an attempt's own folders are in its pod."""

    within: str = ""
    """The name of the attempt in the pod of a WorkingDirectory; empty in a pod of its own."""

    @property
    def base(self) -> str:
        return f"{BASE}/attempts/{self.within}" if self.within else BASE

    @property
    def output(self) -> str:
        return f"{self.base}/output"

    @property
    def fetched(self) -> str:
        return f"{self.base}/fetched"

    @property
    def packages(self) -> str:
        return f"{self.base}/packages"

    @property
    def run(self) -> str:
        return f"{self.base}/run"


OWN = Paths()
"""The paths in a pod of an attempt's own."""


class PodFolders:
    """The folders below a base directory; for an attempt in a pod of many, with its name there."""

    def __init__(self, base: Path, within: str = "") -> None:
        self.work = base / "work"
        self.shares_work = bool(within)
        """Whether others were in the working directory before, or come after."""
        self.base = base / "attempts" / within if within else base
        self.output = self.base / "output"
        self.run = self.base / "run"

    def make(self) -> None:
        """Let them be there."""
        for folder in (self.work, self.output, self.run):
            folder.mkdir(exist_ok=True, parents=True)

    def said(self, name: str) -> bool:
        """Whether this was told."""
        return os.path.lexists(self.run / name)

    def say(self, name: str, text: str) -> None:
        """Tell it."""
        unfinished = self.run / f".{name}"
        unfinished.write_text(text, encoding="utf-8", errors="replace")
        unfinished.replace(self.run / name)
