"""WorkingDirectory: tasks that share a directory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from penstock.resources.execution import State
from penstock.storage.folders import OUTPUT_DIR, WORKING_DIR
from tests.fixtures.engine import Given

Flow = Callable[[str], Given]


def directory(properties: str = "", more: str = "") -> str:
    return f"""
tasks:
  - id: w
    type: WorkingDirectory
    {properties}
    tasks: [{{id: a, type: Work}}, {{id: b, type: Work, see: "{{{{ outputs.a.n ?? 'none' }}}}"}}]
  - {{id: after, type: Work, see: "{{{{ outputs.b.n ?? 'none' }}}}"}}
{more}
"""


KEEPS = "outputFiles: ['*.txt']"


def test_its_tasks_run_one_after_the_other_in_one_directory(given: Flow) -> None:
    outcome = given(directory()).when_tasks(outputs={"a": {"n": 1}, "b": {"n": 2}}).run()
    outcome.then.ended("SUCCESS").ran("a", "b", "after")
    outcome.then.started_with("b", see="1").started_with("after", see="2")
    spaces = [outcome.start(name).workspace for name in ("a", "b")]
    assert [space and space.id for space in spaces] == [outcome.task_run("w").id] * 2
    assert outcome.start("after").workspace is None


def test_what_stands_in_it_is_rendered(given: Flow) -> None:
    flow = directory(
        "inputFiles: {a.txt: '{{ flow.id }}'}\n    namespaceFiles: {enabled: true}\n    "
        "cache: {patterns: ['x/**'], ttl: PT1H}"
    )
    workspace = given(flow).run().start("a").workspace
    assert workspace is not None
    assert workspace.properties == {
        "inputFiles": {"a.txt": "flow"},
        "namespaceFiles": {"enabled": True},
        "cache": {"patterns": ["x/**"], "ttl": 3600.0},
    }


def test_what_it_keeps_is_taken_by_an_attempt_of_its_own(given: Flow) -> None:
    outcome = given(directory(KEEPS)).when_tasks(outputs={"w": {"outputFiles": {"x": "uri"}}}).run()
    outcome.then.ended("SUCCESS").ran("a", "b", "w", "after").attempts("w", "SUCCESS")
    outcome.then.outputs("w", outputFiles={"x": "uri"})


def test_without_anything_to_keep_there_is_no_such_attempt(given: Flow) -> None:
    given(directory()).run().then.ran("a", "b", "after").attempts("w")


def test_it_fails_where_nothing_can_be_taken(given: Flow) -> None:
    outcome = given(directory(KEEPS, "errors: [{id: e, type: Work}]")).when_tasks(fail=["w"]).run()
    outcome.then.ended("FAILED").states(w="FAILED").ran("a", "b", "w", "e").says("w is broken")


def test_a_lost_attempt_to_take_it_is_made_again(given: Flow) -> None:
    outcome = given(directory(KEEPS)).when_tasks(lost={"w": 2}).run()
    outcome.then.ended("SUCCESS").attempts("w", "RESUBMITTED", "RESUBMITTED", "SUCCESS")


def test_it_fails_where_the_attempt_is_lost_too_often(given: Flow) -> None:
    outcome = given(directory(KEEPS)).limits(lost_attempts=1).when_tasks(lost={"w": 9}).run()
    outcome.then.ended("FAILED").attempts("w", "RESUBMITTED", "RESUBMITTED")


def test_a_failed_task_ends_it(given: Flow) -> None:
    flow = directory("errors: [{id: e, type: Work}]\n    finally: [{id: f, type: Work}]")
    outcome = given(flow).when_tasks(fail=["a"]).run()
    outcome.then.ended("FAILED").ran("a", "e", "f")


def test_a_task_that_may_fail_does_not_end_it(given: Flow) -> None:
    flow = directory().replace("{id: a, type: Work}", "{id: a, type: Work, allowFailure: true}")
    given(flow).when_tasks(fail=["a"]).run().then.ended("WARNING").ran("a", "b", "after")


def test_in_a_loop_its_tasks_have_its_value(given: Flow) -> None:
    """The value tells the outputs of the iterations apart, once."""
    outcome = (
        given("""
    tasks:
      - id: each
        type: ForEach
        values: [x, y]
        concurrencyLimit: 0
        tasks:
          - id: w
            type: WorkingDirectory
            tasks:
              - {id: a, type: Work, see: "{{ taskrun.value }}"}
              - {id: b, type: Work, see: "{{ outputs.a[taskrun.value].n }}"}
    """)
        .when_tasks(outputs={"a": {"n": 1}})
        .run()
    )
    outcome.then.ended("SUCCESS")
    seen = [start.properties["see"] for _, start in outcome.world.started]
    assert seen == ["x", "y", "1", "1"]


@pytest.mark.parametrize("task", ["a", "w"])
def test_a_kill_stops_what_runs_of_it(given: Flow, task: str) -> None:
    outcome = given(directory(KEEPS)).when_tasks(seconds={task: 60}).at(9).kill().run()
    outcome.then.ended("KILLED").states(w="KILLED")
    assert outcome.world.stopped == [(outcome.task_run(task).id, 1)]


def test_a_restart_does_all_of_it_again(given: Flow) -> None:
    """The directory is gone, and what its tasks left there."""
    flow = given(directory()).when_tasks(fail={"b": 1}).when_it_is_over().script()
    flow = flow.when_it_is_over().control(restart={})
    outcome = flow.run()
    outcome.then.ended("SUCCESS").ran_later("a", "b", "a", "b", "after").states(w=State.SUCCESS)


def test_an_attempt_is_told_who_was_in_the_directory_before(given: Flow) -> None:
    # given
    flow = directory(KEEPS).replace(
        "{id: b, type: Work,", "{id: b, type: Work, retry: {type: constant, interval: PT1S},"
    )
    # when
    outcome = given(flow).when_tasks(fail={"b": 1}).run()
    # then
    first, second = (outcome.task_run(name).id for name in ("a", "b"))
    left = [
        start.workspace.left_by for _, start in outcome.world.started if start.workspace is not None
    ]
    assert left == [
        (),
        (("a", first, 1),),
        (("b", second, 1), ("a", first, 1)),
        (("b", second, 2), ("b", second, 1), ("a", first, 1)),
    ]


def test_its_tasks_see_where_their_folders_will_be(given: Flow) -> None:
    outcome = given("tasks: [{id: a, type: Work, see: '{{ workingDir }} {{ outputDir }}'}]").run()
    outcome.then.started_with("a", see=f"{WORKING_DIR} {OUTPUT_DIR}")


def test_its_tasks_see_its_own_task_run(given: Flow) -> None:
    flow = """
    tasks:
      - id: each
        type: ForEach
        values: [x]
        tasks:
          - id: w
            type: WorkingDirectory
            inputFiles: {id.txt: "{{ workerTaskrun.id }} {{ taskrun.id }}"}
            tasks:
              - id: a
                type: Work
                of: "{{ workerTaskrun.id }} {{ workerTaskrun.value }} {{ workerTaskrun.parentId }}"
                at: "{{ workerTaskrun.startDate }}"
                own: "{{ taskrun.id }}"
      - {id: after, type: Work, see: "{{ workerTaskrun is defined }}"}
    """
    outcome = given(flow).run()
    outcome.then.ended("SUCCESS")
    around, run = outcome.task_run("w[x]"), outcome.task_run("a[x][x]")
    properties = outcome.start("a[x][x]").properties
    assert properties["of"] == f"{around.id} x {around.parent}"
    assert properties["at"] == "2025-03-01T12:00:00.000Z"
    assert properties["own"] == run.id != around.id
    workspace = outcome.start("a[x][x]").workspace
    assert workspace is not None
    assert workspace.properties["inputFiles"] == {"id.txt": f"{around.id} {around.id}"}
    outcome.then.started_with("after", see="false")


@pytest.mark.parametrize("keeps", ["", KEEPS])
def test_a_lost_directory_is_made_anew_with_all_that_was_in_it(given: Flow, keeps: str) -> None:
    """What the tasks before left there is gone, so they run again."""
    outcome = given(directory(keeps)).when_tasks(lost_directory={"b": 1}).run()
    outcome.then.ended("SUCCESS").ran("a", "b", "a", "b", "after")
    outcome.then.attempts("w", "RESUBMITTED", *(["SUCCESS"] if keeps else []))
    spaces = [start.workspace for _, start in outcome.world.started if start.workspace]
    assert [space.attempt for space in spaces] == [1, 1, 2, 2, *([2] if keeps else [])]
    first, _, again, *_ = (start.task_run.id for _, start in outcome.world.started)
    assert first != again


def test_a_directory_that_is_lost_before_it_is_taken_is_made_anew(given: Flow) -> None:
    outcome = given(directory(KEEPS)).when_tasks(lost_directory={"w": 1}).run()
    outcome.then.ended("SUCCESS").ran("a", "b", "w", "a", "b", "after")
    outcome.then.attempts("w", "RESUBMITTED", "SUCCESS")


@pytest.mark.parametrize("task", ["a", "w"])
def test_a_directory_that_is_lost_too_often_fails(given: Flow, task: str) -> None:
    given_flow = given(directory(KEEPS)).limits(lost_attempts=1)
    outcome = given_flow.when_tasks(lost_directory={task: 9}).run()
    outcome.then.ended("FAILED").attempts("w", "RESUBMITTED", "RESUBMITTED").states(w="FAILED")


def test_what_the_controller_does_itself_may_stand_in_it(given: Flow) -> None:
    count = (
        "{id: n, type: io.kestra.plugin.core.execution.Count, namespaces: [company.team], "
        "startDate: '{{ now() }}', expression: '{{ count > 0 }}'}"
    )
    flow = directory().replace("tasks: [{id: a", f"tasks: [{count}, {{id: a")
    given(flow).run().then.ended("SUCCESS").ran("a", "b", "after")
