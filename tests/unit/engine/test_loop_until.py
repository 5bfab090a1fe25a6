"""LoopUntil, and WaitFor as it was called."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fixtures.engine import Given

Flow = Callable[[str], Given]


def loop(condition: str, properties: str = "", kind: str = "LoopUntil", tasks: str = "") -> str:
    return f"""
tasks:
  - id: l
    type: {kind}
    condition: "{condition}"
    {properties}
    tasks: [{tasks or "{id: a, type: Work, count: '{{ taskrun.iteration }}'}"}]
  - {{id: after, type: Work}}
"""


THIRD = "{{ outputs.l.iterationCount == 3 }}"
NEVER = "{{ false }}"


def every(interval: str, more: str = "") -> str:
    return f"checkFrequency: {{interval: {interval}{more and ', ' + more}}}"


def test_its_tasks_run_until_the_condition_holds(given: Flow) -> None:
    outcome = given(loop(THIRD, every("PT10S"))).run()
    outcome.then.ended("SUCCESS").took(3 + 2 * 10 + 1).ran("a", "a", "a", "after")
    outcome.then.outputs("l", iterationCount=3)


def test_only_the_last_iteration_is_kept(given: Flow) -> None:
    """The task runs of each iteration have ids of their own, so that no result is taken for
    another's."""
    outcome = given(loop(THIRD, every("PT10S"))).run()
    started = [start for name, start in outcome.world.started if name == "a"]
    assert [start.properties["count"] for start in started] == ["1", "2", "3"]
    assert len({start.task_run.id for start in started}) == 3
    assert outcome.task_run("a").id == started[-1].task_run.id


@pytest.mark.parametrize(("kind", "seconds"), [("LoopUntil", 60), ("WaitFor", 1)])
def test_the_wait_that_is_not_given(given: Flow, kind: str, seconds: int) -> None:
    given(loop(THIRD, kind=kind)).run().then.took(3 + 2 * seconds + 1)


def test_while_it_waits_its_task_run_is_paused(given: Flow) -> None:
    given(loop(THIRD, every("PT10S"))).until(5).then.states(l="PAUSED")


def test_the_outputs_of_the_iteration_decide(given: Flow) -> None:
    flow = given(loop("{{ outputs.a.done }}", every("PT1S")))
    flow = flow.when_tasks(outputs={"a": {"done": False}})
    flow.at(10).script(outputs={"a": {"done": True}}).run().then.ended("SUCCESS").took(12)


@pytest.mark.parametrize(("fail", "end"), [("true", "FAILED"), ("false", "SUCCESS")])
def test_a_limit_of_iterations(given: Flow, fail: str, end: str) -> None:
    flow = loop(NEVER, every("PT1S", "maxIterations: 4") + f"\n    failOnMaxReached: {fail}")
    outcome = given(flow).run()
    assert [name for name, _ in outcome.world.started].count("a") == 4
    outcome.then.ended(end).outputs("l", iterationCount=4)


@pytest.mark.parametrize(("fail", "end"), [("true", "FAILED"), ("false", "SUCCESS")])
def test_a_limit_of_time(given: Flow, fail: str, end: str) -> None:
    """Iterations end at 1, 12 and 23 seconds."""
    flow = loop(NEVER, every("PT10S", "maxDuration: PT20S") + f"\n    failOnMaxReached: {fail}")
    outcome = given(flow).run()
    outcome.then.ended(end)
    assert [name for name, _ in outcome.world.started].count("a") == 3


def test_a_wait_for_has_a_hundred_iterations(given: Flow) -> None:
    outcome = given(loop(NEVER, kind="WaitFor")).run()
    assert [name for name, _ in outcome.world.started].count("a") == 100


def test_a_failed_child_fails_it(given: Flow) -> None:
    flow = loop(NEVER, every("PT1S") + "\n    errors: [{id: e, type: Work}]")
    outcome = given(flow).when_tasks(fail=["a"]).run()
    outcome.then.ended("FAILED").states(l="FAILED").ran("a", "e")


def test_a_condition_that_cannot_be_rendered_fails_it(given: Flow) -> None:
    outcome = given(loop("{{ outputs.nobody.x }}", "errors: [{id: e, type: Work}]")).run()
    outcome.then.ended("FAILED").ran("a", "e").says("task l: ")


def test_finally_runs_once_at_its_end(given: Flow) -> None:
    flow = loop(THIRD, every("PT1S") + "\n    finally: [{id: f, type: Work}]")
    given(flow).run().then.ended("SUCCESS").ran("a", "a", "a", "f", "after")


def test_a_condition_that_held_is_not_tried_again_while_finally_runs(given: Flow) -> None:
    flow = given("""
    tasks:
      - id: both
        type: Parallel
        tasks:
          - {id: other, type: Work}
          - id: l
            type: LoopUntil
            condition: "{{ outputs.other is not defined }}"
            tasks: [{id: a, type: Work}]
            finally: [{id: f, type: Work}]
    """)
    outcome = flow.when_tasks(seconds={"other": 3, "f": 9}, outputs={"other": {"x": 1}}).run()
    outcome.then.ended("SUCCESS").ran("other", "a", "f").took(10)


def test_each_value_of_a_loop_has_its_own(given: Flow) -> None:
    outcome = given("""
    tasks:
      - id: each
        type: ForEach
        values: [2, 3]
        concurrencyLimit: 0
        tasks:
          - id: l
            type: LoopUntil
            condition: "{{ outputs.l[taskrun.value].iterationCount >= (taskrun.value | number) }}"
            checkFrequency: {interval: PT10S}
            tasks: [{id: a, type: Work}]
    """).run()
    outcome.then.ended("SUCCESS").outputs("l[2]", iterationCount=2).took(3 + 20)
    outcome.then.outputs("l[3]", iterationCount=3)


def test_a_pause_in_it_pauses_each_iteration(given: Flow) -> None:
    flow = given(
        loop("{{ outputs.l.iterationCount == 2 }}", every("PT1S"), tasks="{id: p, type: Pause}")
    )
    flow = flow.at(5).resume()
    flow.rest().then.is_in("PAUSED").outputs("l", iterationCount=2)
    flow.at(20).resume().run().then.ended("SUCCESS").took(21)


def test_a_kill_ends_it_while_it_waits(given: Flow) -> None:
    outcome = given(loop(NEVER)).at(30).kill().run()
    outcome.then.ended("KILLED").states(l="KILLED").took(30)


def test_without_a_wait_the_next_iteration_still_lets_others_in_between(given: Flow) -> None:
    given(loop(THIRD, every("PT0S"))).run().then.ended("SUCCESS").took(4.2)
