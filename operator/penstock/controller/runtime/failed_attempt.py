"""The end of an attempt that has no pod to tell of it."""

from __future__ import annotations

from datetime import UTC, datetime

from penstock.engine.interface.actions import Observation
from penstock.resources.execution import State


def failed(reason: str, message: str, started: datetime | None = None) -> Observation:
    """Observe of an attempt that it failed just now."""
    return Observation(State.FAILED, started, datetime.now(UTC), reason=reason, message=message)
