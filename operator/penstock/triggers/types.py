"""The trigger types that Penstock knows, by all of their names."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.resources.execution import FLOW_TRIGGER, OLD_FLOW_TRIGGER
from penstock.triggers.dates import ScheduleOnDates
from penstock.triggers.flow_trigger.model import FlowTrigger
from penstock.triggers.polling import HttpTrigger
from penstock.triggers.properties import TriggerProperties
from penstock.triggers.schedule import ALIASES as SCHEDULE_ALIASES
from penstock.triggers.schedule import SCHEDULE, Schedule
from penstock.triggers.webhook import ALIASES as WEBHOOK_ALIASES
from penstock.triggers.webhook import WEBHOOK, Webhook

SCHEDULE_ON_DATES = "io.kestra.plugin.core.trigger.ScheduleOnDates"
FLOW = FLOW_TRIGGER
HTTP = "io.kestra.plugin.core.http.Trigger"


@dataclass(frozen=True)
class TriggerType:
    """One type of trigger."""

    name: str
    model: type[TriggerProperties]
    aliases: tuple[str, ...] = ()
    served: bool = False
    """Whether executions are started for it; a flow may have it either way."""


TRIGGER_TYPES = (
    TriggerType(SCHEDULE, Schedule, SCHEDULE_ALIASES, served=True),
    TriggerType(SCHEDULE_ON_DATES, ScheduleOnDates),
    TriggerType(FLOW, FlowTrigger, (OLD_FLOW_TRIGGER,)),
    TriggerType(WEBHOOK, Webhook, WEBHOOK_ALIASES),
    TriggerType(HTTP, HttpTrigger, ("io.kestra.plugin.fs.http.Trigger",)),
)

_BY_NAME = {name.lower(): known for known in TRIGGER_TYPES for name in (known.name, *known.aliases)}


def find(name: str) -> TriggerType | None:
    """The type of that name, in any case of letters."""
    return _BY_NAME.get(name.lower())
