"""Flow triggers: which executions of other flows start one of this flow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from penstock.resources.trigger_state import fits_memory
from penstock.triggers.evaluation import FlowName, Upstream
from penstock.triggers.firing import Firing
from penstock.triggers.flow_trigger.decision import Decision, decide
from penstock.triggers.flow_trigger.memory import Memory, Met
from penstock.triggers.flow_trigger.model import FlowTrigger
from tests.unit.triggers.context import LISTENING, at, context, execution

ARMED = Memory.armed(at("2025-01-01T00:00"))


def trigger(text: str) -> FlowTrigger:
    return FlowTrigger.model_validate(yaml.load(text, yaml.BaseLoader), context={})


class Listener:
    """A trigger with its memory, kept as JSON between two events."""

    def __init__(self, text: str, flow: FlowName = LISTENING) -> None:
        self.trigger = trigger(text)
        self.flow = flow
        self.memory: dict[str, Any] = ARMED.to_json()
        self.outputs: dict[str, Any] = {}

    def see(self, event: Upstream) -> Decision:
        self.outputs[event.id] = event.outputs
        memory = Memory.model_validate(self.memory)
        seen = context(flow=self.flow)
        decision = decide(self.trigger, "listen", event, memory, seen, self._recall)
        self.memory = decision.memory.to_json()
        return decision

    def _recall(self, met: Met) -> Any:
        return self.outputs.get(met.execution)

    def fired_by(self, events: Iterable[Upstream]) -> list[str]:
        """The ids of the executions at which it fired."""
        return [event.id for event in events if self.see(event).firing is not None]


def runs(*written: str) -> list[Upstream]:
    """`a` is an execution of flow a with SUCCESS, `a!` one that FAILED; a minute each."""
    return [
        execution(
            f"{name}{index}",
            name.rstrip("!"),
            "FAILED" if name.endswith("!") else "SUCCESS",
            f"2025-01-01T09:{index:02}",
        )
        for index, name in enumerate(written, 1)
    ]


A = "{namespace: company.team, flowId: a}"
B = "{namespace: company.team, flowId: b}"
C = "{namespace: company.team, flowId: c}"
FLOW_A = """
conditions:
  - {type: io.kestra.plugin.core.condition.ExecutionFlow, namespace: company.team, flowId: a}
