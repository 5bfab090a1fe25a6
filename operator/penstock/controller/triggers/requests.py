"""Triggers that fire upon a request: the gateway receives those, and here is said whether it is
there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from penstock.controller.triggers.serving import Served, TriggerAtWork
from penstock.resources.trigger_state import TriggerPhase
from penstock.triggers.kinds import TriggerType
from penstock.triggers.properties import TriggerProperties

RECEIVED = "calls are received by the gateway"
NO_GATEWAY = "the gateway is switched off (`settings.gateway.enabled`): nothing is received"


class RequestServer:
    """Says of a trigger that the gateway starts its executions. It starts none itself."""

    def __init__(self, has_gateway: bool, claim: Callable[[str], None]) -> None:
        """``claim`` lets the files that an earlier namespace of the name left be gone before the
        gateway puts a body there."""
        self._has_gateway = has_gateway
        self._claim = claim

    def plan(self, kind: TriggerType, properties: TriggerProperties) -> str | None:
        """Say that such a trigger has no dates."""
        return None

    async def serve(self, work: TriggerAtWork, now: datetime) -> Served:
        """Say whether its calls are received."""
        if self._has_gateway:
            self._claim(work.state["metadata"]["namespace"])
        told = RECEIVED if self._has_gateway else NO_GATEWAY
        phase = TriggerPhase.ARMED if self._has_gateway else TriggerPhase.NOT_SERVED
        return Served(phase, work.before.model_copy(update={"message": told}))
