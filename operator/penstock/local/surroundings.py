"""What every execution of a run finds around it."""

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
    """What all executions of a world share."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """What expressions see as `envs.…`."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """What expressions see as `globals.…`."""
    functions: HostFunctions = no_functions
    """The functions of expressions that read something."""
    services: LocalServices | None = None
    """Where logs, files and key-value pairs are kept, for tasks that delete such."""


def local_environment(prefix: str = "ENV_") -> Mapping[str, str]:
    """What expressions see as `envs.…`: the same choice by prefix as in the controller."""
    return {
        name.removeprefix(prefix).lower(): value
        for name, value in os.environ.items()
        if name.startswith(prefix)
    }