"""


# --- one look at an execution ---------------------------------------------------------------------


def test_it_fires_for_the_executions_that_its_conditions_name() -> None:
    assert Listener(FLOW_A).fired_by(runs("a", "b", "a!")) == ["a1", "a!3"]


def test_what_the_started_execution_is_told() -> None:
    # given
    event = execution("e1", revision=3, outputs={"rows": 2}, task_outputs={"only": {"value": "x"}})
    listener = Listener(FLOW_A)
    listener.trigger = listener.trigger.model_copy(
        update={
            "inputs": {"rows": "{{ trigger.outputs.rows }}", "of": "{{ outputs.only.value }}"},
            "labels": {"from": "{{ trigger.flowId }} {{ labels.tier }}", "to": "{{ flow.id }}"},
        }
    )
    # when
    firing = listener.see(replace(event, labels={"tier": "gold"})).firing
    # then
    assert firing is not None
    assert firing.variables == {
        "executionId": "e1",
        "namespace": "company.team",
        "flowId": "a",
        "flowRevision": 3,
        "state": "SUCCESS",
        "outputs": {"rows": 2},
    }
    assert firing.inputs == {"rows": 2, "of": "x"}
    assert firing.labels == {"from": "a gold", "to": "listener"}


@pytest.mark.parametrize("wrong", ["inputs", "labels"])
def test_what_cannot_be_rendered_starts_nothing_and_is_reported_once(wrong: str) -> None:
    # given
    listener = Listener(FLOW_A)
    update = {wrong: {"a": "{{ trigger.outputs.none }}"}}
    listener.trigger = listener.trigger.model_copy(update=update)
    # when
    first, again = listener.see(execution("e1")), listener.see(execution("e1"))
    # then
    assert (first.firing, again.firing) == (None, None)
    assert "Unable to find `none`" in first.errors[0]
    assert again.errors == ()


@pytest.mark.parametrize(
    ("text", "states"),
    [
        (FLOW_A, ["SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "PAUSED"]),
        (FLOW_A + "states: [FAILED]", ["FAILED"]),
        (f"dependsOn: [{A}]", ["SUCCESS", "WARNING"]),
        ("dependsOn: [{flowId: a, states: [PAUSED]}]", ["PAUSED"]),
        (f"dependsOn: [{A}]\nstates: [WARNING]", ["WARNING"]),
    ],
)
def test_the_states_to_listen_to(text: str, states: list[str]) -> None:
    all_states = ["RUNNING", "SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "PAUSED"]
    assert {s for s in all_states if Listener(text).see(execution("e", state=s)).firing} == {
        *states
    }


@pytest.mark.parametrize("text", ["{}", FLOW_A, f"dependsOn: [{A}]"])
def test_it_never_fires_for_its_own_flow(text: str) -> None:
    assert Listener(text, FlowName("company.team", "a")).fired_by(runs("a")) == []


def test_without_any_condition_it_fires_for_every_other_flow() -> None:
    assert Listener("{}").fired_by(runs("a", "b")) == ["a1", "b2"]


@pytest.mark.parametrize(
    ("when", "fires"),
    [
        ("{{ namespace | startsWith('company') }}", True),
        ("{{ flowId == 'b' }}", False),
        ("{{ state != 'SUCCESS' }}", False),
        ("{{ labels.tier == 'gold' and outputs.rows > 0 }}", True),
        ("{{ hasRetryAttempt }}", True),
    ],
)
@pytest.mark.parametrize("text", ["when: {}", "dependsOn: [{{flowId: a, when: {}}}]"])
def test_when_sees_the_execution(text: str, when: str, fires: bool) -> None:
    event = execution(
        "e", labels={"tier": "gold"}, outputs={"rows": 1}, attempts=[["FAILED", "SUCCESS"]]
    )
    assert bool(Listener(text.format(f'"{when}"')).see(event).firing) is fires


def test_a_condition_that_cannot_be_told_does_not_fire_and_is_reported() -> None:
    decision = Listener("when: '{{ outputs.rows > 0 }}'").see(execution("e"))
    assert decision.firing is None
    assert "Unable to find `rows`" in decision.errors[0]


def test_one_entry_that_cannot_be_told_does_not_hide_another() -> None:
    text = f"mode: ANY\ndependsOn: [{{when: '{{{{ outputs.rows > 0 }}}}'}}, {A}]"
    decision = Listener(text).see(execution("e"))
    assert decision.firing is not None
    assert len(decision.errors) == 1


def test_inputs_that_cannot_be_rendered_fail_the_execution_of_what_it_depends_on() -> None:
    inputs = "inputs: {rows: '{{ trigger.outputs.rows }}'}"
    older = Listener(f"{inputs}\n{FLOW_A}").see(execution("e"))
    assert (older.firing, len(older.errors)) == (None, 1)
    newer = Listener(f"{inputs}\ndependsOn: [{A}]").see(execution("e"))
    assert newer.firing is not None
    assert "Unable to find `rows`" in str(newer.firing.failure)
    assert newer.firing.variables["executionId"] == "e"


# --- several executions ---------------------------------------------------------------------------


def preconditions(more: str = "") -> str:
    return f"preconditions: {{id: both, flows: [{A}, {B}]{more}}}"


MULTIPLE = """
conditions:
  - id: multiple
    type: io.kestra.plugin.core.condition.MultipleCondition
    window: P1D
    windowAdvance: P0D
    conditions:
      success: {type: io.kestra.plugin.core.condition.ExecutionStatus, in: [SUCCESS]}
      flow-a: {type: io.kestra.plugin.core.condition.ExecutionFlow, namespace: company.team,
               flowId: a}
      flow-b: {type: io.kestra.plugin.core.condition.ExecutionFlow, namespace: company.team,
               flowId: b}
