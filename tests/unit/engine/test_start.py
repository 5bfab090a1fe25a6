"""Whether and when an execution begins: checks, its date, and its turn among the others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from penstock.engine.decision.ending import transitions_since
from penstock.engine.state.transitions import move_execution
from penstock.resources.execution import ExecutionStatus, State
from tests.fixtures.engine import Given
from tests.fixtures.world import SECOND, START

Flow = Callable[[str], Given]

WORK = "tasks: [{id: a, type: Work}]\n"


def check(condition: str, behavior: str, message: str = "no") -> str:
    return f'{{condition: "{condition}", behavior: {behavior}, message: "{message}"}}'


def checks(*items: str) -> str:
    return f"checks: [{', '.join(items)}]\ninputs: [{{id: n, type: INT}}]\n" + WORK


SMALL = "{{ inputs.n < 5 }}"


@pytest.mark.parametrize("behavior", ["BLOCK_EXECUTION", "FAIL_EXECUTION", "CREATE_EXECUTION"])
def test_a_check_that_holds_changes_nothing(given: Flow, behavior: str) -> None:
    outcome = given(checks(check(SMALL, behavior))).inputs(n=1).run()
    outcome.then.ended("SUCCESS").ran("a")
    assert "CheckFailed" not in outcome.world.events


def test_a_check_may_block_it(given: Flow) -> None:
    outcome = given(checks(check(SMALL, "BLOCK_EXECUTION", "{{ inputs.n }} is too big")))
    outcome.inputs(n=9).run().then.ended("FAILED").ran().says("9 is too big")
    assert outcome.inputs(n=9).run().status.refusal == "CheckFailed"


def test_a_check_may_fail_it(given: Flow) -> None:
    outcome = given(checks(check(SMALL, "FAIL_EXECUTION"))).inputs(n=9).run()
    outcome.then.ended("FAILED").ran().says("no")
    assert outcome.status.refusal is None


def test_a_check_may_only_be_told(given: Flow) -> None:
    outcome = given(checks(check(SMALL, "CREATE_EXECUTION"))).inputs(n=9).run()
    outcome.then.ended("SUCCESS").ran("a").reported("CheckFailed")


@pytest.mark.parametrize(
    ("order", "refusal"),
    [
        (("CREATE_EXECUTION", "FAIL_EXECUTION", "BLOCK_EXECUTION"), "CheckFailed"),
        (("FAIL_EXECUTION", "CREATE_EXECUTION"), None),
    ],
)
def test_of_several_the_strictest_acts(
    given: Flow, order: tuple[str, ...], refusal: str | None
) -> None:
    outcome = given(checks(*(check(SMALL, name, name) for name in order))).inputs(n=9).run()
    outcome.then.ended("FAILED").says("BLOCK" if refusal else "FAIL")
    assert outcome.status.refusal == refusal


def test_a_check_that_cannot_be_rendered_does_not_hold(given: Flow) -> None:
    flow = given(checks(check("{{ nothing }}", "FAIL_EXECUTION", "{{ nothing }}"))).inputs(n=1)
    flow.run().then.ended("FAILED").says("{{ nothing }}")


def test_an_execution_waits_for_its_date(given: Flow) -> None:
    flow = given(WORK).scheduled(60)
    flow.until(59).then.is_in("CREATED").ran()
    flow.run().then.ended("SUCCESS").took(61).history("CREATED", "RUNNING", "SUCCESS")


def test_killed_before_its_date_nothing_runs(given: Flow) -> None:
    given(WORK).scheduled(60).at(5).kill().run().then.ended("KILLED").ran().took(5)


def test_it_can_be_run_before_its_date(given: Flow) -> None:
    outcome = given(WORK).scheduled(60).at(5).control(forceRun=True).run()
    outcome.then.ended("SUCCESS").took(6).answered("done")


def test_a_date_that_has_passed_is_none(given: Flow) -> None:
    given(WORK).scheduled(-5).run().then.ended("SUCCESS").took(1)


def test_it_waits_for_its_turn(given: Flow) -> None:
    flow = given(WORK).among(holders=1)
    flow.until(60).then.is_in("QUEUED").ran()
    outcome = flow.at(60).free().run()
    outcome.then.ended("SUCCESS").history("CREATED", "QUEUED", "RUNNING", "SUCCESS").took(61)


@pytest.mark.parametrize(
    ("holders", "ahead", "limit", "state"),
    [(0, 0, 1, "SUCCESS"), (1, 0, 2, "SUCCESS"), (1, 1, 2, "QUEUED"), (0, 1, 1, "QUEUED")],
)
def test_its_turn_has_come_once_there_is_room(
    given: Flow, holders: int, ahead: int, limit: int, state: str
) -> None:
    given(WORK).among(holders, ahead, limit).until(5).then.is_in(state)


@pytest.mark.parametrize(("behavior", "end"), [("CANCEL", "CANCELLED"), ("FAIL", "FAILED")])
def test_it_may_be_ended_where_there_is_no_room(given: Flow, behavior: str, end: str) -> None:
    outcome = given(WORK).among(holders=1, behavior=behavior).run()
    outcome.then.ended(end).ran().says(f"Flow is {end} due to concurrency limit exceeded")


def test_once_queued_a_changed_behavior_does_not_end_it(given: Flow) -> None:
    world = given(WORK).among(holders=1).begin()
    world.turn = given(WORK).among(holders=1, behavior="FAIL").place
    world.until_still()
    assert world.status.state == "QUEUED"


@pytest.mark.parametrize("control", ["unqueue", "forceRun"])
def test_it_can_be_run_although_it_is_not_its_turn(given: Flow, control: str) -> None:
    outcome = given(WORK).among(holders=1).at(5).control(None, **{control: True}).run()
    outcome.then.ended("SUCCESS").took(6).answered("done")


def test_killed_while_it_is_queued_nothing_runs(given: Flow) -> None:
    outcome = given(WORK).among(holders=1).at(5).kill().run()
    outcome.then.ended("KILLED").ran().history("CREATED", "QUEUED", "KILLING", "KILLED")


def test_one_that_is_paused_keeps_its_place(given: Flow) -> None:
    """A paused execution holds its place: others that wait came later."""
    flow = given("tasks: [{id: p, type: Pause}]")
    world = flow.at(9).resume().begin()
    world.turn = given(WORK).among(holders=0, ahead=3).place
    assert world.run().status.state == "SUCCESS"


def test_a_restart_waits_for_its_turn(given: Flow) -> None:
    flow = given(WORK).when_tasks(fail={"a": 1}).when_it_is_over().control(restart={})
    world = flow.begin()
    world.until(0.5)
    world.turn = given(WORK).among(holders=1, behavior="FAIL").place
    world.until_still()
    assert world.status.state == "QUEUED"
    assert world.status.message is None
    world.turn = given(WORK).place
    assert world.run().status.state == "SUCCESS"


@pytest.mark.parametrize(
    ("first", "history"),
    [
        ("type: Pause", ["CREATED", "RUNNING", "PAUSED"]),
        ("type: Labels, labels: {a: b}", ["CREATED", "RUNNING", "SUCCESS"]),
        ("type: Assert, conditions: [false]", ["CREATED", "RUNNING", "FAILED"]),
        ("type: Work, disabled: true", ["CREATED", "SUCCESS"]),
    ],
)
def test_it_runs_before_it_waits_or_ends(given: Flow, first: str, history: list[str]) -> None:
    given(f"tasks: [{{id: a, {first}}}]").rest().then.history(*history)


REQUIRED = """
inputs:
  - {id: must, type: STRING}
  - {id: size, type: INT, defaults: 3}
  - {id: note, type: STRING, required: false}
  - {id: more, type: STRING, dependsOn: {inputs: [must], condition: "{{ inputs.must == 'x' }}"}}
