"""EachSequential and EachParallel: the loops before ForEach."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fixtures.engine import Given
from tests.fixtures.flows import warnings

Flow = Callable[[str], Given]


def loop(kind: str, value: str = "[x, y]", more: str = "") -> str:
    return f"""
tasks:
  - id: loop
    type: {kind}
    value: {value}
    {more}
    tasks:
      - {{id: a, type: Work}}
      - {{id: b, type: Work, see: "{{{{ taskrun.value }}}}"}}
"""


def test_each_sequential_does_one_value_after_the_other(given: Flow) -> None:
    outcome = given(loop("EachSequential", '\'["x", {"k": 1}, "x"]\'')).run()
    outcome.then.ended("SUCCESS").at_most_at_once(1)
    outcome.then.ran("a[x]", "b[x]", 'a[{"k":1}]', 'b[{"k":1}]')
    outcome.then.started_with("b[x]", see="x")


def test_each_sequential_stops_at_a_failure(given: Flow) -> None:
    outcome = given(loop("EachSequential")).when_tasks(fail=["a[x]"]).run()
    outcome.then.ended("FAILED").ran("a[x]")


def test_each_parallel_does_every_task_of_every_value_at_once(given: Flow) -> None:
    outcome = given(loop("EachParallel")).run()
    outcome.then.ended("SUCCESS").at_most_at_once(4).took(1)


def test_each_parallel_counts_task_runs_against_its_limit(given: Flow) -> None:
    flow = loop("EachParallel", more="concurrent: 3")
    outcome = given(flow).when_tasks(seconds={"a[x]": 5}).run()
    outcome.then.ended("SUCCESS").at_most_at_once(3).took(5)
    outcome.then.ran("a[x]", "b[x]", "a[y]", "b[y]")


def test_each_parallel_starts_nothing_after_a_failure_and_awaits_what_runs(given: Flow) -> None:
    flow = loop("EachParallel", more="concurrent: 2")
    outcome = given(flow).when_tasks(fail=["b[x]"], seconds={"a[x]": 5}).run()
    outcome.then.ended("FAILED").ran("a[x]", "b[x]").took(5)


@pytest.mark.parametrize("kind", ["EachSequential", "EachParallel"])
def test_an_each_runs_its_handlers(given: Flow, kind: str) -> None:
    flow = loop(kind, more="errors: [{id: e, type: Work}]\n    finally: [{id: f, type: Work}]")
    outcome = given(flow).when_tasks(fail=["b"]).run()
    outcome.then.ended("FAILED")
    assert [name for name, _ in outcome.world.started][-2:] == ["e", "f"]


@pytest.mark.parametrize("kind", ["EachSequential", "EachParallel"])
def test_what_is_no_list_fails_an_each(given: Flow, kind: str) -> None:
    given(loop(kind, "some text")).run().then.ended("FAILED").says("`value` must be a list")


@pytest.mark.parametrize("kind", ["EachSequential", "io.kestra.core.tasks.flows.EachParallel"])
def test_an_each_is_deprecated(kind: str) -> None:
    assert warnings(loop(kind)) == ["tasks[0].type: deprecated; use ForEach"]