"""


@pytest.mark.parametrize(
    ("text", "events", "fired"),
    [
        (preconditions(), "a a b", ["b3"]),
        (preconditions(), "b a", ["a2"]),
        (preconditions(), "a b a b", ["b2", "b4"]),
        (preconditions(), "a b b a", ["b2", "a4"]),
        (preconditions(", resetOnSuccess: 'false'"), "a b a c b", ["b2", "a3", "b5"]),
        (preconditions(", where: [{id: w, filters: [{field: STATE, type: EQUAL_TO, "
                       "value: FAILED}]}]"), "a b a!", ["a!3"]),
        (MULTIPLE, "a b", ["b2"]),
        (MULTIPLE, "a! b!", []),
        (MULTIPLE, "a! b", ["b2"]),
        (f"dependsOn: [{A}, {B}]", "a a b b a", ["b3", "a5"]),
        (f"mode: ANY\ndependsOn: [{A}, {B}]", "a c b a", ["a1", "b3", "a4"]),
        (f"mode: AT_LEAST\nminSatisfied: '2'\ndependsOn: [{A}, {B}, {C}]", "a a c b",
         ["c3"]),
        (f"mode: AT_LEAST\nminSatisfied: '2'\ndependsOn: [{A}, {B}, {C}]", "a c b a",
         ["c2", "a4"]),
        (f"dependsOn: [{A}, {B}]\nwindow: {{every: P1D}}", "a b a c b", ["b2", "a3", "b5"]),
        (f"dependsOn: [{A}, {B}]\nwindow: {{every: P1D, fireOnce: 'true'}}", "a b a b", ["b2"]),
        (f"dependsOn: [{A}, {B}]\nwindow: {{lookback: PT1H, fireOnce: 'true'}}", "a b a b",
         ["b2"]),
        (f"dependsOn: [{A}, {B}]\nwindow: {{deadline: '09:01:30'}}", "a b", []),
        (f"{MULTIPLE}\ndependsOn: [{C}]", "a b c", ["c3"]),
    ],
)  # fmt: skip
def test_what_several_executions_make_it_do(text: str, events: str, fired: list[str]) -> None:
    assert Listener(text).fired_by(runs(*events.split())) == fired


@pytest.mark.parametrize(
    ("window", "dates", "fires"),
    [
        ("{}", ["01T23:50", "02T00:10"], False),
        ("{window: PT12H}", ["01T01:00", "01T11:00"], True),
        ("{window: PT12H}", ["01T11:00", "01T13:00"], False),
        ("{window: PT12H, windowAdvance: PT6H}", ["01T11:00", "01T13:00"], True),
        ("{type: SLIDING_WINDOW, window: PT1H}", ["01T23:50", "02T00:10"], True),
        ("{type: SLIDING_WINDOW, window: PT1H}", ["01T09:00", "01T10:01"], False),
        ("{type: DAILY_TIME_DEADLINE, deadline: '09:00'}", ["01T08:00", "01T08:59"], True),
        ("{type: DAILY_TIME_DEADLINE, deadline: '09:00'}", ["01T08:00", "01T09:00"], False),
        ("{type: DAILY_TIME_WINDOW, startTime: '06:00', endTime: '08:00'}",
         ["01T06:00", "01T07:00"], True),
        ("{type: DAILY_TIME_WINDOW, startTime: '06:00', endTime: '08:00'}",
         ["01T05:00", "01T07:00"], False),
    ],
)  # fmt: skip
def test_all_must_be_met_in_one_window(window: str, dates: list[str], fires: bool) -> None:
    listener = Listener(preconditions(f", timeWindow: {window}"))
    a, b = (execution(flow, flow, date=f"2025-01-{d}") for flow, d in zip("ab", dates, strict=True))
    assert listener.fired_by([a, b]) == (["b"] if fires else [])


def test_what_comes_late_from_an_older_window_does_not_undo_the_present_one() -> None:
    listener = Listener(preconditions())
    today_a = execution("a2", "a", date="2025-01-02T00:10")
    late_b = execution("b1", "b", date="2025-01-01T23:50")
    today_b = execution("b2", "b", date="2025-01-02T00:20")
    assert listener.fired_by([today_a, late_b, today_b]) == ["b2"]


FIXTURE = """
preconditions:
  id: flow
  flows:
    - {namespace: company.team, flowId: a, states: [SUCCESS, WARNING, FAILED]}
    - {namespace: company.team, flowId: b, states: [SUCCESS]}
  where:
    - id: flow1
      filters:
        - {field: NAMESPACE, type: STARTS_WITH, value: company}
        - {field: FLOW_ID, type: EQUAL_TO, value: a}
        - {field: EXPRESSION, type: IS_TRUE, value: "{{labels.some == 'label'}}"}
    - id: flow2
      filters:
        - {field: NAMESPACE, type: ENDS_WITH, value: team}
        - {field: FLOW_ID, type: EQUAL_TO, value: b}
