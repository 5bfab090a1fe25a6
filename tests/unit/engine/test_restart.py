"""Restart, replay and marks: doing again what was done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from penstock.resources.execution import State
from tests.fixtures.engine import Given, Outcome

Flow = Callable[[str], Given]

THREE = "tasks: [{id: a, type: Work}, {id: b, type: Work}, {id: c, type: Work}]\n"
HANDLERS = "errors: [{id: e, type: Work}]\nfinally: [{id: f, type: Work}]\n"


def restarted(flow: Given) -> Outcome:
    return flow.when_it_is_over().control(restart={}).run()


def test_what_failed_is_done_again_and_what_succeeded_is_kept(given: Flow) -> None:
    outcome = restarted(given(THREE).when_tasks(fail={"b": 1}))
    outcome.then.ended("SUCCESS").ran_later("a", "b", "b", "c").has_labels(
        **{"system.restarted": "true"}
    )
    outcome.then.attempts("b", "FAILED", "SUCCESS").answered("done")
    outcome.then.history("CREATED", "RUNNING", "FAILED", "RESTARTED", "RUNNING", "SUCCESS")
    assert outcome.status.message is None


def test_handlers_run_anew(given: Flow) -> None:
    outcome = restarted(given(THREE + HANDLERS).when_tasks(fail=["b"]))
    outcome.then.ended("FAILED").ran_later("a", "b", "e", "f", "b", "e", "f")


def test_what_is_around_a_failure_is_opened_again(given: Flow) -> None:
    text = """
    tasks:
      - id: l
        type: ForEach
        values: [x, y]
        tasks: [{id: a, type: Work}, {id: b, type: Work}]
      - {id: c, type: Work}
    """
    outcome = restarted(given(text).when_tasks(fail={"a[y]": 1}))
    outcome.then.ended("SUCCESS").ran_later("a[x]", "b[x]", "a[y]", "a[y]", "b[y]", "c")


def test_several_failures_are_done_again_at_once(given: Flow) -> None:
    text = "tasks: [{id: p, type: Parallel, tasks: [{id: a, type: Work}, {id: b, type: Work}]}]"
    restarted(given(text).when_tasks(fail={"a": 1, "b": 1})).then.ended("SUCCESS").took(2)


def test_what_failed_by_its_own_rules_begins_anew(given: Flow) -> None:
    text = """
    tasks:
      - {id: first, type: Work}
      - {id: p, type: Pause, pauseDuration: PT5S, behavior: FAIL}
      - {id: last, type: Work}
    """
    outcome = given(text).at(20).control(restart={}).at(21).resume().run()
    outcome.then.ended("SUCCESS").ran_later("first", "last").took(22)


def test_a_failure_that_was_allowed_further_out_is_not_done_again(given: Flow) -> None:
    """Kestra resets every FAILED task run; here what came after it was
    decided by its failure, and stays."""
    text = """
    tasks:
      - {id: allowed, type: AllowFailure, tasks: [{id: a, type: Work}]}
      - {id: b, type: Work}
    """
    outcome = restarted(given(text).when_tasks(fail={"a": 1, "b": 1}))
    outcome.then.ended("WARNING").ran_later("a", "b", "b").states(allowed="WARNING")
    refused = restarted(given(text).when_tasks(fail={"a": 1}))
    refused.then.ended("WARNING").answered("No task found to restart execution from!")


def test_a_killed_execution_goes_on_where_it_was(given: Flow) -> None:
    text = f"tasks: [{{id: s, type: Sequential, {THREE.strip()}}}]"
    flow = given(text).when_tasks(seconds={"b": 9}).at(5).kill().at(20).no_kill()
    flow.at(20).control(restart={}).run().then.ended("SUCCESS").ran_later("a", "b", "b", "c")


def test_what_succeeded_before_a_kill_is_kept_although_nothing_ran(given: Flow) -> None:
    text = f"tasks: [{{id: s, type: Sequential, {THREE.strip()}}}]"
    flow = given(text).breakpoints("b").at(5).kill().at(20).no_kill().at(20).control(restart={})
    flow.at(30).resume().run().then.ended("SUCCESS").ran_later("a", "b", "c")


def test_a_pause_that_was_killed_is_waited_for_again(given: Flow) -> None:
    text = "tasks: [{id: p, type: Pause}, {id: b, type: Work}]"
    flow = given(text).at(5).kill().at(9).no_kill().at(9).control(restart={})
    flow.rest().then.is_in("PAUSED").ran()
    flow.at(20).resume().run().then.ended("SUCCESS").took(21)


def test_an_approval_that_was_denied_is_asked_for_again(given: Flow) -> None:
    text = "tasks: [{id: p, type: Approval}, {id: b, type: Work}]"
    flow = given(text).at(5).resume(approve=False).at(9).control(restart={})
    flow.rest().then.is_in("PAUSED")
    flow.at(20).resume(approve=True).run().then.ended("SUCCESS").ran("b")


def test_after_an_exit_what_was_cancelled_goes_on(given: Flow) -> None:
    text = """
    tasks:
      - id: s
        type: Sequential
        tasks: [{id: a, type: Work}, {id: x, type: Exit, state: CANCELLED}, {id: b, type: Work}]
    """
    restarted(given(text)).then.ended("SUCCESS").ran_later("a", "b")


LOOP = """
tasks:
  - id: l
    type: Loop
    values: [1, 2, 3]
    concurrencyLimit: 1
    breakWhen: "{{ item.value == '9' }}"
    outputs: [{id: n, type: INT, value: "{{ outputs.a.n }}"}]
    tasks: [{id: a, type: Work}]
