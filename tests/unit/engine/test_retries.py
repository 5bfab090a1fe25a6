"""Retries: the same execution, one more attempt."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from penstock.resources.execution import State
from tests.fixtures.engine import Given, Outcome

Flow = Callable[[str], Given]


def task(retry: str, more: str = "") -> str:
    return f"tasks: [{{id: a, type: Work, retry: {{{retry}}}}}]\n{more}"


def waits(outcome: Outcome, name: str = "a") -> list[float]:
    """Seconds from the end of each attempt to the start of the next."""
    attempts = outcome.task_run(name).attempts
    return [
        (after.created_date - before.end_date).total_seconds()
        for before, after in itertools.pairwise(attempts)
        if before.end_date is not None
    ]


def test_a_failed_task_is_tried_again_until_it_succeeds(given: Flow) -> None:
    outcome = given(task("type: constant, interval: PT10S")).when_tasks(fail={"a": 2}).run()
    outcome.then.ended("SUCCESS").attempts("a", "FAILED", "FAILED", "SUCCESS")
    assert waits(outcome) == [10, 10]


def test_an_execution_that_only_waits_for_a_retry_is_retrying(given: Flow) -> None:
    outcome = given(task("type: constant, interval: PT10S")).when_tasks(fail={"a": 1}).run()
    outcome.then.history("CREATED", "RUNNING", "RETRYING", "RUNNING", "SUCCESS")


def test_it_is_running_while_another_task_runs(given: Flow) -> None:
    outcome = (
        given("""
        tasks:
          - id: p
            type: Parallel
            tasks:
              - {id: a, type: Work, retry: {type: constant, interval: PT10S}}
              - {id: slow, type: Work}
        """)
        .when_tasks(fail={"a": 1}, seconds={"slow": 60})
        .run()
    )
    outcome.then.history("CREATED", "RUNNING", "SUCCESS")


@pytest.mark.parametrize("name", ["maxAttempts", "maxAttempt"])
def test_the_number_of_attempts_counts_the_first(given: Flow, name: str) -> None:
    flow = task(f"type: constant, interval: PT1S, {name}: 3")
    outcome = given(flow).when_tasks(fail=["a"]).run()
    outcome.then.ended("FAILED").attempts("a", *["FAILED"] * 3).says("a is broken")


def test_no_attempt_begins_after_the_longest_duration(given: Flow) -> None:
    """Attempts begin at 0, 11 and 22 seconds; the fourth would at 33."""
    flow = task("type: constant, interval: PT10S, maxDuration: PT30S")
    given(flow).when_tasks(fail=["a"]).run().then.attempts("a", *["FAILED"] * 3).took(23)


def test_exponential_waits_grow_up_to_the_longest(given: Flow) -> None:
    flow = task("type: exponential, interval: PT1S, maxInterval: PT5S, maxAttempts: 5")
    assert waits(given(flow).when_tasks(fail=["a"]).run()) == [1, 2, 4, 5]


def test_the_factor_of_exponential_waits_may_be_a_fraction(given: Flow) -> None:
    flow = task(
        "type: exponential, interval: PT1S, maxInterval: PT1H, delayFactor: 1.5, maxAttempts: 4"
    )
    assert waits(given(flow).when_tasks(fail=["a"]).run()) == [1, 1.5, 2.25]


def test_random_waits_lie_between_the_bounds_and_are_the_same_in_a_replay(given: Flow) -> None:
    flow = task("type: random, minInterval: PT5S, maxInterval: PT9S, maxAttempts: 6")
    first, second = (waits(given(flow).when_tasks(fail=["a"]).run()) for _ in range(2))
    assert first == second
    assert all(5 <= seconds < 9 for seconds in first)
    assert len(set(first)) == 5


def test_a_success_after_a_retry_may_be_a_warning(given: Flow) -> None:
    flow = given(task("type: constant, interval: PT1S, warningOnRetry: true"))
    flow.when_tasks(fail={"a": 1}).run().then.ended("WARNING")
    flow.run().then.ended("SUCCESS")


def test_a_retry_is_inherited_from_the_nearest_that_has_one(given: Flow) -> None:
    outcome = (
        given("""
        retry: {type: constant, interval: PT1S, maxAttempts: 2}
        tasks:
          - id: p
            type: Parallel
            tasks:
              - {id: own, type: Work, retry: {type: constant, interval: PT1S, maxAttempts: 4}}
              - {id: of_flow, type: Work}
              - id: s
                type: Sequential
                retry: {type: constant, interval: PT1S, maxAttempts: 3}
                tasks:
                  - id: inner
                    type: Sequential
                    tasks: [{id: of_parent, type: Work}]
        """)
        .when_tasks(fail=["own", "of_flow", "of_parent"])
        .run()
    )
    outcome.then.attempts("own", *["FAILED"] * 4)
    outcome.then.attempts("of_flow", *["FAILED"] * 2)
    outcome.then.attempts("of_parent", *["FAILED"] * 3)


RETRY = "retry: {type: constant, interval: PT1S, maxAttempts: 3, behavior: BEHAVIOR}"
MAY_FAIL = "{id: a, type: Work, allowFailure: true}"


@pytest.mark.parametrize("behavior", ["RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION"])
@pytest.mark.parametrize(
    "flow",
    [
        f"{RETRY}\ntasks: [{MAY_FAIL}]",
        f"{RETRY}\ntasks: [{{id: s, type: Sequential, tasks: [{MAY_FAIL}]}}]",
        f"tasks: [{{id: s, type: Sequential, {RETRY}, tasks: [{MAY_FAIL}]}}]",
        f"tasks: [{{id: s, type: Parallel, {RETRY}, tasks: [{MAY_FAIL}]}}]",
        f"tasks: [{{id: s, type: If, condition: true, {RETRY}, then: [{MAY_FAIL}]}}]",
        f"tasks: [{{id: s, type: Switch, value: x, {RETRY}, cases: {{x: [{MAY_FAIL}]}}}}]",
        f"tasks: [{{id: s, type: Dag, {RETRY}, tasks: [{{task: {MAY_FAIL}}}]}}]",
        f"tasks: [{{id: s, type: AllowFailure, {RETRY}, tasks: [{MAY_FAIL}]}}]",
        f"tasks: [{{id: s, type: Sequential, {RETRY}, tasks: "
        f"[{{id: inner, type: Sequential, tasks: [{MAY_FAIL}]}}]}}]",
    ],
)
def test_a_retry_from_around_leaves_alone_what_may_fail(
    given: Flow, flow: str, behavior: str
) -> None:
    outcome = given(flow.replace("BEHAVIOR", behavior)).when_tasks(fail=["a"]).run()
    outcome.then.ended("WARNING").attempts("a", "FAILED").states(a="WARNING").made()


def test_each_iteration_of_a_loop_that_may_fail_is_left_alone(given: Flow) -> None:
    retry = RETRY.replace("BEHAVIOR", "RETRY_FAILED_TASK")
    flow = f"tasks: [{{id: f, type: ForEach, values: [x, y], {retry}, tasks: [{MAY_FAIL}]}}]"
    outcome = given(flow).when_tasks(fail=["a[x]"]).run()
    outcome.then.ended("WARNING").attempts("a[x]", "FAILED").attempts("a[y]", "SUCCESS")


@pytest.mark.parametrize(
    ("flags", "state", "attempts"),
    [
        ("allowFailure: '{{ inputs.yes }}'", "WARNING", 1),
        ("allowFailure: true, allowWarning: true", "SUCCESS", 1),
        ("allowFailure: '{{ not inputs.yes }}'", "FAILED", 3),
        ("allowWarning: true", "FAILED", 3),
    ],
)
def test_what_may_not_fail_is_retried_by_what_is_around(
    given: Flow, flags: str, state: str, attempts: int
) -> None:
    flow = f"""
    inputs: [{{id: yes, type: BOOL, defaults: true}}]
    {RETRY.replace("BEHAVIOR", "RETRY_FAILED_TASK")}
    tasks: [{{id: a, type: Work, {flags}}}]
    """
    outcome = given(flow).when_tasks(fail=["a"]).run()
    outcome.then.ended(state).attempts("a", *["FAILED"] * attempts)


def test_a_subflow_that_may_fail_is_left_alone(given: Flow) -> None:
    flow = f"""
    {RETRY.replace("BEHAVIOR", "RETRY_FAILED_TASK")}
    tasks: [{{id: s, type: Subflow, namespace: x, flowId: child, allowFailure: true}}]
    """
    outcome = given(flow).when_children(fail=["child"]).run()
    outcome.then.ended("WARNING").made("child")


def test_what_may_fail_and_has_a_retry_of_its_own_is_retried(given: Flow) -> None:
    retry = RETRY.replace("BEHAVIOR", "CREATE_NEW_EXECUTION")
    own = "allowFailure: true, retry: {type: constant, interval: PT1S, maxAttempts: 2}"
    outcome = given(f"{retry}\ntasks: [{{id: a, type: Work, {own}}}]").when_tasks(fail=["a"]).run()
    outcome.then.ended("WARNING").attempts("a", "FAILED", "FAILED").made()


def test_errors_wait_for_the_last_attempt(given: Flow) -> None:
    flow = task("type: constant, interval: PT1S, maxAttempts: 2", "errors: [{id: e, type: Work}]")
    outcome = given(flow).when_tasks(fail=["a"]).run()
    outcome.then.ran("a", "e").took(4)


def test_a_retry_without_a_wait_does_not_run_away(given: Flow) -> None:
    flow = """
    tasks:
      - {id: a, type: Work, with: "{{ nothing }}", retry: {type: constant, interval: PT0S}}
    """
    outcome = given(flow).limits(attempts=20).run()
    outcome.then.ended("FAILED").attempts("a", *["FAILED"] * 20).ran()


def test_waits_beyond_all_calendars_are_no_retry(given: Flow) -> None:
    flow = task("type: constant, interval: P999999999D")
    given(flow).when_tasks(fail=["a"]).run().then.ended("FAILED").attempts("a", "FAILED")


def test_an_attempt_sees_what_ended_in_the_same_moment(given: Flow) -> None:
    outcome = (
        given("""
        tasks:
          - id: p
            type: Parallel
            tasks:
              - id: a
                type: Work
                with: "{{ outputs.b.n ?? 'not yet' }}"
                retry: {type: constant, interval: PT0S}
              - {id: b, type: Work}
        """)
        .when_tasks(fail={"a": 1}, outputs={"b": {"n": 5}})
        .run()
    )
    outcome.then.started_with("a", **{"with": "5"})


def test_outputs_of_a_failed_attempt_are_there_in_the_next(given: Flow) -> None:
    flow = """
    tasks:
      - id: a
        type: Work
        count: "{{ taskrun.attemptsCount }}"
        retry: {type: constant, interval: PT1S}
    """
    outcome = given(flow).when_tasks(fail={"a": 2}).run()
    assert [start.properties["count"] for _, start in outcome.world.started] == ["0", "1", "2"]


def test_a_lost_attempt_is_run_again_at_once_and_is_no_retry(given: Flow) -> None:
    flow = task("type: constant, interval: PT10S, maxAttempts: 2, warningOnRetry: true")
    outcome = given(flow).when_tasks(lost={"a": 2}).run()
    outcome.then.ended("SUCCESS").attempts("a", "RESUBMITTED", "RESUBMITTED", "SUCCESS").took(3)
    outcome.then.reported("TaskLost", "TaskLost")


def test_lost_attempts_leave_the_retries_untouched(given: Flow) -> None:
    flow = task("type: constant, interval: PT10S, maxAttempts: 2")
    outcome = given(flow).when_tasks(lost={"a": 1}, fail={"a": 1}).run()
    outcome.then.ended("SUCCESS").attempts("a", "RESUBMITTED", "FAILED", "SUCCESS")


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_task_that_is_lost_too_often_fails(given: Flow, limit: int) -> None:
    flow = "tasks: [{id: a, type: Work}]"
    outcome = given(flow).limits(lost_attempts=limit).when_tasks(lost={"a": 99}).run()
    outcome.then.ended("FAILED").attempts("a", *["RESUBMITTED"] * (limit + 1)).says("NodeLost")
    outcome.then.says(
        f"lost with its infrastructure {'once' if limit == 0 else f'{limit + 1} times'}"
    )


def test_a_killed_attempt_is_not_tried_again(given: Flow) -> None:
    flow = task("type: constant, interval: PT1S")
    outcome = given(flow).when_tasks(states={"a": State.KILLED}).run()
    outcome.then.ended("KILLED").attempts("a", "KILLED")


def test_a_failure_is_told_once_although_it_is_seen_again(given: Flow) -> None:
    """The ended Job is still there while the retry waits and a sibling moves."""
    outcome = (
        given("""
        tasks:
          - id: p
            type: Parallel
            tasks:
              - {id: a, type: Work, retry: {type: constant, interval: PT10S}}
              - {id: slow, type: Work}
        """)
        .when_tasks(fail={"a": 1}, seconds={"slow": 5})
        .run()
    )
    outcome.then.ended("SUCCESS").reported("TaskRetrying")


def test_a_job_that_runs_is_not_asked_for_again_when_it_is_out_of_sight(given: Flow) -> None:
    world = given("tasks: [{id: a, type: Work}]").begin()
    running = world.engine.advance(world.identity, world.status, world.observations(), world.now)
    assert running.status.task_runs[0].state is State.RUNNING
    assert running.actions == ()
    blind = world.engine.advance(world.identity, running.status, {}, world.now)
    assert blind.actions == ()
    assert blind.status == running.status