"""


def test_kestras_own_example_fires_once_after_a_a_b() -> None:
    a1, a2, b = runs("a", "a", "b")
    labels = {"some": "label"}
    events = [replace(a1, labels=labels), replace(a2, labels=labels), b]
    assert Listener(FIXTURE).fired_by(events) == ["b3"]


def test_the_order_of_entries_does_not_matter_to_what_is_remembered() -> None:
    listener = Listener(f"dependsOn: [{A}, {B}]")
    assert listener.fired_by(runs("a")) == []
    listener.trigger = trigger(f"dependsOn: [{B}, {A}]")
    assert listener.fired_by(runs("c", "b")) == ["b2"]


def test_an_entry_that_was_changed_has_to_be_met_anew() -> None:
    listener = Listener(f"dependsOn: [{A}, {B}]")
    assert listener.fired_by(runs("a")) == []
    listener.trigger = trigger(f"dependsOn: [{{flowId: a, states: [FAILED]}}, {B}]")
    assert listener.fired_by(runs("c", "b")) == []


# --- outputs of what was waited for ---------------------------------------------------------------


def outputs_of(text: str) -> Any:
    listener = Listener(text)
    a = execution("a1", "a", outputs={"rows": 1, "a": "own"})
    b = execution("b2", "b", date="2025-01-01T09:05", outputs={"rows": 2})
    fires = [fire for fire in (listener.see(a).firing, listener.see(b).firing) if fire is not None]
    return fires[-1].variables["outputs"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (preconditions(), {"rows": 2}),
        (f"dependsOn: [{A}, {B}]", {"rows": 2, "a": {"rows": 1, "a": "own"}, "b": {"rows": 2}}),
        (f"dependsOn: [{B}]", {"rows": 2, "b": {"rows": 2}}),
        (f"dependsOn: [{A}]", {"rows": 1, "a": "own"}),
    ],
)
def test_outputs_by_flow_and_in_the_short_form(text: str, expected: dict[str, Any]) -> None:
    assert outputs_of(text) == expected


# --- once and only once ---------------------------------------------------------------------------


def key(decision: Decision) -> str:
    assert isinstance(decision.firing, Firing)
    return decision.firing.key


def test_an_event_seen_twice_starts_one_execution() -> None:
    """Either it is remembered, or the execution would have the same name."""
    event = execution("e1")
    first = Listener(FLOW_A).see(event)
    again = Listener(FLOW_A).see(event)
    assert key(first) == key(again)
    listener = Listener(FLOW_A)
    assert listener.fired_by([event, event]) == ["e1"]


def test_each_time_that_an_execution_comes_into_a_state_is_an_event_of_its_own() -> None:
    steps = [("RUNNING", 1), ("PAUSED", 2), ("RUNNING", 3), ("SUCCESS", 4)]
    events = [execution("e", state=state, date=f"2025-01-01T09:0{at}") for state, at in steps]
    listener = Listener(FLOW_A + "states: [RUNNING, PAUSED, SUCCESS]")
    fires = [decision.firing for decision in map(listener.see, events)]
    assert [fire.variables["state"] for fire in fires if fire] == [state for state, _ in steps]
    assert len({fire.key for fire in fires if fire}) == 4
    assert listener.fired_by(events) == []


def test_a_transition_is_the_same_whatever_zone_its_date_is_written_in() -> None:
    event = execution("e", date="2025-01-01T09:00")
    elsewhere = replace(event, date=event.date.astimezone(timezone(timedelta(hours=2))))
    assert key(Listener(FLOW_A).see(event)) == key(Listener(FLOW_A).see(elsewhere))


def test_another_state_flow_or_trigger_starts_another_execution() -> None:
    event = execution("e1")
    elsewhere = Listener(FLOW_A, FlowName("company.team", "other"))
    paused = replace(event, state="PAUSED")
    other_trigger = decide(trigger(FLOW_A), "second", event, ARMED, context())
    keys = {
        key(Listener(FLOW_A).see(event)),
        key(Listener(FLOW_A).see(paused)),
        key(elsewhere.see(event)),
        key(other_trigger),
    }
    assert len(keys) == 4


def test_what_ended_before_the_trigger_was_there_does_not_count() -> None:
    assert Listener(FLOW_A).fired_by([execution("e", date="2024-12-31T23:00")]) == []


def test_an_event_that_says_nothing_leaves_the_memory_as_it_is() -> None:
    decision = decide(trigger(preconditions()), "t", execution("c", "c"), ARMED, context())
    assert decision.memory is ARMED


def test_the_memory_stays_small() -> None:
    listener = Listener(FLOW_A)
    events = [
        execution(f"e{index}", date=f"2025-01-01T{index // 60:02}:{index % 60:02}")
        for index in range(1, 700)
    ]
    assert len(listener.fired_by(events)) == 699
    assert len(listener.memory["seen"]) == 500
    assert fits_memory(listener.memory)
    assert listener.fired_by(events) == []


TEXTS = st.sampled_from(
    [
        FLOW_A, preconditions(), MULTIPLE, f"dependsOn: [{A}, {B}]",
        preconditions(", resetOnSuccess: 'false'"),
        f"mode: ANY\ndependsOn: [{A}, {B}]", f"dependsOn: [{A}, {B}]\nwindow: {{every: PT5M}}",
    ]
)  # fmt: skip
NAMES = st.lists(st.sampled_from(["a", "b", "a!", "c"]), max_size=12)


@given(TEXTS, NAMES, st.data())
def test_events_that_are_fed_again_change_nothing(
    text: str, names: list[str], data: st.DataObject
) -> None:
    events = runs(*names)
    again: list[Upstream] = []
    for index, event in enumerate(events):
        again.append(event)
        again += data.draw(st.lists(st.sampled_from(events[: index + 1]), max_size=2))
    assert Listener(text).fired_by(again) == Listener(text).fired_by(events)


@given(st.permutations(["a", "b", "c"]))
def test_the_order_of_what_is_waited_for_does_not_matter(names: list[str]) -> None:
    listener = Listener(f"dependsOn: [{A}, {B}, {C}]")
    assert listener.fired_by(runs(*names)) == [f"{names[-1]}3"]
