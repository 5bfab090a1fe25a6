"""The starter: lets an Execution be made of a firing, and be known to the controller at once.

How a firing becomes an Execution, once whoever decides it how often, is
:mod:`penstock.cluster.firings`, which the gateway stands on too.
"""

from __future__ import annotations

from penstock.cluster.firings import start_execution
from penstock.controller.runtime.indexes import ObjectStore
from penstock.flow.document import Trigger
from penstock.kubernetes.api.client import Api, Object
from penstock.triggers.firing import Firing


class Starter:
    """Starts the executions that the controller's triggers call for."""

    def __init__(self, api: Api, executions: ObjectStore) -> None:
        self._api = api
        self._executions = executions

    async def start(
        self, flow: Object, flow_id: str, trigger: Trigger, firing: Firing
    ) -> str | None:
        """Create the Execution of a firing: its name, or None where it was there already. Raises
        :class:`~penstock.cluster.firings.NameTaken` where the one that is there asks for something
        else."""
        started = await start_execution(self._api, flow, flow_id, trigger, firing)
        if not started.is_new:
            return None
        self._executions.put(started.execution)
        return started.name
