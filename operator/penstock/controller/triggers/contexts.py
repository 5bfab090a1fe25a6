"""What the expressions of triggers see, and how long they may take."""

from __future__ import annotations

from datetime import datetime
from random import Random

from penstock.controller.keyvalues.index import KeyValueIndex
from penstock.controller.triggers.serving import TriggerAtWork
from penstock.expressions import Allowance, Host
from penstock.triggers.evaluation import Context, FlowName, Language
from penstock.types import expressions

_SECONDS = 0.1
_CHARACTERS = 4 * 1024 * 1024


def small_allowance() -> Allowance:
    """Make the allowance of the expressions of one trigger, which hold up all that the controller
    does."""
    told = f"the expressions of a trigger take more than {_SECONDS:g} s together"
    return Allowance(_SECONDS, _CHARACTERS, told, shared=True)


class Contexts:
    """Makes the contexts of decisions."""

    def __init__(self, pairs: KeyValueIndex) -> None:
        self._pairs = pairs

    def of(self, work: TriggerAtWork, now: datetime) -> Context:
        """Give what the expressions of a trigger see. What they draw at random is the same for the
        same date."""
        meta, flow = work.accepted.body["metadata"], work.flow
        kv = self._pairs.function(meta["namespace"], flow.namespace)

        def host(at: datetime | None) -> Host:
            seed = work.trigger.id if at is None else str(at)
            random = Random(f"{meta['uid']}/{seed}")
            return Host(now=lambda: at or now, random=random, functions={"kv": kv})

        return Context(
            language=Language(expressions(), host),
            variables={
                "flow": {
                    "id": flow.id,
                    "namespace": flow.namespace,
                    "revision": work.accepted.revision,
                },
                "vars": flow.variables,
            },
            flow=FlowName(flow.namespace, flow.id),
        )
