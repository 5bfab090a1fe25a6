"""What was seen of the cluster: one store for each kind that is reconciled."""

from __future__ import annotations

from penstock.controller.keyvalues.index import pair_keys
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import execution_keys, flow_keys, trigger_state_keys
from penstock.controller.runtime.waits import Told
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, GIT_SOURCES, TRIGGER_STATES


class Stores:
    """The stores of all kinds."""

    def __init__(self) -> None:
        self.flows = ObjectStore(flow_keys)
        self.executions = ObjectStore(execution_keys)
        self.sources = ObjectStore()
        self.keyvalues = ObjectStore(pair_keys)
        self.triggers = ObjectStore(trigger_state_keys)
        self.deployments = ObjectStore()
        """The Deployments of listeners."""

    def told(self) -> dict[str, Told]:
        """Say to which objects it is told that they wait, by kind."""
        return {
            "Flow": Told(self.flows, FLOWS),
            "Execution": Told(self.executions, EXECUTIONS),
            "GitSource": Told(self.sources, GIT_SOURCES),
            "KeyValue": Told(self.keyvalues, None),
            "TriggerState": Told(self.triggers, TRIGGER_STATES),
            "Listener": Told(self.deployments, None),
        }
