"""Pause: wait for a person, or for some time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from penstock.resources.execution import State
from tests.fixtures.engine import Given

Flow = Callable[[str], Given]


def pause(properties: str = "", more: str = "") -> str:
    return f"""
tasks:
  - {{id: before, type: Work}}
  - {{id: p, type: Pause{properties and ", " + properties}}}
  - {{id: after, type: Work}}
{more}
"""


ASKS = pause(
    "onResume: [{id: reason, type: STRING}, {id: count, type: INT, defaults: 3}, "
    "{id: note, type: STRING, required: false}]"
)


def test_it_waits_for_ever(given: Flow) -> None:
    outcome = given(pause()).rest()
    outcome.then.is_in("PAUSED").states(p="PAUSED").ran("before").without("after")
    assert outcome.world.wake is None


def test_a_resume_lets_it_go_on(given: Flow) -> None:
    outcome = given(pause()).at(60).resume(by="ann").run()
    outcome.then.ended("SUCCESS").ran("before", "after").took(61).answered("done")
    outcome.then.history("CREATED", "RUNNING", "PAUSED", "RUNNING", "SUCCESS")
    resumed = (outcome.task_run("p").outputs or {})["resumed"]
    assert resumed == {"by": "ann", "on": "2025-03-01T12:01:00.000Z", "to": "RUNNING"}


def test_what_is_asked_for_is_typed_and_has_defaults(given: Flow) -> None:
    flow = ASKS.replace("{id: after, type: Work}", AFTER_SEES)
    outcome = given(flow).at(9).resume(inputs={"reason": "fine", "unknown": 1}).run()
    assert (outcome.task_run("p").outputs or {})["onResume"] == {
        "reason": "fine",
        "count": 3,
        "note": None,
    }
    outcome.then.started_with("after", text="fine 3")


def test_an_empty_text_for_what_is_asked_leaves_the_default(given: Flow) -> None:
    outcome = given(ASKS).at(9).resume(inputs={"reason": "", "count": "", "note": ""}).run()
    answers = (outcome.task_run("p").outputs or {})["onResume"]
    assert answers == {"reason": "", "count": 3, "note": ""}


def test_an_empty_text_does_not_resume_what_asks_for_a_number(given: Flow) -> None:
    flow = given(pause("onResume: [{id: count, type: INT}]")).at(9).resume(inputs={"count": ""})
    outcome = flow.rest()
    outcome.then.is_in("PAUSED")
    outcome.then.answered("Invalid input for `count`, missing required input, but received `null`")


AFTER_SEES = (
    "{id: after, type: Work, "
    'text: "{{ outputs.p.onResume.reason }} {{ outputs.p.onResume.count }}"}'
)


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({}, "Invalid input for `reason`, missing required input, but received `null`"),
        ({"reason": "x", "count": "many"}, "Invalid input for `count`"),
    ],
)
def test_a_resume_that_lacks_what_is_asked_for_is_refused(
    given: Flow, inputs: dict[str, str], why: str
) -> None:
    outcome = given(ASKS).at(9).resume(inputs=inputs).rest()
    outcome.then.is_in("PAUSED").reported("ControlRefused")
    (result,) = outcome.status.controls
    assert not result.done
    assert why in (result.message or "")


def test_after_a_refusal_a_better_resume_is_taken(given: Flow) -> None:
    flow = given(ASKS).at(9).resume().at(10).resume(inputs={"reason": "r"})
    flow.run().then.ended("SUCCESS").took(11)


@pytest.mark.parametrize(
    ("behavior", "end", "pause_ends", "goes_on"),
    [
        ("RESUME", "SUCCESS", "SUCCESS", True),
        ("WARN", "WARNING", "WARNING", True),
        ("FAIL", "FAILED", "FAILED", False),
        ("CANCEL", "CANCELLED", "CANCELLED", False),
    ],
)
def test_what_follows_when_its_time_is_up(
    given: Flow, behavior: str, end: str, pause_ends: str, goes_on: bool
) -> None:
    flow = pause(f"pauseDuration: PT10M, behavior: {behavior}", "errors: [{id: e, type: Work}]")
    outcome = given(flow).run()
    outcome.then.ended(end).states(p=pause_ends)
    ran = ["before", *(["after"] if goes_on else []), *(["e"] if end == "FAILED" else [])]
    outcome.then.ran(*ran).took(600 + len(ran))


@pytest.mark.parametrize("behavior", ["RESUME", "WARN", "FAIL", "CANCEL"])
def test_resumed_before_its_time_is_up_it_succeeds_whatever_the_behavior(
    given: Flow, behavior: str
) -> None:
    flow = given(pause(f"pauseDuration: PT10M, behavior: {behavior}"))
    flow.at(9).resume().run().then.ended("SUCCESS").took(10)


def test_a_delay_is_the_older_name_of_the_duration(given: Flow) -> None:
    outcome = given(pause("delay: PT10S")).run()
    outcome.then.ended("SUCCESS").took(12)
    outcome.then.history("CREATED", "RUNNING", "PAUSED", "RUNNING", "SUCCESS")


@pytest.mark.parametrize(
    ("more", "behavior", "history"),
    [
        ("", "RESUME", ["RUNNING", "SUCCESS"]),
        ("", "WARN", ["RUNNING", "WARNING"]),
        ("", "FAIL", ["RUNNING", "FAILED"]),
        ("", "CANCEL", ["CANCELLED"]),
        ("- {id: say, type: Log, message: hi}", "RESUME", ["RUNNING", "SUCCESS"]),
        (
            "- {id: again, type: Pause, pauseDuration: PT1M}",
            "RESUME",
            ["RUNNING", "PAUSED", "RUNNING", "SUCCESS"],
        ),
    ],
)
def test_it_is_seen_to_run_again_whatever_follows(
    given: Flow, more: str, behavior: str, history: list[str]
) -> None:
    flow = given(f"""
    tasks:
      - {{id: p, type: Pause, pauseDuration: PT1M, behavior: {behavior}}}
      {more}
    """)
    flow.run().then.history("CREATED", "RUNNING", "PAUSED", *history)


def test_of_two_pauses_side_by_side_the_last_that_ends_lets_it_run_again(given: Flow) -> None:
    flow = given("""
    tasks:
      - id: both
        type: Parallel
        tasks:
          - {id: short, type: Pause, pauseDuration: PT1M}
          - {id: long, type: Pause, pauseDuration: PT2M}
    """)
    flow.run().then.history("CREATED", "RUNNING", "PAUSED", "RUNNING", "SUCCESS")


def test_a_timeout_fails_it(given: Flow) -> None:
    outcome = given(pause("timeout: PT10S", "errors: [{id: e, type: Work}]")).run()
    outcome.then.ended("FAILED").ran("before", "e").says("p: nobody resumed it")


def test_of_a_delay_and_a_timeout_the_delay_counts(given: Flow) -> None:
    given(pause("delay: PT20S, timeout: PT10S")).run().then.ended("SUCCESS").took(22)


@pytest.mark.parametrize("name", ["pauseDuration", "delay", "timeout"])
def test_the_time_may_be_an_expression(given: Flow, name: str) -> None:
    flow = pause(f'{name}: "{{{{ inputs.time }}}}"', "inputs: [{id: time, type: STRING}]")
    given(flow).inputs(time="PT30S").run().then.took(31 if name == "timeout" else 32)


def test_a_time_that_is_none_fails_it(given: Flow) -> None:
    flow = pause('pauseDuration: "{{ inputs.time }}"', "inputs: [{id: time, type: STRING}]")
    given(flow).inputs(time="soon").run().then.ended("FAILED").says("p: ", "soon")


def test_the_task_on_pause_runs_while_it_waits(given: Flow) -> None:
    outcome = given(pause("onPause: {id: tell, type: Work}")).rest()
    outcome.then.is_in("PAUSED").ran("before", "tell").states(tell="SUCCESS")


def test_a_resume_awaits_the_task_on_pause(given: Flow) -> None:
    flow = given(pause("onPause: {id: tell, type: Work}")).when_tasks(seconds={"tell": 60})
    flow.at(9).resume().run().then.ended("SUCCESS").took(62).ran("before", "tell", "after")


def test_a_failed_task_on_pause_fails_it_at_once(given: Flow) -> None:
    """The task on pause is a child like any other."""
    flow = given(pause("onPause: {id: tell, type: Work}, errors: [{id: e, type: Work}]"))
    outcome = flow.when_tasks(fail=["tell"]).run()
    outcome.then.ended("FAILED").states(p="FAILED").ran("before", "tell", "e").says(
        "tell is broken"
    )


def test_its_tasks_run_when_it_is_resumed(given: Flow) -> None:
    flow = given(pause("tasks: [{id: x, type: Work}, {id: y, type: Work}]")).at(9).resume()
    flow.run().then.ended("SUCCESS").ran("before", "x", "y", "after")


def test_finally_of_a_pause_runs_after_its_time(given: Flow) -> None:
    flow = pause("pauseDuration: PT5S, behavior: FAIL, finally: [{id: f, type: Work}]")
    given(flow).run().then.ended("FAILED").ran("before", "f")


def test_a_pause_that_is_allowed_to_fail_is_a_warning(given: Flow) -> None:
    flow = pause("pauseDuration: PT5S, behavior: FAIL, allowFailure: true")
    given(flow).run().then.ended("WARNING").ran("before", "after")


BESIDE = """
tasks:
  - id: both
    type: Parallel
    tasks:
      - {id: p, type: Pause}
      - {id: q, type: Pause}
      - {id: work, type: Work}
  - {id: after, type: Work}
