"""What Penstock's own container in a pod has to do with files, as JSON from the controller.

Standard library only: it is written by the controller and read in the pod.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from penstock.tasks.contract.services import Origin
from penstock.tasks.contract.task import NamespaceFilesOption

SECRETS_VARIABLE = "PENSTOCK_SECRET_TEXTS"
"""Holds what is known of the secrets in a plan; see :mod:`penstock.tasks.pod.secret_texts`."""
PLAN_VARIABLE = "PENSTOCK_STAGING"
"""Holds the plan; with `_FILE` behind it, the name of the file that does."""


@dataclass(frozen=True)
class SharedDirectory:
    """The directory of a WorkingDirectory, which is carried from task to task as an archive."""

    id: str
    """The id of the WorkingDirectory's task run: the same in every execution of the flow."""
    left_by: list[str] = field(default_factory=list)
    """The URIs under which earlier attempts may have left it, the latest first."""
    name: str = ""
    """Under which name this attempt leaves it, as a file of its own; it does not where this is
    empty."""
    failed: bool = False
    """Whether one of its tasks has failed: then nothing is missed of what it was to make."""
    properties: dict[str, Any] = field(default_factory=dict)
    """What stands in it at first and what is kept of it: `inputFiles`, `namespaceFiles`,
    `outputFiles` and `cache`, rendered."""


@dataclass(frozen=True)
class Plan:
    """What to put in place before a command, and what to keep after it.

    Names are of files below the working directory, paths of files below the pod's base directory.
    """

    origin: Origin
    fetched: dict[str, str] = field(default_factory=dict)
    """URIs by name."""
    beside: dict[str, str] = field(default_factory=dict)
    """URIs by path, of files that stand beside the working directory."""
    namespace_files: NamespaceFilesOption | None = None
    output_files: list[str] = field(default_factory=list)
    output_directory: bool = False
    shared: SharedDirectory | None = None
    packages: str = ""
    """Tells the packages of the script from others, where they are to be kept."""
    within: str = ""
    """The attempt's name in a pod that it shares, see
    :class:`penstock.tasks.contract.pod_folders.Paths`."""

    def filled(self, fill: Callable[[Any], Any]) -> Plan:
        """The plan with what the tokens of secrets in its texts stand for."""
        if self.shared is None:
            return self
        return replace(self, shared=replace(self.shared, properties=fill(self.shared.properties)))

    def to_json(self) -> str:
        """What :func:`plan_of` reads."""
        values = {name: value for name, value in asdict(self).items() if value}
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def plan_of(text: str) -> Plan:
    """The plan that was written as this text."""
    values: dict[str, Any] = json.loads(text)
    values["origin"] = Origin(**values["origin"])
    if option := values.get("namespace_files"):
        values["namespace_files"] = NamespaceFilesOption(**option)
    if shared := values.get("shared"):
        values["shared"] = SharedDirectory(**shared)
    return Plan(**values)


def read_plan(environment: Mapping[str, str] = os.environ) -> Plan | None:
    """Read the plan of this pod; None where it has none."""
    text = read_long(PLAN_VARIABLE, environment)
    return None if text is None else plan_of(text)


def read_long(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """A variable's text, which may be too long for one: then `_FILE` behind its name says in which
    file it is, or it goes on in the variables with `_1`, `_2`, … behind it.
    """
    path = environment.get(f"{name}_FILE")
    if path is not None:
        with open(path, encoding="utf-8") as file:
            return file.read()
    text, number = environment.get(name), 1
    while text is not None and (more := environment.get(f"{name}_{number}")) is not None:
        text, number = text + more, number + 1
    return text
