"""Says on an object why it waits: the only place where a failed reconcile becomes a condition and
an Event.

What passes at once (a conflict, an API server that is started anew) is not worth a word. What fails
several times in a row, or needs a person, is told as an Event and, where the object has conditions,
as those. They are taken away by the next reconcile that ends well.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from penstock.controller.runtime.indexes import ObjectStore, has_ended
from penstock.controller.runtime.outcomes import FIRST_RETRY, AtOnce, Outcome, Retry, Stalled
from penstock.controller.runtime.queue import Key
from penstock.controller.runtime.recorder import Recorder
from penstock.controller.runtime.status_writer import write_status
from penstock.engine.interface.actions import Report
from penstock.kubernetes.api.client import Api, ApiError, Object, Resource
from penstock.resources.conditions import OWNERS
from penstock.resources.stored import conditions_of

logger = logging.getLogger(__name__)

TOLD_AFTER = 3
"""How often in a row something has to fail before it is told, where it may pass in a moment."""
_LONGEST_MESSAGE = 2_000


@dataclass(frozen=True)
class Told:
    """Objects of one kind to which waits are told."""

    objects: ObjectStore
    resource: Resource | None
    """What the API server calls the kind; None where that has no conditions."""


@dataclass
class _Wait:
    failures: int = 0
    event: tuple[str, str] | None = None
    """What the last Event said."""


class Waits:
    """Knows of each key why it waits."""

    def __init__(self, api: Api, recorder: Recorder, kinds: Mapping[str, Told]) -> None:
        self._api = api
        self._recorder = recorder
        self._kinds = kinds
        self._waits: dict[Key, _Wait] = {}

    async def tell(self, key: Key, outcome: Outcome) -> None:
        """Take in how a reconcile ended, and tell it where it is worth a word."""
        if isinstance(outcome, AtOnce):
            return
        if not isinstance(outcome, Retry | Stalled):
            self._waits.pop(key, None)
            return
        told = self._kinds[key.kind]
        body = told.objects.get(key.namespace, key.name)
        if body is None:
            self._waits.pop(key, None)
            return
        wait = self._waits.setdefault(key, _Wait())
        wait.failures += 1
        if not _is_worth_a_word(outcome, wait.failures):
            return
        self._record(body, wait, outcome)
        if told.resource is not None and not has_ended(body):
            await self._write(key.kind, told.resource, told.objects, body, outcome)

    def _record(self, body: Object, wait: _Wait, outcome: Retry | Stalled) -> None:
        event = outcome.reason, outcome.message
        if wait.event != event:
            wait.event = event
            self._recorder.record(body, Report(*event, warning=True))

    async def _write(
        self,
        kind: str,
        resource: Resource,
        objects: ObjectStore,
        body: Object,
        outcome: Retry | Stalled,
    ) -> None:
        status = body.get("status") or {}
        before = conditions_of(body)
        conditions = OWNERS[kind].waiting(
            before,
            outcome.reason,
            outcome.message[:_LONGEST_MESSAGE],
            datetime.now(UTC),
            int(body["metadata"].get("generation", 0)),
            stalled=isinstance(outcome, Stalled),
        )
        if conditions == before:
            return
        written = [item.model_dump(mode="json", by_alias=True) for item in conditions]
        try:
            await write_status(
                self._api, resource, objects, body, {**status, "conditions": written}
            )
        except ApiError as error:  # then the Event says it, and the next failure tries again
            logger.debug("why %s waits can't be written: %s", body["metadata"]["name"], error)


def _is_worth_a_word(outcome: Retry | Stalled, failures: int) -> bool:
    """Whether it is told: at once what a person has to mend, and what is known to last."""
    if isinstance(outcome, Stalled) or failures >= TOLD_AFTER:
        return True
    return max(outcome.first, outcome.at_least) > FIRST_RETRY