"""
EACH = {f"a[{value}]": {"n": value} for value in (1, 2, 3)}


def left(outcome: Outcome) -> tuple[dict[str, int], list[object]]:
    outputs = outcome.task_run("l").outputs or {}
    return outputs["terminatedIterations"], [entry["outputs"] for entry in outputs["outputs"]]


def test_an_iteration_that_is_done_again_is_taken_anew(given: Flow) -> None:
    outcome = restarted(given(LOOP).when_tasks(fail={"a[2]": 1}, outputs=EACH))
    outcome.then.ended("SUCCESS").ran_later("a[1]", "a[2]", "a[2]", "a[3]")
    assert left(outcome) == ({"SUCCESS": 3}, [{"n": 1}, {"n": 2}, {"n": 3}])


def test_a_loop_until_goes_on_with_its_iteration(given: Flow) -> None:
    text = """
    tasks:
      - id: l
        type: LoopUntil
        condition: "{{ outputs.l.iterationCount == 3 }}"
        checkFrequency: {interval: PT1S}
        tasks: [{id: a, type: Work}, {id: b, type: Assert, conditions: ["{{ inputs.ok }}"]}]
    """
    text += "inputs: [{id: ok, type: BOOL, defaults: true}]"
    flow = given(text).at(2.5).script(fail={"a": 1}).when_it_is_over().control(restart={})
    flow.run().then.ended("SUCCESS").outputs("l", iterationCount=3)


def test_a_paused_execution_in_which_nothing_failed_is_not_restarted(given: Flow) -> None:
    outcome = given("tasks: [{id: p, type: Pause}]").at(5).control(restart={}).rest()
    outcome.then.is_in("PAUSED").answered("No task found to restart execution from!")


def test_each_restart_runs_what_comes_later_under_other_ids(given: Flow) -> None:
    """The work of an earlier handler is not taken for that of the next."""
    flow = given(THREE + HANDLERS).when_tasks(fail=["b"])
    outcome = flow.at(10).control(restart={}).at(20).control(restart={}).run()
    ids = {start.task_run.id for name, start in outcome.world.started if name == "e"}
    assert len(ids) == 3
    assert outcome.status.restarts == 2


# Marks


def test_a_failure_that_is_marked_as_a_success_lets_it_go_on(given: Flow) -> None:
    flow = given(THREE + HANDLERS).when_tasks(fail=["b"]).when_it_is_over()
    outcome = flow.control(markAs={"task": "b", "state": "SUCCESS"}).run()
    outcome.then.ended("SUCCESS").ran_later("a", "b", "e", "f", "c", "f")
    assert outcome.task_run("b").message == "marked as SUCCESS"


def test_a_success_that_is_marked_as_a_failure_runs_the_errors(given: Flow) -> None:
    flow = given(THREE + HANDLERS).when_it_is_over()
    outcome = flow.control(markAs={"task": "c", "state": "FAILED"}).run()
    outcome.then.ended("FAILED").ran_later("a", "b", "c", "f", "e", "f")


def test_one_value_of_a_loop_is_marked(given: Flow) -> None:
    text = "tasks: [{id: l, type: ForEach, values: [x, y], tasks: [{id: a, type: Work}]}]"
    flow = given(text).when_tasks(fail=["a[x]"]).when_it_is_over()
    flow.control(markAs={"task": "a", "value": "x", "state": "WARNING"}).run().then.ended(
        "WARNING"
    ).ran_later("a[x]", "a[y]")


def test_what_a_marked_iteration_left_is_taken_anew(given: Flow) -> None:
    flow = given(LOOP).when_tasks(fail=["a[2]"], outputs=EACH).when_it_is_over()
    outcome = flow.control(markAs={"task": "a", "value": "2", "state": "SUCCESS"}).run()
    outcome.then.ended("SUCCESS")
    assert left(outcome) == ({"SUCCESS": 3}, [{"n": 1}, {"n": 2}, {"n": 3}])


def test_a_mark_in_an_execution_that_runs_leaves_the_rest_alone(given: Flow) -> None:
    text = """
    tasks:
      - id: p
        type: Parallel
        tasks: [{id: a, type: Work}, {id: slow, type: Work}, {id: q, type: Pause}]
      - {id: b, type: Work}
    """
    flow = given(text).when_tasks(fail=["a"], seconds={"slow": 20})
    flow = flow.at(5).control(markAs={"task": "a", "state": "SUCCESS"})
    flow.rest().then.is_in("PAUSED").states(q="PAUSED", slow="SUCCESS")
    flow.at(30).resume().run().then.ended("SUCCESS").ran_later("a", "slow", "b")


def test_a_handler_is_not_one_to_mark(given: Flow) -> None:
    flow = given(THREE + HANDLERS).when_tasks(fail=["b"]).when_it_is_over()
    outcome = flow.control(markAs={"task": "e", "state": "SUCCESS"}).run()
    outcome.then.answered("errors, finally and afterExecution run anew: there is nothing to mark")
    outcome.then.ended("FAILED").states(e="SUCCESS")


# Replays


def replayed(flow: Given, **wanted: object) -> Outcome:
    """The execution that a replay made."""
    outcome = flow.when_it_is_over().control(replay=wanted).run()
    outcome.then.made("flow")
    outcome.world.until_still()
    world = outcome.child()
    return Outcome(world)  # type: ignore[arg-type]


def test_a_replay_is_another_execution(given: Flow) -> None:
    flow = given(THREE).labels(team="x").when_it_is_over().control(replay={})
    outcome = flow.run()
    outcome.then.ended("SUCCESS").ran("a", "b", "c")
    assert outcome.status.controls[0].message == f"made the execution {outcome.children[0].name}"


def test_a_replay_from_the_start_does_all_again(given: Flow) -> None:
    text = THREE.replace("{id: b", "{id: v, type: SetVariables, variables: {x: 1}}, {id: b")
    text += "inputs: [{id: n, type: INT}, {id: m, type: INT}]\n"
    outcome = replayed(given(text).inputs(n=1, m=2).labels(team="x"), inputs={"n": 5})
    outcome.then.ended("SUCCESS").ran("a", "b", "c").has_labels(
        **{"team": "x", "system.replay": "true"}
    )
    assert outcome.status.inputs == {"n": 5, "m": 2}


def test_a_replay_from_the_start_has_the_variables_of_the_flow(given: Flow) -> None:
    text = """
    variables: {x: old}
    tasks: [{id: look, type: Work, see: "{{ vars.x }}"}, {id: s, type: SetVariables,
        variables: {x: new}}]
    """
    replayed(given(text)).then.started_with("look", see="old")


def test_a_replay_from_a_task_keeps_what_came_before(given: Flow) -> None:
    text = THREE.replace("{id: c, type: Work}", "{id: c, type: Work, see: '{{ outputs.a.n }}'}")
    outcome = replayed(given(text).when_tasks(outputs={"a": {"n": 3}}), task="b")
    outcome.then.ended("SUCCESS").ran("b", "c").started_with("c", see="3").states(a="SUCCESS")


def test_a_replay_with_another_revision(given: Flow) -> None:
    outcome = given(THREE).when_it_is_over().control(replay={"revision": 7}).run()
    assert outcome.children[0].spec.flow.revision == 7


def test_a_replay_from_one_value_of_a_loop(given: Flow) -> None:
    text = """
    tasks:
      - id: l
        type: ForEach
        values: [x, y, z]
        tasks: [{id: a, type: Work}, {id: b, type: Work}]
    """
    outcome = replayed(given(text), task="b", value="y")
    outcome.then.ended("SUCCESS").ran("b[y]", "a[z]", "b[z]")


def test_a_replay_inside_a_loop_takes_its_iterations_anew(given: Flow) -> None:
    outcome = replayed(given(LOOP).when_tasks(outputs=EACH), task="a", value="2")
    outcome.then.ended("SUCCESS").ran("a[2]", "a[3]")
    assert left(outcome) == ({"SUCCESS": 3}, [{"n": 1}, {"n": 2}, {"n": 3}])


def test_a_replay_from_inside_a_working_directory_does_all_of_it(given: Flow) -> None:
    text = f"tasks: [{{id: w, type: WorkingDirectory, {THREE.strip()}}}, {{id: z, type: Work}}]"
    replayed(given(text), task="b").then.ended("SUCCESS").ran("a", "b", "c", "z")


def test_a_replay_of_a_failure(given: Flow) -> None:
    flow = given(THREE + HANDLERS).when_tasks(fail=["b"])
    replayed(flow, task="b").then.ended("FAILED").ran("b", "e", "f")


def test_a_replay_runs_what_failed_beside_it_again(given: Flow) -> None:
    text = """
    tasks:
      - id: p
        type: Parallel
        tasks: [{id: a, type: Work}, {id: b, type: Work}, {id: c, type: Work}]
    """
    flow = given(text).when_tasks(fail=["a"], seconds={"a": 2})
    replayed(flow, task="c").then.ran("a", "c").states(a="FAILED", b="SUCCESS", c="SUCCESS")


def test_a_replay_while_it_is_queued_is_made(given: Flow) -> None:
    outcome = given(THREE).among(holders=1).at(5).control(replay={}).rest()
    outcome.then.is_in("QUEUED").made("flow")


@pytest.mark.parametrize("state", [State.KILLED, State.WARNING])
def test_any_end_can_be_replayed(given: Flow, state: State) -> None:
    flow = given(THREE).when_tasks(states={"b": state})
    replayed(flow, task="c").then.ran("c")


def test_a_task_that_was_not_begun_is_asked_again_whether_it_runs(given: Flow) -> None:
    flow = given("""
        tasks:
          - {id: a, type: Work}
          - {id: b, type: Work, runIf: "{{ outputs.a.nothing.at.all }}"}
    """)
    outcome = restarted(flow)
    outcome.then.ended("FAILED").answered("done").ran_later("a").attempts("b")


def test_a_flow_whose_only_task_run_is_gone_begins_anew(given: Flow) -> None:
    flow = given("tasks: [{id: b, type: Work, runIf: '{{ nothing.at.all }}'}]")
    outcome = restarted(flow).then.ended("FAILED").without("nobody")
    outcome.history("CREATED", "RUNNING", "FAILED", "RESTARTED", "RUNNING", "FAILED")
