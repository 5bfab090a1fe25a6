"""Keeps one Deployment in each namespace that has triggers for a listener, and none elsewhere.

What it has to be follows from the Flows and TriggerStates as they are: whoever ends at any point
finds the same again. The Deployment is known by its name, and by a hash of what was asked for; one
that somebody else made under the name is left alone, and the triggers wait.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Mapping

from penstock.controller.attempts.secret_locations import SecretLocations
from penstock.controller.flows.revisions import Revisions
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import SourceTriggersIn
from penstock.controller.runtime.outcomes import WaitingError
from penstock.controller.runtime.queue import Key
from penstock.controller.runtime.settings import ListenerSettings, NetworkSettings
from penstock.engine.interface.secrets import SecretReference
from penstock.kubernetes.api.client import DEPLOYMENTS, SERVICES, Api, ApiError, Object
from penstock.kubernetes.pods.podspec import JobDefaults
from penstock.kubernetes.secrets.listener import (
    NAME,
    ListenerNeeds,
    digest_of,
    listener_deployment,
)
from penstock.kubernetes.secrets.locations import SecretKey
from penstock.resources.trigger_state import TriggerPhase, is_state_of
from penstock.tasks.contract.task import TaskFailure
from penstock.triggers.sources import secrets_of, source_type

KIND = "Listener"
DELAY = 1.0
"""Seconds for which news of a namespace is gathered: each roll-out interrupts its triggers."""
_AT_WORK = (TriggerPhase.ARMED, TriggerPhase.FAILING, TriggerPhase.WAITING)

logger = logging.getLogger(__name__)


class NameTaken(WaitingError):
    """A Deployment that somebody else made stands where the listener's has to be."""

    reason = "AlreadyExists"


class NoGateway(WaitingError):
    """It is not known where the gateway is."""

    reason = "NoGateway"


def key_of(namespace: str) -> Key:
    """Give the key under which the listener of a namespace is reconciled."""
    return Key(KIND, namespace, NAME)


class ListenerSurroundings:
    """What all listeners are given: where the gateway is, and whom they don't ask."""

    def __init__(self, api: Api, settings: ListenerSettings, network: NetworkSettings) -> None:
        self._api = api
        self._settings = settings
        self._network = network

    async def needs(self) -> ListenerNeeds:
        """Give it. Raises :class:`ApiError`, and :class:`NoGateway`."""
        resources = self._settings.resources
        return ListenerNeeds(await self._gateway(), self._network.refused, resources=resources)

    async def _gateway(self) -> str:
        if self._settings.gateway_url is not None:
            return self._settings.gateway_url.rstrip("/")
        namespace = os.environ.get("PENSTOCK_NAMESPACE")
        name = os.environ.get("PENSTOCK_GATEWAY_SERVICE")
        if not namespace or not name:
            raise NoGateway(
                "neither the setting `listener.gatewayUrl` nor the variables PENSTOCK_NAMESPACE "
                "and PENSTOCK_GATEWAY_SERVICE say where the gateway is"
            )
        spec = (await self._api.get(SERVICES, namespace, name))["spec"]
        address = spec.get("clusterIP") or "None"
        if address == "None":
            raise NoGateway(f"the Service `{name}` has no cluster IP")
        host = f"[{address}]" if ":" in address else address
        return f"http://{host}:{spec['ports'][0]['port']}"


class ListenerDeployments:
    """Reconciles the listeners."""

    def __init__(
        self,
        api: Api,
        deployments: ObjectStore,
        states: ObjectStore,
        flows: ObjectStore,
        revisions: Revisions,
        secrets: SecretLocations,
        defaults: JobDefaults,
        needs: Callable[[], Awaitable[ListenerNeeds]],
    ) -> None:
        """``needs`` gives what all listeners are given, without secrets."""
        self._api = api
        self._deployments = deployments
        self._states = states
        self._flows = flows
        self._revisions = revisions
        self._secrets = secrets
        self._defaults = defaults
        self._needs = needs

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Let the listener of a namespace be as its triggers need it."""
        secrets = await self._wanted(namespace)
        known = self._deployments.get(namespace, NAME)
        if secrets is None:
            if known is not None and digest_of(known) is not None:
                meta = known["metadata"]
                await self._api.delete(DEPLOYMENTS, namespace, NAME, meta["uid"])
                self._deployments.remove(known)
            return None
        needs = await self._needs()
        wanted = listener_deployment(
            namespace,
            ListenerNeeds(needs.gateway, needs.refused, secrets, needs.resources),
            self._defaults,
        )
        if known is None:
            self._deployments.put(await self._created(namespace, wanted))
        elif digest_of(known) != digest_of(wanted):
            self._deployments.put(await self._changed(namespace, known, wanted))
        return None

    async def _created(self, namespace: str, wanted: Object) -> Object:
        try:
            return await self._api.create(DEPLOYMENTS, namespace, wanted)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        found = await self._api.get(DEPLOYMENTS, namespace, NAME)
        if digest_of(found) == digest_of(wanted):
            return found
        return await self._changed(namespace, found, wanted)

    async def _changed(self, namespace: str, known: Object, wanted: Object) -> Object:
        """Roll the listener: what else somebody wrote into it stays, but for its pod's spec."""
        if digest_of(known) is None:
            raise NameTaken(
                f"a Deployment {NAME} of somebody else is in the namespace: rename that one, and "
                "the listener is started"
            )
        spec = wanted["spec"]
        old = known["spec"]["template"]["spec"]
        pod = {
            **dict.fromkeys(old.keys() - spec["template"]["spec"].keys()),
            **spec["template"]["spec"],
        }
        patch = {
            "metadata": {
                "uid": known["metadata"]["uid"],
                "labels": wanted["metadata"]["labels"],
                "annotations": wanted["metadata"]["annotations"],
            },
            "spec": {
                "replicas": spec["replicas"],
                "template": {"metadata": spec["template"]["metadata"], "spec": pod},
            },
        }
        return await self._api.patch(DEPLOYMENTS, namespace, NAME, patch)

    async def _wanted(self, namespace: str) -> Mapping[str, Mapping[str, SecretKey]] | None:
        """Give the secrets of each Flow that has triggers for the listener; None where none has."""
        found: dict[str, dict[str, SecretKey]] = {}
        for state in self._states.find(SourceTriggersIn(namespace)):
            status = state.get("status") or {}
            flow = self._flows.get(namespace, str(state["spec"].get("flow")))
            if status.get("state") not in _AT_WORK or flow is None:
                continue
            if source_type(str(status.get("type"))) is None or not is_state_of(state, flow):
                continue
            accepted = await self._revisions.accept(flow)
            named = found.setdefault(flow["metadata"]["name"], {})
            for trigger in () if accepted.flow is None else accepted.flow.triggers:
                if trigger.id == state["spec"]["trigger"]:
                    assert accepted.flow is not None
                    for secret in secrets_of(trigger):
                        self._place(
                            named, flow, accepted.flow.namespace, secret.name, secret.namespace
                        )
        return found or None

    def _place(
        self,
        named: dict[str, SecretKey],
        flow: Object,
        flow_namespace: str,
        name: str,
        namespace: str | None,
    ) -> None:
        """Add where a secret is. One that is nowhere is left out: the listener says so of its
        trigger."""
        try:
            places = self._secrets.of_flow(flow)
            key = places.of(SecretReference(name, namespace), flow_namespace)
        except TaskFailure as failure:
            logger.info("%s: %s", flow["metadata"]["name"], failure)
            return
        named[name if namespace is None else f"{namespace}/{name}"] = key
