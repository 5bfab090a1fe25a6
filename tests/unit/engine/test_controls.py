"""What people ask of an execution while it goes on, and after its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from penstock.resources.execution import Control, RestartRequest
from tests.fixtures.engine import Given

Flow = Callable[[str], Given]

THREE = "tasks: [{id: a, type: Work}, {id: b, type: Work}, {id: c, type: Work}]"
PAUSED = "tasks: [{id: p, type: Pause}, {id: b, type: Work}]"


def test_a_pause_lets_what_runs_end_and_starts_nothing(given: Flow) -> None:
    flow = given(THREE).at(1.5).control(pause=True)
    flow.rest().then.is_in("PAUSED").ran("a", "b").states(b="SUCCESS").answered("done")
    outcome = flow.at(60).resume().run()
    outcome.then.ended("SUCCESS").took(61)
    outcome.then.history("CREATED", "RUNNING", "PAUSED", "RUNNING", "SUCCESS")


def test_a_paused_execution_tries_nothing_again(given: Flow) -> None:
    text = "tasks: [{id: a, type: Work, retry: {type: constant, interval: PT10S}}]"
    flow = given(text).when_tasks(fail={"a": 1}).at(5).control(pause=True)
    flow.rest().then.is_in("PAUSED").attempts("a", "FAILED")
    flow.at(60).resume().run().then.ended("SUCCESS").took(61)


def test_an_execution_may_be_made_paused(given: Flow) -> None:
    world = given(THREE)
    world.at(0).control(pause=True).rest().then.is_in("PAUSED").ran("a")


def test_a_kill_ends_a_paused_execution(given: Flow) -> None:
    given(THREE).at(0.5).control(pause=True).at(9).kill().run().then.ended("KILLED").took(9)


def test_labels_are_added(given: Flow) -> None:
    flow = given(THREE).labels(team="x", a="1").at(1.5).control(labels={"a": "2", "b": "3"})
    flow.run().then.ended("SUCCESS").has_labels(team="x", a="2", b="3")


def test_labels_are_added_after_the_end(given: Flow) -> None:
    flow = given(THREE).when_it_is_over().control(labels={"seen": "yes"})
    flow.run().then.ended("SUCCESS").has_labels(seen="yes")


@pytest.mark.parametrize("state", ["SUCCESS", "WARNING", "CANCELLED", "KILLED"])
def test_the_state_of_one_that_has_ended_may_be_changed(given: Flow, state: str) -> None:
    flow = given(THREE).when_tasks(fail=["a"]).when_it_is_over()
    outcome = flow.control(changeStatus={"state": state}).run()
    outcome.then.ended(state).ran("a").says(f"set to {state} as its spec asks")


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"resume": {}}, "nothing of the execution is paused"),
        ({"resume": {"task": "b"}}, "the task b is not paused"),
        ({"restart": {}}, "the execution is RUNNING: it has not ended"),
        ({"unqueue": True}, "the execution is RUNNING, not QUEUED"),
        ({"changeStatus": {"state": "FAILED"}}, "the execution is RUNNING: it has not ended"),
        ({"labels": {"system.x": "y"}}, "the label `system.x` is the system's"),
        ({"markAs": {"task": "a", "state": "RUNNING"}}, "RUNNING is no end state"),
        ({"markAs": {"task": "b", "state": "FAILED"}}, "the task run is RUNNING: it has not ended"),
        (
            {"markAs": {"task": "c", "state": "FAILED"}},
            "0 task runs are meant: name one by `task` and `value`, or `taskRun`",
        ),
        ({"replay": {"task": "c"}}, "there is no task run of c"),
        ({}, "a control has exactly one of its fields beside `id`"),
        ({"pause": True, "forceRun": True}, "a control has exactly one of its fields beside `id`"),
        ({"pause": False}, "a control has exactly one of its fields beside `id`"),
    ],
)
def test_what_is_refused_while_it_runs(given: Flow, wanted: dict[str, Any], why: str) -> None:
    outcome = given(THREE).at(1.5).control(None, **wanted).run()
    outcome.then.ended("SUCCESS").answered(why).reported("ControlRefused").ran("a", "b", "c")


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"pause": True}, "the execution has ended SUCCESS"),
        ({"resume": {}}, "the execution has ended SUCCESS"),
        ({"forceRun": True}, "the execution has ended SUCCESS"),
        ({"restart": {}}, "No task found to restart execution from!"),
        ({"unqueue": True}, "the execution is SUCCESS, not QUEUED"),
        ({"changeStatus": {"state": "RUNNING"}}, "RUNNING is no end state"),
    ],
)
def test_what_is_refused_after_its_end(given: Flow, wanted: dict[str, Any], why: str) -> None:
    outcome = given(THREE).when_it_is_over().control(None, **wanted).run()
    outcome.then.ended("SUCCESS").answered(why).ran("a", "b", "c")


@pytest.mark.parametrize("wanted", [{"restart": {}}, {"markAs": {"task": "a", "state": "SUCCESS"}}])
def test_what_is_killed_has_to_be_let_live_first(given: Flow, wanted: dict[str, Any]) -> None:
    flow = given(THREE).at(1.5).kill().at(5).control(None, **wanted)
    flow.run().then.ended("KILLED").answered("`spec.kill` is true: set it to false first")
    flow = given(THREE).at(1.5).kill().at(5).no_kill().at(5).control(None, **wanted)
    flow.run().then.answered("done")


def test_each_is_done_once(given: Flow) -> None:
    """However often the same spec is applied, and although it still stands there."""
    flow = given(PAUSED).at(5).control("one", resume={}).at(6).control("one", resume={})
    flow.run().then.ended("SUCCESS").answered("done")


def test_several_at_once_are_done_in_their_order(given: Flow) -> None:
    flow = given(THREE).when_tasks(fail={"a": 1}).at(5).control(restart={})
    flow = flow.at(5).control(labels={"x": "y"}).at(5).control(pause=True).at(5).control(pause=True)
    outcome = flow.rest()
    outcome.then.is_in("PAUSED").answered("done", "done", "done", "done").has_labels(x="y")
    outcome.then.states(a="RESTARTED")
    assert outcome.world.wake is None


def test_a_restart_that_is_paused_at_once_goes_on_when_it_is_resumed(given: Flow) -> None:
    flow = given(THREE).when_tasks(fail={"a": 1}).at(5).control(restart={})
    flow = flow.at(5).control(pause=True).at(9).resume()
    flow.run().then.ended("SUCCESS").took(9 + 3).attempts("a", "FAILED", "SUCCESS")


def test_what_was_restarted_a_moment_ago_has_not_ended(given: Flow) -> None:
    flow = given(THREE).when_tasks(fail={"a": 1}).at(5).control(restart={})
    flow = flow.at(5).control(restart={}).at(5).control(changeStatus={"state": "SUCCESS"})
    why = "the execution is RESTARTED: it has not ended"
    flow.run().then.ended("SUCCESS").answered("done", why, why).ran_later("a", "a", "b", "c")


def test_a_breakpoint_in_one_value_of_a_loop_lets_no_other_overtake(given: Flow) -> None:
    text = """
    tasks:
      - id: l
        type: ForEach
        values: [x, y]
        tasks: [{id: a, type: Work}, {id: b, type: Work}]
    """
    given(text).breakpoints("b").rest().then.is_in("BREAKPOINT").ran("a[x]")


def test_the_second_of_two_resumes_is_refused(given: Flow) -> None:
    flow = given(PAUSED).at(5).resume().at(5).resume()
    flow.run().then.answered("done", "nothing of the execution is paused")


def test_two_that_have_the_same_id_are_one(given: Flow) -> None:
    world = given(THREE).begin()
    control = Control(id="x", pause=True)
    world.identity = (
        given(THREE)
        .begin()
        .identity.__class__(
            **{
                **vars(world.identity),
                "controls": (control, Control(id="x", restart=RestartRequest())),
            }
        )
    )
    world.until_still()
    assert [result.id for result in world.status.controls] == ["x"]


def test_results_are_kept_while_the_spec_names_the_control(given: Flow) -> None:
    flow = given(THREE)
    for number in range(60):
        flow = flow.at(0.5).control(f"c{number}", labels={"n": str(number)})
    outcome = flow.run()
    outcome.then.ended("SUCCESS").has_labels(n="59").answered(*["done"] * 60)


def test_force_run_resumes_a_paused_execution(given: Flow) -> None:
    given(PAUSED).at(5).control(forceRun=True).run().then.ended("SUCCESS").took(6)


def test_a_breakpoint_stops_before_its_task(given: Flow) -> None:
    flow = given(THREE).breakpoints("b")
    outcome = flow.rest()
    outcome.then.is_in("BREAKPOINT").ran("a").without("b")
    assert len(outcome.status.at_breakpoints) == 1
    done = flow.at(9).resume().run()
    done.then.ended("SUCCESS").ran("a", "b", "c").took(11)
    done.then.history("CREATED", "RUNNING", "BREAKPOINT", "RUNNING", "SUCCESS")
    assert done.status.at_breakpoints == []


def test_each_breakpoint_stops_it(given: Flow) -> None:
    flow = given(THREE).breakpoints("b", "c").at(9).resume()
    flow.rest().then.is_in("BREAKPOINT").ran("a", "b")
    flow.at(20).resume().run().then.ended("SUCCESS")


def test_a_breakpoint_in_a_loop_stops_each_value(given: Flow) -> None:
    text = """
    tasks: [{id: l, type: ForEach, values: [x, y], tasks: [{id: a, type: Work}]}]
    """
    flow = given(text).breakpoints("a").at(5).resume()
    flow.rest().then.is_in("BREAKPOINT").ran("a[x]")
    flow.at(9).resume().run().then.ended("SUCCESS").ran("a[x]", "a[y]")


def test_a_kill_ends_it_at_a_breakpoint(given: Flow) -> None:
    given(THREE).breakpoints("b").at(5).kill().run().then.ended("KILLED").ran("a")


def test_a_pause_and_a_breakpoint_are_left_one_after_the_other(given: Flow) -> None:
    text = """
    tasks:
      - id: both
        type: Parallel
        tasks: [{id: p, type: Pause}, {id: b, type: Work}]
    """
    flow = given(text).breakpoints("b").at(5).resume()
    flow.rest().then.is_in("BREAKPOINT").states(p="SUCCESS")
    flow.at(9).resume().run().then.ended("SUCCESS").took(10)


def test_what_a_control_was_told_to_have_made_is_made_although_a_limit_ends_it(
    given: Flow,
) -> None:
    flow = given("tasks: [{id: a, type: Work}, {id: b, type: Work}]").limits(task_runs=1)
    outcome = flow.at(1).control(replay={}).run()
    outcome.then.ended("FAILED").says("more than 1 task runs").answered("done")
    assert len(outcome.children) == 1