tasks: [{id: a, type: Work, has: "{{ inputs.must is defined }}"}]
"""


@pytest.mark.parametrize(
    "type", ["io.kestra.plugin.core.trigger.Flow", "io.kestra.core.models.triggers.types.Flow"]
)
def test_a_flow_trigger_starts_it_without_its_required_inputs(given: Flow, type: str) -> None:
    outcome = given(REQUIRED).trigger(type).run()
    outcome.then.ended("SUCCESS").started_with("a", has="false")
    assert outcome.status.inputs == {"size": 3, "note": None}


def test_what_a_flow_trigger_gives_is_typed_all_the_same(given: Flow) -> None:
    flow = given(REQUIRED).trigger("io.kestra.plugin.core.trigger.Flow")
    flow.inputs(must="x", size="many").run().then.ended("FAILED").says("Invalid input for `size`")


@pytest.mark.parametrize(
    "type", ["io.kestra.plugin.core.trigger.Schedule", "io.kestra.plugin.core.flow.Flow"]
)
def test_whatever_else_starts_it_gives_its_required_inputs(given: Flow, type: str) -> None:
    outcome = given(REQUIRED).trigger(type).run()
    outcome.then.ended("FAILED").says("Invalid input for `must`, missing required input")


def test_a_retry_of_such_an_execution_lacks_them_as_well(given: Flow) -> None:
    retry = "retry: {type: constant, interval: PT1S, behavior: CREATE_NEW_EXECUTION}"
    flow = given(f"{REQUIRED}\n{retry}").trigger("io.kestra.plugin.core.trigger.Flow")
    again = flow.when_tasks(fail=["a"]).until(5).children[0].spec
    assert again.trigger is not None
    assert again.trigger.is_flow_trigger
    assert again.inputs == {"size": 3, "note": None}


def test_each_transition_of_a_very_long_history_is_seen_once() -> None:
    status, seen = ExecutionStatus(), 0
    for index in range(450):
        state = State.PAUSED if index % 2 else State.RUNNING
        after = move_execution(status, state, START + index * SECOND)
        seen += len(transitions_since(status, after))
        assert transitions_since(after, after) == []
        status = after
    assert (seen, len(status.history)) == (450, 200)
