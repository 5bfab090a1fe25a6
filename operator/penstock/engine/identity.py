"""Which execution it is: what the Kubernetes object around a status says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.resources.execution import TriggerReference


@dataclass(frozen=True)
class Identity:
    """One execution."""

    name: str
    """The name of the resource: `execution.id` in expressions."""
    uid: str
    """Unique in time: seeds what an expression calls random."""
    created: datetime
    revision: int = 1
    trigger: TriggerReference | None = None
    killed: bool = False
    """Somebody wants it ended."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What expressions see as `envs.…`."""
    globals: Mapping[str, Any] = field(default_factory=dict)
    """What expressions see as `globals.…`."""
