"""Keeps one Deployment in each namespace that has triggers for a listener, and none elsewhere.

What it has to be follows from the Flows and TriggerStates as they are: whoever ends at any point
finds the same again. The Deployment is known by its name, and by a hash of what was asked for; one
that somebody else made under the name is left alone, and the triggers wait.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from penstock.controller.listeners.health import LOOK_AGAIN, is_at_work, why_not_at_work
from penstock.controller.listeners.secrets import TriggerSecrets
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import WaitingError, exists_already
from penstock.controller.runtime.queue import Key
from penstock.controller.runtime.settings import ListenerSettings, NetworkSettings
from penstock.controller.triggers.listener_problems import ListenerProblems
from penstock.kubernetes.api.client import DEPLOYMENTS, PODS, SERVICES, Api, ApiError, Object
from penstock.kubernetes.pods.podspec import JobDefaults
from penstock.kubernetes.secrets.listener import (
    LABEL,
    NAME,
    ListenerNeeds,
    digest_of,
    listener_deployment,
)

KIND = "Listener"
DELAY = 1.0
"""Seconds for which news of a namespace is gathered: each roll-out interrupts its triggers."""

logger = logging.getLogger(__name__)


class NameTaken(WaitingError):
    """A Deployment that somebody else made stands where the listener's has to be."""

    reason = "AlreadyExists"


class NoGateway(WaitingError):
    """The address of the gateway is not known."""

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
        secrets: TriggerSecrets,
        defaults: JobDefaults,
        needs: Callable[[], Awaitable[ListenerNeeds]],
        problems: ListenerProblems,
        claim: Callable[[str], None],
    ) -> None:
        """``needs`` gives what all listeners are given, without secrets; the triggers say what
        becomes one of the ``problems``; ``claim`` lets the files that an earlier namespace of the
        name left be gone before a listener puts any."""
        self._api = api
        self._deployments = deployments
        self._secrets = secrets
        self._defaults = defaults
        self._needs = needs
        self._problems = problems
        self._claim = claim

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Let the listener of a namespace be as its triggers need it."""
        try:
            listener = await self._reconcile(namespace)
        except ApiError as error:
            self._problems.tell(namespace, f"its listener can't be started: {error.told}")
            raise
        except WaitingError as error:
            self._problems.tell(namespace, f"its listener can't be started: {error}")
            raise
        if listener is None or is_at_work(listener):
            self._problems.tell(namespace, None)
            return None
        pods = await self._api.list(PODS, namespace, LABEL)
        self._problems.tell(namespace, why_not_at_work(listener, pods, datetime.now(UTC)))
        return LOOK_AGAIN

    async def _reconcile(self, namespace: str) -> Object | None:
        """Give the Deployment as it is then; None where there is to be none."""
        secrets = await self._secrets.of(namespace)
        known = self._deployments.get(namespace, NAME)
        if secrets is None:
            if known is not None and digest_of(known) is not None:
                meta = known["metadata"]
                await self._api.delete(DEPLOYMENTS, namespace, NAME, meta["uid"])
                self._deployments.remove(known)
            return None
        self._claim(namespace)
        needs = await self._needs()
        wanted = listener_deployment(
            namespace,
            ListenerNeeds(needs.gateway, needs.refused, secrets, needs.resources),
            self._defaults,
        )
        if known is None:
            known = await self._created(namespace, wanted)
            self._deployments.put(known)
        elif digest_of(known) != digest_of(wanted):
            known = await self._changed(namespace, known, wanted)
            self._deployments.put(known)
        return known

    async def _created(self, namespace: str, wanted: Object) -> Object:
        try:
            return await self._api.create(DEPLOYMENTS, namespace, wanted)
        except ApiError as error:
            if not exists_already(error):
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
                "minReadySeconds": spec["minReadySeconds"],
                "template": {"metadata": spec["template"]["metadata"], "spec": pod},
            },
        }
        return await self._api.patch(DEPLOYMENTS, namespace, NAME, patch)
