"""What a runnable task is to the rest of Penstock. Standard library only: pods import this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Protocol

from penstock.tasks.contract.kv_effects import PairUse
from penstock.tasks.contract.packages import Packages
from penstock.tasks.contract.services import Services

Level = Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]

SCRIPT = "script"
"""The runtime that is the user's image as it is, with a shell in front of the command."""
CORE = "core"
"""The runtime that is Penstock's own image."""

RIGHTS = ("delete", "namespaces", "logs")
"""What a task may be given beyond reading and making files (`penstock.storage.grants.Right`)."""


class TaskFailure(Exception):
    """A task failed for a reason of its own. Outputs known so far may still be given."""

    def __init__(self, message: str, outputs: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.outputs = dict(outputs) if outputs is not None else None


class TaskStopped(Exception):
    """The task was asked to stop while it ran."""


class Context(Protocol):
    """What a core task may do while it runs."""

    def log(self, message: str, level: str = "INFO") -> None:
        """Write one log message."""

    def wait(self, seconds: float) -> None:
        """Let time pass. Raises :class:`TaskStopped` when the task is to end before."""

    @property
    def services(self) -> Services:
        """Files, key-value pairs and the like. Raises :class:`TaskFailure` where there are none."""


class CoreTask(Protocol):
    """A task that Penstock's own image runs: a dataclass of its rendered properties."""

    def run(self, context: Context) -> Mapping[str, Any] | None:
        """Do the work; return the outputs. Raises :class:`TaskFailure`."""


@dataclass(frozen=True)
class Resources:
    """Kubernetes quantities, such as ``500m`` or ``128Mi``."""

    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Placement:
    """Where a pod runs and as whom; what is not said comes from the administrator's defaults."""

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    affinity: Mapping[str, Any] = field(default_factory=dict)
    service_account_name: str | None = None
    runtime_class_name: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Mapping[str, Any], ...] = ()
    """Volumes of safe kinds; their names clash with none of Penstock's."""
    volume_mounts: tuple[Mapping[str, Any], ...] = ()
    """Where the task's own container has them."""
    start_within: timedelta | None = None
    """How long the pod may wait for its start; None for the administrator's limit."""


@dataclass(frozen=True)
class NamespaceFilesOption:
    """Which namespace files stand in a task's working directory."""

    enabled: bool = True
    """Whether any do."""
    include: list[str] = field(default_factory=list)
    """Patterns of the files to take; all where there is none."""
    exclude: list[str] = field(default_factory=list)
    """Patterns of the files to leave out."""
    namespaces: list[str] = field(default_factory=list)
    """The namespaces whose files are taken, later ones over earlier ones; the flow's own where
    none is named."""
    if_exists: Literal["OVERWRITE", "FAIL", "WARN", "IGNORE"] = "OVERWRITE"
    """What to do where a file of that name is there already."""
    folder_per_namespace: bool = False
    """Whether each namespace's files go into a folder of its name."""


@dataclass(frozen=True)
class Container:
    """What one attempt runs: enough for a pod and for a local process alike."""

    command: tuple[str, ...]
    """The whole command line, interpreter first. Of other runtimes than `script`: the arguments of
    the Python that runs Penstock's programs."""
    runtime: str = CORE
    """Which image runs it: `script` for the one that `image` names, `core` for Penstock's own. Any
    other names an image that has Penstock's programs and what else the task needs, such as a
    database's driver; the administrator says which one it is."""
    image: str | None = None
    """The user's image, of a script."""
    programs: tuple[str, ...] = ()
    """What has to be there to run a script: any of these."""
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Text files to stand in the working directory before the command starts, by name."""
    fetched: Mapping[str, str] = field(default_factory=dict)
    """URIs of further files to stand there, by name."""
    namespace_files: NamespaceFilesOption | None = None
    """The namespace files to stand there."""
    output_files: tuple[str, ...] = ()
    """Patterns of the files to keep when the command has ended."""
    output_directory: bool = False
    """Whether to keep every file of the output directory."""
    packages: Packages | None = None
    """What is installed first, where that may be kept for the next attempt."""
    storage: bool = False
    """Whether what runs in Penstock's own image needs the internal storage."""
    rights: tuple[str, ...] = ()
    """What it may do there beyond reading what its execution may read, and making files."""
    pull_policy: str | None = None
    """`Always`, `IfNotPresent` or `Never`; None for the cluster's default."""
    resources: Resources = Resources()
    placement: Placement = Placement()
    pairs: PairUse | None = None
    """The key-value pairs that it has to do with."""

    def __post_init__(self) -> None:
        if self.is_script != (self.image is not None):
            raise ValueError("a script names its image, and nothing else does")

    @property
    def is_script(self) -> bool:
        """Whether the user's image runs it, and not one that has Penstock's programs."""
        return self.runtime == SCRIPT
