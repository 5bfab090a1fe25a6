"""`onMiss`: windows that ended without the trigger having fired."""

from __future__ import annotations

from dataclasses import replace

import pytest

from penstock.triggers.firing import Firing
from penstock.triggers.flow_trigger.decision import decide
from penstock.triggers.flow_trigger.memory import Memory
from penstock.triggers.flow_trigger.misses import missed, next_deadline
from penstock.triggers.flow_trigger.model import FlowTrigger
from tests.unit.triggers.context import at, context, execution


def trigger(**window: object) -> FlowTrigger:
    properties = {"dependsOn": [{"flowId": "a"}], "window": window, "onMiss": {"behavior": "FAIL"}}
    return FlowTrigger.model_validate(properties)


MORNING = trigger(deadline="09:00:00")


def look(memory: Memory, now: str, waiting: FlowTrigger = MORNING) -> tuple[Memory, Firing | None]:
    return missed(waiting, "listen", memory, at(now), context())


def test_a_deadline_that_passed_is_missed_once() -> None:
    memory, miss = look(Memory.armed(at("2025-01-01T00:00")), "2025-01-01T09:00")
    assert miss is not None
    assert miss.variables == {"deadline": "2025-01-01T09:00:00+00:00"}
    assert miss.failure == "what trigger listen waits for was not met by 2025-01-01T09:00:00+00:00"
    assert look(memory, "2025-01-01T09:01")[1] is None
    following = look(memory, "2025-01-02T09:00")[1]
    assert following is not None
    assert following.key != miss.key


def test_a_window_in_which_it_fired_is_not_missed() -> None:
    event = execution("e", "a", date="2025-01-01T08:00")
    armed = Memory.armed(at("2025-01-01T00:00"))
    memory = decide(MORNING, "listen", event, armed, context()).memory
    memory, miss = look(memory, "2025-01-01T09:00")
    assert miss is None
    late = replace(event, id="f", date=at("2025-01-02T09:30"))
    memory = decide(MORNING, "listen", late, memory, context()).memory
    assert look(memory, "2025-01-02T10:00")[1] is not None


@pytest.mark.parametrize("now", ["2025-01-01T08:59", "2025-01-01T12:00", "2025-01-02T08:59"])
def test_a_window_that_had_begun_before_the_trigger_was_there_does_not_count(now: str) -> None:
    armed = Memory.armed(at("2025-01-01T08:30"))
    assert look(armed, now) == (armed, None)


def test_of_several_missed_windows_the_last_counts() -> None:
    memory, miss = look(Memory.armed(at("2025-01-01T00:00")), "2025-01-05T10:00")
    assert miss is not None
    assert miss.variables == {"deadline": "2025-01-05T09:00:00+00:00"}
    assert look(memory, "2025-01-05T11:00")[1] is None


def test_labels_of_a_miss_see_its_deadline() -> None:
    labels = {"of": "{{ trigger.deadline }}", "wrong": "{{ trigger.executionId }}"}
    properties = {"dependsOn": [{"flowId": "a"}], "window": {"deadline": "09:00:00"}}
    waiting = FlowTrigger.model_validate({**properties, "onMiss": {"labels": labels}})
    miss = look(Memory.armed(at("2025-01-01T00:00")), "2025-01-01T09:00", waiting)[1]
    assert miss is not None
    assert miss.labels == {"of": "2025-01-01T09:00:00+00:00"}


@pytest.mark.parametrize(
    ("waiting", "deadline"),
    [
        (MORNING, at("2025-01-02T09:00")),
        (trigger(every="PT6H"), at("2025-01-01T12:00")),
        (trigger(**{"from": "06:00", "to": "12:00"}), at("2025-01-01T12:00")),
        (trigger(lookback="PT1H"), None),
        (FlowTrigger.model_validate({"dependsOn": [{}], "window": {"deadline": "09:00"}}), None),
    ],
)
def test_when_to_look_next(waiting: FlowTrigger, deadline: object) -> None:
    assert next_deadline(waiting, at("2025-01-01T10:00")) == deadline
