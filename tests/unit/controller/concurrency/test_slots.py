"""Slots: who holds them, who comes next, and what the others wait for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Self

import pytest

from penstock.controller.concurrency.slots import Answer, SlotLimits, Slots
from penstock.controller.concurrency.standing import FlowKey, Place, Standing
from penstock.controller.concurrency.waits import sentence

START = datetime(2030, 1, 1, tzinfo=UTC)


class Given:
    """Slots, and executions by short names such as `a/load/1`: namespace, flow, name."""

    def __init__(self, **limits: int | dict[str, int]) -> None:
        self.slots = Slots(SlotLimits(**limits))  # type: ignore[arg-type]
        self.flow_limits: dict[FlowKey, int | None] = {}
        self._seconds = 0

    def flow(self, name: str, limit: int | None) -> Self:
        """Let a flow have a limit, as whoever asks first of it finds out."""
        namespace, flow = name.split("/")
        self.flow_limits[FlowKey(namespace, flow)] = limit
        return self

    def standing(self, name: str, priority: int = 0, caller: str | None = None) -> Standing:
        namespace, flow, last = name.split("/")
        self._seconds += 1
        place = Place(-priority, START + timedelta(seconds=self._seconds), last)
        return Standing(name, last, FlowKey(namespace, flow), place, caller)

    def running(self, *names: str, caller: str | None = None) -> Self:
        for name in names:
            self.slots.put(name, replace(self.standing(name, caller=caller), waits=False))
        return self

    def queued(self, *names: str, priority: int = 0, caller: str | None = None) -> Self:
        """Let executions wait, in the order of their names. They have asked before."""
        for name in names:
            standing = self.standing(name, priority, caller)
            self.slots.put(name, standing)
            self.slots.welcome(standing, self.flow_limits.get(standing.flow))
            self.slots.answered(name)
        return self

    def ended(self, *names: str) -> Self:
        for name in names:
            self.slots.end(name)
        return self

    def asks(self, name: str, priority: int = 0, caller: str | None = None) -> Answer:
        """Let an execution ask that is new."""
        standing = self.standing(name, priority, caller)
        self.slots.welcome(standing, self.flow_limits.get(standing.flow))
        return self.slots.ask(standing)

    def called(self) -> list[str]:
        """Those that are called, in their order."""
        return [offer.standing.uid for offer in self.slots.give()]

    def sentences(self) -> dict[str, str]:
        found = self.slots.waits()
        return {item.uid: sentence(wait, item.flow.name) for item, wait in found}


def test_without_limits_everybody_runs() -> None:
    given = Given().running("a/f/1", "a/f/2")
    assert given.asks("a/f/3").wait is None


@pytest.mark.parametrize(
    ("limits", "running", "comes"),
    [
        ({"installation": 2}, ["a/f/1"], True),
        ({"installation": 2}, ["a/f/1", "b/f/1"], False),
        ({"namespace": 1}, ["b/f/1"], True),
        ({"namespace": 1}, ["a/g/1"], False),
        ({"namespace": 1, "namespaces": {"a": 2}}, ["a/g/1"], True),
        ({"namespace": 1, "namespaces": {"a": 0}}, ["a/g/1", "a/g/2"], True),
        ({"namespaces": {"a": 1}}, ["a/g/1"], False),
        ({"installation": 1, "namespace": 5}, ["b/g/1"], False),
    ],
)
def test_a_new_one_runs_where_every_limit_leaves_a_slot(
    limits: dict[str, int | dict[str, int]], running: list[str], comes: bool
) -> None:
    given = Given(**limits).running(*running)
    assert (given.asks("a/f/9").wait is None) is comes


def test_of_those_that_wait_the_higher_priority_comes_first_and_then_the_older_one() -> None:
    given = Given(namespace=1).running("a/f/0")
    given.queued("a/f/old", "a/g/young").queued("a/h/urgent", priority=5)
    given.queued("a/h/idle", priority=-1)
    # when the slot is free, again and again
    order = []
    for holder in ("a/f/0", "a/h/urgent", "a/f/old", "a/g/young"):
        order += given.ended(holder).called()
    # then
    assert order == ["a/h/urgent", "a/f/old", "a/g/young", "a/h/idle"]


def test_a_full_flow_is_in_the_way_of_no_other_flow() -> None:
    given = Given(namespace=2).flow("a/full", 1)
    given.running("a/full/0", "a/f/0").queued("a/full/1", "a/full/2", "a/f/1")
    assert given.ended("a/f/0").called() == ["a/f/1"]


def test_a_slot_that_is_kept_is_nobody_elses() -> None:
    given = Given(namespace=1).running("a/f/0").queued("a/f/1")
    given.ended("a/f/0")
    # when one is called, and a newcomer asks before it has come
    assert given.called() == ["a/f/1"]
    answer = given.asks("a/f/2", priority=900)
    # then
    assert answer.wait is not None
    assert given.called() == []


def test_of_two_that_are_decided_at_one_moment_one_runs() -> None:
    given = Given(installation=1)
    assert given.asks("a/f/1").wait is None
    assert given.asks("b/f/1").wait is not None
    # when the first one needs no slot after all
    given.slots.answered("a/f/1")
    # then
    assert given.asks("b/f/1").wait is None


def test_what_nobody_knows_the_answer_to_keeps_its_slot_until_it_asks_again() -> None:
    given = Given(installation=1)
    given.asks("a/f/1")
    given.slots.answered("a/f/1", unsure=True)
    assert given.asks("b/f/1").wait is not None
    # when it is decided again, and ends at once
    assert given.asks("a/f/1").wait is None
    given.slots.answered("a/f/1")
    # then
    assert given.asks("b/f/1").wait is None


def test_who_is_deleted_while_it_is_decided_keeps_no_slot() -> None:
    given = Given(installation=1)
    given.asks("a/f/1")
    given.slots.end("a/f/1", gone=True)
    assert given.asks("b/f/1").wait is not None, "it may still be written"
    given.slots.answered("a/f/1", unsure=True)
    assert given.asks("b/f/1").wait is None


def test_whoever_does_not_come_for_its_slot_lets_others_pass_until_it_asks() -> None:
    given = Given(namespace=1).running("a/f/0").queued("a/f/stuck", "a/f/next")
    given.ended("a/f/0")
    (offer,) = given.slots.give()
    # when nobody comes
    assert given.slots.lapse(offer)
    # then
    assert given.called() == ["a/f/next"]
    # when it asks at last
    given.queued("a/f/stuck").running("a/f/next").ended("a/f/next")
    assert given.called() == ["a/f/stuck"]


def test_an_offer_that_was_taken_does_not_lapse() -> None:
    given = Given(namespace=1).queued("a/f/1")
    (offer,) = given.slots.give()
    standing = offer.standing
    given.slots.welcome(standing, None)
    assert given.slots.ask(standing).wait is None
    assert not given.slots.lapse(offer)
    given.running("a/f/1")
    given.slots.answered("a/f/1")
    assert given.asks("a/f/2").wait is not None


def test_a_paused_caller_and_whom_it_calls_need_one_slot() -> None:
    given = Given(namespace=1).running("a/parent/0")
    assert given.asks("a/child/0", caller="a/parent/0").wait is None
    assert given.asks("a/child/1", caller="a/parent/0").wait is None
    given.slots.answered("a/child/1")
    # when the caller ends before them
    given.running("a/child/0", caller="a/parent/0")
    given.slots.answered("a/child/0")
    given.ended("a/parent/0")
    # then they hold the slot
    assert given.asks("a/f/0").wait is not None
    assert given.ended("a/child/0").asks("a/f/0").wait is None


def test_whom_an_execution_calls_obeys_the_limit_of_its_own_flow() -> None:
    given = Given(namespace=1).flow("a/child", 1).running("a/parent/0")
    given.running("a/child/0", caller="a/parent/0")
    answer = given.asks("a/child/1", caller="a/parent/0")
    assert answer.wait is not None
    assert answer.wait.level == "flow"
    given.slots.answered("a/child/1")
    # when its turn comes, though the namespace is full
    given.queued("a/child/1", caller="a/parent/0")
    assert given.ended("a/child/0").called() == ["a/child/1"]


def test_namespaces_take_turns_at_the_limit_of_the_installation() -> None:
    given = Given(installation=1).running("a/f/0")
    given.queued(*(f"a/f/{number}" for number in range(1, 50)))
    given.queued("b/f/1", "b/f/2", "c/f/1", priority=0)
    # when one ends after the other
    order, holder = [], "a/f/0"
    for _ in range(6):
        (holder,) = given.ended(holder).called()
        given.running(holder)
        order.append(holder)
    # then
    assert [name[0] for name in order] == ["a", "b", "c", "a", "b", "a"]


def test_who_holds_least_comes_first_at_the_limit_of_the_installation() -> None:
    given = Given(installation=4).running("a/f/1", "a/f/2", "a/f/3", "b/f/1")
    given.queued("a/f/4", "b/f/2", priority=0).queued("a/f/5", priority=1000)
    assert given.ended("a/f/1").called() == ["b/f/2"]


def test_a_priority_counts_within_its_namespace_only() -> None:
    given = Given(installation=1).running("c/f/0")
    given.queued("a/f/1").queued("b/f/1", priority=1000)
    assert given.ended("c/f/0").called() == ["a/f/1"]


def test_a_lower_limit_takes_an_offer_back() -> None:
    given = Given().flow("a/f", 2).running("a/f/0").queued("a/f/1")
    (offer,) = given.slots.give()
    given.slots.welcome(offer.standing, 1)
    answer = given.slots.ask(offer.standing)
    assert answer.wait is not None


def test_a_flow_whose_limit_is_gone_lets_all_run() -> None:
    given = Given().flow("a/f", 1).running("a/f/0").queued("a/f/1", "a/f/2", "a/f/3")
    assert given.called() == []
    given.flow("a/f", None).asks("a/f/new")
    assert sorted(given.called()) == ["a/f/1", "a/f/2", "a/f/3"]


def test_nobody_is_called_before_the_limit_of_its_flow_is_known() -> None:
    # given a controller that has just listed what there is
    given = Given()
    given.slots.put("a/f/1", given.standing("a/f/1"))
    assert given.called() == []
    assert given.queued("a/f/1").called() == ["a/f/1"]


def test_new_ones_of_a_flow_come_behind_those_that_wait_for_another_limit() -> None:
    # given a flow that cancels what is too much, and a namespace that is full
    given = Given(namespace=1).flow("a/cancels", 1).running("a/f/0").queued("a/cancels/1")
    answer = given.asks("a/cancels/2")
    assert (answer.holders, answer.ahead) == (0, 1)
    assert answer.wait is not None
    assert answer.wait.level == "flow"


def test_what_one_waits_for_is_said_in_a_sentence() -> None:
    given = Given(namespace=2, installation=3).flow("a/one", 1).flow("a/two", 2)
    given.running("a/one/0", "a/f/0").queued("a/one/1", "a/f/1", "a/one/2")
    given.running("b/f/0").queued("b/f/1")
    assert given.sentences() == {
        "a/one/1": "waiting for the only slot of one; it comes next",
        "a/f/1": "waiting for one of 2 slots of the namespace; 1 is before it",
        "a/one/2": "waiting for the only slot of one; 1 is before it",
        "b/f/1": "waiting for one of 3 slots of the installation; it comes next",
    }


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (9, "9 are before it"),
        (10, "10 or more are before it"),
        (99, "10 or more are before it"),
        (100, "100 or more are before it"),
        (5000, "1000 or more are before it"),
    ],
)
def test_many_that_come_before_are_told_by_their_size(before: int, told: str) -> None:
    given = Given().flow("a/f", 1).running("a/f/x")
    given.queued(*(f"a/f/{number:04}" for number in range(before)))
    answer = given.asks("a/f/new")
    assert answer.wait is not None
    assert sentence(answer.wait, "f").endswith(told)
    assert answer.ahead == before


def test_a_step_of_a_long_line_changes_few_sentences() -> None:
    given = Given().flow("a/f", 1).running("a/f/x")
    given.queued(*(f"a/f/{number:04}" for number in range(3000)))
    before = given.sentences()
    given.ended("a/f/x").called()
    after = given.sentences()
    changed = [name for name in after if after[name] != before[name]]
    assert len(changed) <= 12


@pytest.mark.parametrize("seed", range(30))
def test_no_limit_is_exceeded_and_no_slot_stays_free_while_somebody_could_have_it(
    seed: int,
) -> None:
    random = Random(seed)
    limits = SlotLimits(random.choice([0, 3, 5]), random.choice([0, 2]), {"b": 3})
    given = Given()
    given.slots = slots = Slots(limits)
    flows = {f"{where}/{flow}": random.choice([None, 1, 2]) for where in "abc" for flow in "fg"}
    for name, limit in flows.items():
        given.flow(name, limit)
    running: set[str] = set()
    waiting: set[str] = set()
    for number in range(400):
        act = random.random()
        if act < 0.45:
            name = f"{random.choice(list(flows))}/{number}"
            if given.asks(name, random.randint(-1, 1)).wait is None:
                running.add(name)
                given.running(name)
                slots.answered(name)
            else:
                slots.answered(name)
                given.queued(name)
                waiting.add(name)
        elif act < 0.9 and running:
            name = random.choice(sorted(running))
            running.discard(name)
            given.ended(name)
        elif waiting:
            name = random.choice(sorted(waiting))
            waiting.discard(name)
            given.ended(name)
        for name in given.called():
            waiting.discard(name)
            running.add(name)
            given.running(name)
        _hold(limits, flows, running)
        for name in waiting:
            with pytest.raises(AssertionError):
                _hold(limits, flows, {*running, name})


def _hold(limits: SlotLimits, flows: dict[str, int | None], running: set[str]) -> None:
    """Assert that no limit is exceeded."""
    assert not limits.installation or len(running) <= limits.installation
    for where, count in Counter(name.split("/")[0] for name in running).items():
        assert not limits.of(where) or count <= limits.of(where)
    for flow, count in Counter(name.rpartition("/")[0] for name in running).items():
        limit = flows[flow]
        assert limit is None or count <= limit