"""


def test_an_execution_runs_while_something_beside_the_pause_does(given: Flow) -> None:
    outcome = given(BESIDE).rest()
    outcome.then.history("CREATED", "RUNNING", "PAUSED").states(work="SUCCESS")


def test_each_of_several_pauses_is_resumed_on_its_own(given: Flow) -> None:
    flow = given(BESIDE).at(5).resume(task="p")
    flow.rest().then.is_in("PAUSED").states(p="SUCCESS", q="PAUSED")
    flow.at(9).resume(task="q").run().then.ended("SUCCESS").took(10)


def test_a_resume_without_a_name_is_for_all(given: Flow) -> None:
    given(BESIDE).at(5).resume().run().then.ended("SUCCESS").took(6)


def test_one_value_of_a_loop_is_resumed_on_its_own(given: Flow) -> None:
    flow = given("""
    tasks:
      - id: each
        type: ForEach
        values: [x, y]
        concurrencyLimit: 0
        tasks: [{id: p, type: Pause}, {id: after, type: Work}]
    """)
    flow = flow.at(5).resume(task="p", value="y")
    flow.rest().then.is_in("PAUSED").ran("after[y]")
    flow.at(9).resume(task="p", value="x").run().then.ended("SUCCESS").ran("after[y]", "after[x]")


def test_a_kill_ends_it(given: Flow) -> None:
    outcome = given(pause()).at(9).kill().run()
    outcome.then.ended("KILLED").states(p="KILLED").took(9)
    outcome.then.history("CREATED", "RUNNING", "PAUSED", "KILLING", "KILLED")


def test_a_kill_stops_the_task_on_pause(given: Flow) -> None:
    flow = given(pause("onPause: {id: tell, type: Work}")).when_tasks(seconds={"tell": 60})
    outcome = flow.at(9).kill().run()
    outcome.then.ended("KILLED").states(tell="KILLED")
    assert outcome.world.stopped == [(outcome.task_run("tell").id, 1)]


@pytest.mark.parametrize("state", [State.SUCCESS, State.WARNING])
def test_what_is_paused_after_a_failure_beside_it_still_waits(given: Flow, state: State) -> None:
    """What runs beside a failure is awaited; a pause is no exception."""
    outcome = given(BESIDE).when_tasks(fail=["work"]).rest()
    outcome.then.is_in("PAUSED")


def test_an_exit_beside_it_ends_it(given: Flow) -> None:
    flow = given("""
    tasks:
      - id: both
        type: Parallel
        tasks:
          - {id: p, type: Pause, pauseDuration: PT1S}
          - {id: slow, type: Work}
          - id: s
            type: Sequential
            tasks: [{id: first, type: Work}, {id: end, type: Exit, state: WARNING}]
    """)
    outcome = flow.when_tasks(seconds={"slow": 60, "first": 0.5}).run()
    outcome.then.ended("WARNING").states(p="WARNING", slow="SUCCESS").took(60)
