"""What tasks publish is added up on their task run, and bounded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from penstock.engine.state.metrics import MAX_METRICS, added_metrics
from penstock.resources.execution import Metric, State, TaskRun
from penstock.tasks.contract.services import Metric as Published

RUN = TaskRun(id="r", task_id="t", state=State.RUNNING, start_date=datetime(2026, 1, 1, tzinfo=UTC))


def added(run: TaskRun, *published: Published) -> TaskRun:
    return run.model_copy(update=added_metrics(run, published))


def values(run: TaskRun) -> list[Any]:
    return [(metric.name, metric.value) for metric in run.metrics or ()]


def test_counters_and_timers_add_up_and_of_a_gauge_the_last_counts() -> None:
    run = added(
        RUN,
        Published("counter", "rows", 2),
        Published("timer", "took", 1.5),
        Published("gauge", "left", 9),
        Published("counter", "rows", 3),
        Published("timer", "took", 1),
        Published("gauge", "left", 4),
    )
    assert values(run) == [("rows", 5), ("took", 2.5), ("left", 4)]


def test_the_attempts_of_a_task_run_add_up() -> None:
    first = added(RUN, Published("counter", "rows", 2))
    assert values(added(first, Published("counter", "rows", 3))) == [("rows", 5)]


def test_other_tags_or_another_type_are_another_metric() -> None:
    run = added(
        RUN,
        Published("counter", "rows", 1, {"a": "1"}),
        Published("counter", "rows", 1, {"a": "2"}),
        Published("timer", "rows", 1, {"a": "1"}),
    )
    assert len(run.metrics or ()) == 3


def test_beyond_the_bound_they_are_counted_and_known_ones_still_add_up() -> None:
    many = [Published("counter", f"m{number}", 1) for number in range(MAX_METRICS + 7)]
    run = added(RUN, *many, Published("counter", "m0", 1))
    assert len(run.metrics or ()) == MAX_METRICS
    assert run.metrics_dropped == 7
    assert run.metrics is not None
    assert run.metrics[0] == Metric(type="counter", name="m0", value=2)


def test_a_task_run_that_published_nothing_says_nothing_of_it() -> None:
    assert added_metrics(RUN, []) == {}
