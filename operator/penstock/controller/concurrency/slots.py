"""Slots: which executions run at once, and which of those that wait comes next. Pure.

Three limits stand above each other: the `concurrency` of a flow, and what an administrator allows
to a Kubernetes namespace and to the whole installation. An execution runs where each of the three
has a slot for it, and holds these until it has ended, also while it is paused.

Rule 1: in a namespace the higher priority comes first, and of two the one that was queued first.

Rule 2: whoever is held back by the limit of its own flow is in the way of no other flow.

Rule 3: a free slot of the installation goes to the namespace that holds the fewest; of several, to
the one whose last slot was given longest ago. So no namespace waits for the queue of another one.

Rule 4: an execution that another one called needs a slot of its own flow only, and runs in those
that its caller holds of the namespace and the installation, as long as that holds them. A caller
that waits for the end of those that it calls would wait for ever else.

Rule 5: a free slot is kept for whoever comes next, so that no newcomer takes it meanwhile. Whoever
does not come for it in time is passed over until it asks by itself.

Nothing here waits, and a slot that is kept counts as held. So no slot is given twice, however long
it takes until what was decided is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from penstock.controller.concurrency.census import Census
from penstock.controller.concurrency.line import Entry
from penstock.controller.concurrency.standing import FlowKey, Standing
from penstock.controller.concurrency.waits import Level, Wait, size


@dataclass(frozen=True)
class SlotLimits:
    """How many executions an administrator lets run at once; 0 for any number."""

    installation: int = 0
    namespace: int = 0
    """How many may run in each namespace that is not named."""
    namespaces: Mapping[str, int] = field(default_factory=dict)

    def of(self, namespace: str) -> int:
        """Return the limit of a namespace."""
        return self.namespaces.get(namespace, self.namespace)

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return bool(self.installation or self.namespace or any(self.namespaces.values()))


@dataclass(frozen=True)
class Offer:
    """A slot that is kept for an execution that waits."""

    standing: Standing
    number: int


@dataclass(frozen=True)
class Answer:
    """What an execution is told that asks for a slot."""

    holders: int
    """Others of its flow that hold a slot, or for which one is kept."""
    ahead: int
    """Others of its flow that wait and come before it."""
    wait: Wait | None
    """What it waits for; None where its turn has come."""


class Slots:
    """The slots of all executions: who holds them, and for whom they are kept."""

    def __init__(self, limits: SlotLimits) -> None:
        self.limits = limits
        self._census = Census()
        self._known: dict[str, Standing] = {}
        self._kept: dict[str, Standing] = {}
        """The executions for which slots are kept: offered to them, or about to be decided."""
        self._deciding: set[str] = set()
        """The executions that asked, and have not told yet what came of it."""
        self._gone: set[str] = set()
        """The executions that asked and were deleted meanwhile."""
        self._offers: dict[str, int] = {}
        """The executions that have not come for their slot yet, with the number of the offer."""
        self._passed: set[str] = set()
        self._flow_limits: dict[FlowKey, int | None] = {}
        """The limit that the last execution which asked found; while none is, nobody is called."""
        self._last_given: dict[str, int] = {}
        """The number of the last offer to a namespace."""
        self._given = 0

    @property
    def anyone_waits(self) -> bool:
        """Whether somebody waits for whom no slot is kept."""
        return bool(self._census.lines)

    # What is seen.

    def put(self, uid: str, standing: Standing | None) -> bool:
        """Take in how an execution counts that has not ended. Tells whether that is news."""
        if self._known.get(uid) == standing:
            return False
        if standing is None:
            del self._known[uid]
        else:
            self._known[uid] = standing
            if not standing.waits and uid not in self._deciding:
                self._forget_slot(uid)
        self._recount(uid)
        return True

    def end(self, uid: str, *, gone: bool = False) -> bool:
        """Take in that an execution has ended, or is gone. Tells whether that is news."""
        was_counted = self._census.counts(uid)
        standing = self._known.pop(uid, None)
        if uid not in self._deciding:
            self._forget_slot(uid)
        elif gone:
            self._gone.add(uid)
        self._passed.discard(uid)
        self._recount(uid)
        if standing is not None and self._census.is_idle(standing.flow):
            self._flow_limits.pop(standing.flow, None)
        return was_counted

    def learn(self, flow: FlowKey, limit: int | None) -> None:
        """Take in the limit of a flow; None for any number."""
        self._flow_limits[flow] = limit

    def knows(self, flow: FlowKey) -> bool:
        """Tell whether the limit of a flow is known."""
        return flow in self._flow_limits

    # Who asks.

    def welcome(self, asking: Standing, limit: int | None) -> None:
        """Take in that an execution comes to ask, and the limit that its flow has now; None for any
        number. What is free is to be given to those that wait before it asks."""
        self.learn(asking.flow, limit)
        self._passed.discard(asking.uid)
        self._offers.pop(asking.uid, None)
        self._deciding.add(asking.uid)

    def ask(self, asking: Standing) -> Answer:
        """Give an execution a slot where there is one for it: it is kept until it is released."""
        uid, census = asking.uid, self._census
        if uid in self._kept and not self._fits(asking):
            self._release(uid)
        if not census.counts(uid) and self._fits(asking):
            self.keep(asking)
        holders = census.of_flow(asking.flow, asking)
        if census.holds(uid):
            return Answer(holders, 0, None)
        ahead = census.ahead(asking)
        wait = self._wait_in_flow(asking.flow, holders, ahead)
        above = census.ahead_in_namespace(asking)
        return Answer(holders, ahead, wait or self._wait_above(asking.flow.namespace, above))

    def keep(self, asking: Standing) -> None:
        """Keep a slot for an execution, be it free or not."""
        self._kept[asking.uid] = asking
        self._recount(asking.uid)

    def answered(self, uid: str, *, unsure: bool = False, passed: bool = False) -> None:
        """Take in that what was decided for an execution is written or dropped: from now on it
        holds a slot where what is seen of it says so. With ``unsure`` nobody knows whether it was
        written, and its slot is kept until it asks again. With ``passed`` others come before it."""
        self._deciding.discard(uid)
        was_deleted = uid in self._gone
        self._gone.discard(uid)
        if was_deleted or not unsure:
            self._release(uid)
            if passed and uid in self._known:
                self._passed.add(uid)

    # Who is called.

    def give(self) -> list[Offer]:
        """Keep each free slot for whoever comes next, and return who that is."""
        offers = []
        while (chosen := self._next()) is not None:
            self.keep(chosen)
            self._given += 1
            self._last_given[chosen.flow.namespace] = self._given
            self._offers[chosen.uid] = self._given
            offers.append(Offer(chosen, self._given))
        return offers

    def lapse(self, offer: Offer) -> bool:
        """End an offer, where nobody came for it. Tells whether that was so."""
        uid = offer.standing.uid
        if self._offers.get(uid) != offer.number:
            return False
        self._release(uid)
        self._passed.add(uid)
        return True

    def first_of(self, flow: FlowKey) -> Standing | None:
        """Find who comes first of those of a flow that wait."""
        line = self._census.lines.get(flow.namespace, {}).get(flow)
        return None if line is None else self._known[line.entries[0][1]]

    def waits(self) -> Iterator[tuple[Standing, Wait]]:
        """Tell what each execution waits for; in a namespace, of whoever comes first first."""
        for namespace, lines in self._census.lines.items():
            ahead_of: dict[FlowKey, int] = defaultdict(int)
            everybody = sorted(entry for line in lines.values() for entry in line.entries)
            for rank, (_, uid) in enumerate(everybody):
                standing = self._known[uid]
                flow = standing.flow
                wait = self._wait_in_flow(flow, self._census.of_flow(flow), ahead_of[flow])
                ahead_of[flow] += 1
                yield standing, wait or self._wait_above(namespace, rank)

    def _recount(self, uid: str) -> None:
        standing = self._known.get(uid) or self._kept.get(uid)
        if standing is None:
            self._census.remove(uid)
        else:
            self._census.set(standing, holds=uid in self._kept or not standing.waits)

    def _release(self, uid: str) -> None:
        if uid in self._kept:
            self._forget_slot(uid)
            self._recount(uid)

    def _forget_slot(self, uid: str) -> None:
        self._kept.pop(uid, None)
        self._offers.pop(uid, None)

    # Whether there is room.

    def _fits(self, asking: Standing) -> bool:
        """Tell whether there is a slot for an execution beside all others."""
        limit = self._flow_limits.get(asking.flow)
        if limit is not None:
            others = self._census.of_flow(asking.flow, asking)
            waiting = 0 if asking.uid in self._kept else self._census.ahead(asking)
            if others + waiting >= limit:
                return False
        rides = self._census.rides(asking)
        return rides or self._full_above(asking.flow.namespace, asking) is None

    def _full_above(self, namespace: str, but: Standing | None = None) -> tuple[Level, int] | None:
        """Find the first limit above that of the flow that leaves no slot, beside the one that an
        execution has."""
        limit = self.limits.of(namespace)
        if limit and self._census.of_namespace(namespace, but) >= limit:
            return "namespace", limit
        limit = self.limits.installation
        if limit and self._census.of_all(but) >= limit:
            return "installation", limit
        return None

    def _wait_in_flow(self, flow: FlowKey, holders: int, ahead: int) -> Wait | None:
        limit = self._flow_limits.get(flow)
        if limit is None or holders + ahead < limit:
            return None
        return Wait("flow", limit, size(ahead))

    def _wait_above(self, namespace: str, rank: int) -> Wait:
        level, limit = self._full_above(namespace) or ("installation", 0)
        return Wait(level, limit, size(rank))

    # Who comes next.

    def _next(self) -> Standing | None:
        limit, census = self.limits.installation, self._census
        if not self._flow_limits or (limit and census.of_all() >= limit and not census.riding):
            return None  # nobody has to be looked for, however many wait
        for namespace in sorted(self._census.lines, key=self._turn_of):
            found = self._next_of(namespace)
            if found is not None:
                return found
        return None

    def _turn_of(self, namespace: str) -> tuple[int, int]:
        """Tell which namespace comes first: the one with the least."""
        return self._census.of_namespace(namespace), self._last_given.get(namespace, 0)

    def _next_of(self, namespace: str) -> Standing | None:
        """Find who comes next in a namespace: of each flow with a slot its first one."""
        is_full = self._full_above(namespace) is not None
        heads: list[Entry] = []
        for flow, line in self._census.lines[namespace].items():
            limit = self._flow_limits.get(flow, 0)
            if limit is None or self._census.of_flow(flow) < limit:
                head = line.first(self._passed, riding=is_full)
                heads += [] if head is None else [head]
        return self._known[min(heads)[1]] if heads else None
