"""The GitSource resource: which commit of which repository becomes Flows."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, field_validator

from penstock.resources.conditions import Condition
from penstock.resources.execution import ResourceModel

RECONCILE_ANNOTATION = "penstock.dev/requestedAt"
"""A changed value asks for a sync at once (Flux's `reconcile.fluxcd.io/requestedAt` does too)."""
FLUX_RECONCILE_ANNOTATION = "reconcile.fluxcd.io/requestedAt"
PUSH_ANNOTATION = "penstock.dev/pushedAt"
"""A changed value has the remote asked at once which commit is there. Nothing is fetched that was
taken in already: anybody may have it written, by a push hook."""

NAMESPACE_PATTERN = r"^[a-z0-9][a-z0-9_-]*([.][a-z0-9][a-z0-9_-]*)*$"
DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
_LONGEST_DURATION = 32
"""Characters of a duration: its rules in the CRD may cost no more than the API server allows."""
SHORTEST_INTERVAL = "10s"
LONGEST_TIMEOUT = "10m"
"""What hangs must end, lest it holds up others; what never rests does, too."""
INTERVAL_TOO_SHORT = f"a remote is asked every {SHORTEST_INTERVAL} at most"
TIMEOUT_TOO_LONG = f"one Git operation may take {LONGEST_TIMEOUT} at most"
MAX_FLOWS = 5000
"""The most Flows of one GitSource: its status names each."""
MAX_PROBLEMS = 100
"""The most problems that a status tells."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(duration: str) -> float:
    """`1h30m` in seconds."""
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", duration)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


class GitReference(ResourceModel):
    """What to follow; the default branch of the remote where nothing is said."""

    branch: Annotated[str, Field(min_length=1, max_length=250)] | None = None
    tag: Annotated[str, Field(min_length=1, max_length=250)] | None = None
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")] | None = None


class GitNamespaceFiles(ResourceModel):
    """A folder whose files become those of a namespace."""

    namespace: Annotated[str, Field(pattern=NAMESPACE_PATTERN, max_length=150)]
    """The namespace of the flows that read them."""
    path: Annotated[str, Field(min_length=1, max_length=1024)]
    """The folder in the repository, with all below it. No file of it is taken for a flow."""


class GitSourceSpec(ResourceModel):
    """Where flows come from."""

    url: Annotated[str, Field(pattern=r"^https?://[^@]+$", max_length=2048)]
    """An `http://` or `https://` URL without credentials in it."""
    ref: GitReference | None = None
    """Branch, tag or commit: at most one of them."""
    path: Annotated[str, Field(max_length=1024)] = "."
    """The folder whose `.yaml` and `.yml` files are flows, with all that is below it."""
    interval: Annotated[str, Field(pattern=DURATION_PATTERN, max_length=_LONGEST_DURATION)] = "1m"
    """How often the remote is asked for a new commit, such as `30s` or `5m`; at least `10s`."""
    timeout: Annotated[str, Field(pattern=DURATION_PATTERN, max_length=_LONGEST_DURATION)] = "60s"
    """How long one Git operation may take; at most `10m`."""
    suspend: bool = False
    """While true, nothing is fetched or changed."""
    prune: bool = True
    """Whether a Flow, or a namespace file, is deleted when its file is."""
    namespace_files: Annotated[list[GitNamespaceFiles], Field(max_length=100)] = []
    """Folders whose files become namespace files, in the internal storage."""

    @field_validator("interval")
    @classmethod
    def _not_too_often(cls, interval: str) -> str:
        if seconds(interval) < seconds(SHORTEST_INTERVAL):
            raise ValueError(INTERVAL_TOO_SHORT)
        return interval

    @field_validator("timeout")
    @classmethod
    def _not_too_long(cls, timeout: str) -> str:
        if seconds(timeout) > seconds(LONGEST_TIMEOUT):
            raise ValueError(TIMEOUT_TOO_LONG)
        return timeout


class InventoryEntry(ResourceModel):
    """A file and the Flow that was made of it."""

    path: str
    blob: str
    """The hash of the file's content in Git."""
    flow: str
    """The name of the Flow."""
    uid: str


class FileProblem(ResourceModel):
    """What is wrong with a file."""

    path: str
    line: int | None = None
    message: str


class GitSourceStatus(ResourceModel):
    """What was applied, and what could not be."""

    observed_generation: int = -1
    applied_commit: str | None = None
    """The last commit whose files were taken in."""
    attempted_commit: str | None = None
    """The last commit that was looked at."""
    last_sync: datetime | None = None
    """When a commit was last taken in."""
    last_handled_reconcile_at: str | None = None
    """The annotation value that last asked for a sync."""
    flows: int = 0
    """How many Flows it owns."""
    failed: int = 0
    """How many files could not be taken in."""
    inventory: Annotated[list[InventoryEntry], Field(max_length=MAX_FLOWS)] = []
    problems: Annotated[list[FileProblem], Field(max_length=MAX_PROBLEMS)] = []
    """The first problems, by file. Where there are more, the last one says how many."""
    conditions: list[Condition] = []

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
