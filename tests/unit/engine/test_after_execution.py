"""afterExecution: what runs when the end is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fixtures.engine import Given

Flow = Callable[[str], Given]


def flow(after: str, tasks: str = "{id: a, type: Work}", more: str = "") -> str:
    return f"""
tasks: [{tasks}]
afterExecution: [{after}]
{more}
"""


TELL = "{id: tell, type: Work, see: '{{ execution.state }}'}"


def test_it_sees_the_end(given: Flow) -> None:
    outcome = given(flow(TELL)).run()
    outcome.then.ended("SUCCESS").ran("a", "tell").started_with("tell", see="SUCCESS").took(2)
    assert outcome.status.after_execution == "SUCCESS"


def test_it_runs_after_errors_and_finally(given: Flow) -> None:
    more = "errors: [{id: e, type: Work}]\nfinally: [{id: f, type: Work}]"
    outcome = given(flow(TELL, more=more)).when_tasks(fail=["a"]).run()
    outcome.then.ended("FAILED").ran("a", "e", "f", "tell").started_with("tell", see="FAILED")


def test_it_runs_after_a_kill(given: Flow) -> None:
    outcome = given(flow(TELL)).when_tasks(seconds={"a": 60}).at(9).kill().run()
    outcome.then.ended("KILLED").started_with("tell", see="KILLED")
    outcome.then.history("CREATED", "RUNNING", "KILLING", "KILLED")


@pytest.mark.parametrize("state", ["CANCELLED", "WARNING", "KILLED", "FAILED"])
def test_it_runs_after_an_exit(given: Flow, state: str) -> None:
    outcome = given(flow(TELL, f"{{id: a, type: Exit, state: {state}}}")).run()
    outcome.then.ended(state).started_with("tell", see=state)


def test_it_runs_after_a_pause_that_was_killed(given: Flow) -> None:
    flow_ = given(flow(TELL, "{id: a, type: Work}, {id: b, type: Work}"))
    outcome = flow_.at(0.5).control(pause=True).at(9).kill().run()
    outcome.then.ended("KILLED").ran("a", "tell").took(10)


def test_its_failure_changes_nothing(given: Flow) -> None:
    outcome = given(flow(f"{TELL}, {{id: never, type: Work}}")).when_tasks(fail=["tell"]).run()
    outcome.then.ended("SUCCESS").ran("a", "tell").reported("Success")
    assert outcome.status.after_execution == "FAILED"
    assert outcome.status.message is None


def test_its_retry_does_not_try_the_execution_again(given: Flow) -> None:
    more = "retry: {type: constant, interval: PT1S, behavior: CREATE_NEW_EXECUTION}"
    outcome = given(flow(TELL, more=more)).when_tasks(fail=["tell"]).run()
    outcome.then.ended("SUCCESS").states(tell="FAILED").made()


def test_its_tasks_are_tried_again(given: Flow) -> None:
    more = "retry: {type: constant, interval: PT9S}"
    outcome = given(flow(TELL, more=more)).when_tasks(fail={"tell": 1}).run()
    outcome.then.ended("SUCCESS").attempts("tell", "FAILED", "SUCCESS").took(12)


def test_the_outputs_of_the_flow_are_seen(given: Flow) -> None:
    after = "{id: tell, type: Work, see: '{{ execution.outputs.n }}'}"
    more = "outputs: [{id: n, type: INT, value: '{{ outputs.a.n }}'}]"
    outcome = given(flow(after, more=more)).when_tasks(outputs={"a": {"n": 4}}).run()
    outcome.then.started_with("tell", see="4")


def test_errors_inside_it_run(given: Flow) -> None:
    after = """{id: s, type: Sequential, tasks: [{id: x, type: Work}],
        errors: [{id: e, type: Work}]}"""
    given(flow(after)).when_tasks(fail=["x"]).run().then.ended("SUCCESS").ran("a", "x", "e")


def test_a_subflow_in_it(given: Flow) -> None:
    after = "{id: s, type: Subflow, namespace: t, flowId: child}, {id: b, type: Work}"
    outcome = given(flow(after)).when_children(seconds={"child": 30}).run()
    outcome.then.ended("SUCCESS").made("child").ran("a", "b").took(32)


def test_variables_that_it_sets_are_kept(given: Flow) -> None:
    after = """{id: set, type: SetVariables, variables: {x: 1}}, {id: wait, type: Work},
        {id: look, type: Work, see: '{{ vars.x }}'}"""
    given(flow(after)).run().then.started_with("look", see="1")


def test_an_exit_in_it_changes_nothing(given: Flow) -> None:
    after = "{id: exit, type: Exit, state: FAILED}, {id: b, type: Work}"
    given(flow(after)).run().then.ended("SUCCESS").ran("a", "b")


def test_a_pause_in_it_can_be_resumed(given: Flow) -> None:
    after = "{id: p, type: Pause}, {id: b, type: Work}"
    flow_ = given(flow(after)).at(5).resume()
    flow_.run().then.ended("SUCCESS").ran("a", "b").answered("done").took(6)


def test_a_pause_in_it_ends_by_itself(given: Flow) -> None:
    after = "{id: p, type: Pause, pauseDuration: PT9S, behavior: CANCEL}"
    given(flow(after)).run().then.ended("SUCCESS").took(10)


def test_a_breakpoint_does_not_hold_it(given: Flow) -> None:
    given(flow(TELL)).breakpoints("tell").run().then.ended("SUCCESS").ran("a", "tell")


def test_a_kill_meanwhile_is_too_late(given: Flow) -> None:
    """An execution that has ended can't be killed."""
    outcome = given(flow(TELL)).when_tasks(seconds={"tell": 60}).at(9).kill().run()
    outcome.then.ended("SUCCESS").states(tell="SUCCESS").took(61)


def test_a_restart_meanwhile_stops_it(given: Flow) -> None:
    flow_ = given(flow(TELL)).when_tasks(fail={"a": 1}, seconds={"tell": 60})
    outcome = flow_.at(9).control(restart={}).run()
    outcome.then.ended("SUCCESS").ran_later("a", "tell", "a", "tell")
    assert len(outcome.world.stopped) == 1


def test_more_tasks_than_there_may_be(given: Flow) -> None:
    after = "{id: b, type: Work}, {id: c, type: Work}"
    outcome = given(flow(after)).limits(task_runs=2).run()
    outcome.then.ended("SUCCESS").ran("a", "b").reported("LimitExceeded")
    assert outcome.status.after_execution == "FAILED"
