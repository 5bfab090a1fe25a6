"""Which secrets the listener of a namespace is given: those that its triggers name."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from penstock.controller.attempts.secret_locations import SecretLocations
from penstock.controller.flows.revisions import Revisions
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import SourceTriggersIn
from penstock.engine.interface.secrets import SecretReference
from penstock.flow.document import Flow
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.secrets.locations import SecretKey
from penstock.resources.trigger_state import TriggerPhase, is_state_of
from penstock.tasks.contract.task import TaskFailure
from penstock.triggers.sources import SecretName, secrets_of

_AT_WORK = (TriggerPhase.ARMED, TriggerPhase.FAILING, TriggerPhase.WAITING)

logger = logging.getLogger(__name__)


class TriggerSecrets:
    """Finds the secrets of the triggers that listeners serve. Names only: no value is known."""

    def __init__(
        self,
        states: ObjectStore,
        flows: ObjectStore,
        revisions: Revisions,
        secrets: SecretLocations,
    ) -> None:
        self._states = states
        self._flows = flows
        self._revisions = revisions
        self._secrets = secrets

    async def of(self, namespace: str) -> Mapping[str, Mapping[str, SecretKey]] | None:
        """Give the secrets of each Flow that has triggers for the listener; None where none has."""
        found: dict[str, dict[str, SecretKey]] = {}
        for state in self._states.find(SourceTriggersIn(namespace)):
            flow = self._flows.get(namespace, str(state["spec"].get("flow")))
            phase = (state.get("status") or {}).get("state")
            if flow is None or phase not in _AT_WORK or not is_state_of(state, flow):
                continue
            parsed = (await self._revisions.accept(flow)).flow
            if parsed is None:
                continue
            named = found.setdefault(flow["metadata"]["name"], {})
            for trigger in parsed.triggers:
                if trigger.id == state["spec"]["trigger"]:
                    named |= self._places(flow, parsed, secrets_of(trigger))
        return found or None

    def _places(
        self, flow: Object, parsed: Flow, secrets: frozenset[SecretName]
    ) -> dict[str, SecretKey]:
        """Give where secrets are. One that is nowhere is left out: the listener says so of its
        trigger."""
        found = {}
        for secret in secrets:
            reference = SecretReference(secret.name, secret.namespace)
            try:
                key = self._secrets.of_flow(flow).of(reference, parsed.namespace)
            except TaskFailure as failure:
                logger.info("%s: %s", flow["metadata"]["name"], failure)
                continue
            of = "" if secret.namespace is None else f"{secret.namespace}/"
            found[f"{of}{secret.name}"] = key
        return found
