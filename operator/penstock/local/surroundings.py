"""The surroundings of every execution of a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.engine.rendering.evaluation import HostFunctions, no_functions

if TYPE_CHECKING:
    from penstock.local.services import LocalServices


@dataclass(frozen=True)
class Surroundings:
    """The variables, functions and services that all executions of a world share."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """The variables that expressions see as `envs.…`."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """The variables that expressions see as `globals.…`."""
    functions: HostFunctions = no_functions
    """The functions of expressions that read something."""
    services: LocalServices | None = None
    """The services that keep logs, files and key-value pairs, for tasks that purge them."""


def local_environment(prefix: str = "ENV_") -> Mapping[str, str]:
    """The variables that expressions see as `envs.…`, chosen by their prefix as the controller
    does."""
    return {
        name.removeprefix(prefix).lower(): value
        for name, value in os.environ.items()
        if name.startswith(prefix)
    }
