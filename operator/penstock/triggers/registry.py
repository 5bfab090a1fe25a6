"""The registry of trigger types: what a trigger's `type` may be.

A type of trigger is one file of its own (a folder, where it is a large one): the properties as a
:class:`~penstock.triggers.properties.TriggerProperties`, a pure decision that gives a
:class:`~penstock.triggers.firing.Firing`, and a :class:`~penstock.triggers.kinds.TriggerType` that
names both. It registers itself by an entry point of the group `penstock.triggers` in the
`pyproject.toml` of its distribution, Penstock's or another's; nothing else has to know it.

What a type has to provide depends on how it hears of what happens:

- **By the clock.** A :class:`~penstock.triggers.kinds.ClockTrigger` with `plan`, `decide` and
  `next_look`; `controller/triggers/clock.py` serves it as it is.
- **By what executions do.** An :class:`~penstock.triggers.kinds.ExecutionTrigger`, which the Flow
  trigger is; `controller/triggers/upstream.py` puts each state of an execution to it, once.
- **By polling** (a query, a bucket, a URL). The interval is a property, and what was seen last is
  data that is kept with the flow. Asking is I/O, which `controller/triggers` does. The decision is
  a pure function of the properties, of what was seen last and of the answer; it gives what is seen
  now and a firing for each thing that is new. The key of a firing is what the source itself calls
  that thing (the path and version of an object, the primary key of a row), so that asking twice
  starts nothing twice.
- **By a broker** (Kafka, MQTT, AMQP). A message is acknowledged once the execution of its firing is
  there, never before. The key is the message's place, such as topic, partition and offset; a
  message that comes again has the same key, and starts nothing.
- **By a request.** A :class:`~penstock.triggers.kinds.RequestTrigger`, as `webhook`: a request in,
  an answer with a firing out; the room `gateway` receives it.

The first two and the last are served; for the others the decision is all that there is yet.

Whatever arrives, `cluster/firings.py` alone makes an Execution of a firing.
"""

from __future__ import annotations

from functools import cache

from penstock.entry_points import TRIGGERS, foreign, own
from penstock.triggers.kinds import TriggerType


def find(name: str) -> TriggerType | None:
    """The type of that name, in any case of letters: Penstock's own, or another distribution's."""
    known = _by_name(own_types()).get(name.lower())
    return known if known is not None else _by_name(_foreign_types()).get(name.lower())


def trigger_types() -> tuple[TriggerType, ...]:
    """All types that are installed, Penstock's own first."""
    return (*own_types(), *_foreign_types())


@cache
def own_types() -> tuple[TriggerType, ...]:
    """The types that Penstock itself brings."""
    return own(TRIGGERS, TriggerType)


@cache
def _foreign_types() -> tuple[TriggerType, ...]:
    return foreign(TRIGGERS, TriggerType)


@cache
def _by_name(types: tuple[TriggerType, ...]) -> dict[str, TriggerType]:
    return {name: known for known in types for name in known.names}
