"""The type of the Flow trigger: its names and its properties.

What an execution makes it do, :func:`penstock.triggers.flow_trigger.decision.decide` says.
"""

from __future__ import annotations

from penstock.resources.execution import FLOW_TRIGGER, OLD_FLOW_TRIGGER
from penstock.triggers.flow_trigger.model import FlowTrigger
from penstock.triggers.kinds import ExecutionTrigger

TRIGGER = ExecutionTrigger(FLOW_TRIGGER, FlowTrigger, (OLD_FLOW_TRIGGER,), served=True)
