"""What the expressions of triggers see, and how long they may take."""

from __future__ import annotations

from datetime import datetime

from penstock.controller.keyvalues.index import KeyValueIndex
from penstock.controller.triggers.serving import TriggerAtWork
from penstock.expressions import Allowance
from penstock.triggers.evaluation import Context
from penstock.triggers.flow_context import flow_context
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
        """Give what the expressions of a trigger see."""
        meta, flow = work.accepted.body["metadata"], work.flow
        return flow_context(
            expressions(),
            flow,
            work.trigger.id,
            now,
            uid=meta["uid"],
            revision=work.accepted.revision,
            kv=self._pairs.function(meta["namespace"], flow.namespace),
        )
