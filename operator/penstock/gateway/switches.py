"""Which triggers are enabled or disabled at run time: their TriggerStates say so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from penstock.flow.document import Trigger
from penstock.gateway.news import News
from penstock.kubernetes.api.client import TRIGGER_STATES, Api, Object
from penstock.kubernetes.api.watches import Follower
from penstock.resources.trigger_state import is_state_of, trigger_state_name


class Switches:
    """Follows the TriggerStates, and remembers those that say something."""

    def __init__(self, api: Api, namespaces: Sequence[str] = ()) -> None:
        """``namespaces`` are those that are served; all where none is named."""
        self.news = News()
        """Told of whatever changes."""
        self._known: dict[tuple[str, str], Object] = {}
        served: Sequence[str | None] = namespaces or [None]
        self._followers = [
            Follower(api, TRIGGER_STATES, namespace, self.seen, self.removed)
            for namespace in served
        ]

    async def run(self) -> None:
        """Follow the TriggerStates until cancelled."""
        await asyncio.gather(*(follower.run() for follower in self._followers))

    @property
    def is_listed(self) -> bool:
        """Whether all that was there at the start is known."""
        return all(follower.listed.is_set() for follower in self._followers)

    def is_enabled(self, flow: Object, trigger: Trigger) -> bool:
        """Whether a trigger of a Flow is enabled: as its TriggerState says, else as the flow."""
        meta = flow["metadata"]
        place = meta["namespace"], trigger_state_name(meta["name"], trigger.id)
        state = self._known.get(place)
        if state is not None and is_state_of(state, flow):
            return state["spec"]["disabled"] is not True
        return not trigger.disabled

    def seen(self, body: Object) -> None:
        """Take in a TriggerState as it is."""
        meta, spec = body["metadata"], body.get("spec") or {}
        if spec.get("disabled") is None:
            return self.removed(meta["namespace"], meta["name"])
        place = meta["namespace"], meta["name"]
        said = {
            "metadata": {key: meta.get(key) for key in ("name", "ownerReferences")},
            "spec": {key: spec.get(key) for key in ("flow", "trigger", "disabled")},
        }
        if self._known.get(place) != said:
            self._known[place] = said
            self.news.tell()

    def removed(self, namespace: str, name: str) -> None:
        """Take in that a TriggerState is gone, or says nothing any more."""
        if self._known.pop((namespace, name), None) is not None:
            self.news.tell()
