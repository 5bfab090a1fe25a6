"""The metrics of tasks in Prometheus: summed up, and in a bounded number of series."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from penstock.controller.runtime.task_metrics import TaskMetrics
from penstock.resources.execution import Metric, PinnedFlow, State, TaskRun

FLOW = PinnedFlow(namespace="company.team", id="f")


def run(*metrics: Metric, dropped: int | None = None) -> TaskRun:
    date = datetime(2026, 1, 1, tzinfo=UTC)
    return TaskRun(
        id="r",
        task_id="t",
        state=State.SUCCESS,
        start_date=date,
        metrics=list(metrics),
        metrics_dropped=dropped,
    )


def metric(kind: str, name: str, value: float, **tags: str) -> Metric:
    return Metric.model_validate({"type": kind, "name": name, "value": value, "tags": tags})


def lines(metrics: TaskMetrics) -> list[str]:
    registry = CollectorRegistry()
    registry.register(metrics)
    text = generate_latest(registry).decode()
    return [line for line in text.splitlines() if not line.startswith("#")]


LABELS = 'flow="f",kubernetes_namespace="k",metric="m",namespace="company.team",task="t"'


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("counter", [f"penstock_task_counter_total{{{LABELS}}} 5.0"]),
        (
            "timer",
            [
                f"penstock_task_timer_seconds_count{{{LABELS}}} 2.0",
                f"penstock_task_timer_seconds_sum{{{LABELS}}} 5.0",
            ],
        ),
        ("gauge", [f"penstock_task_gauge{{{LABELS}}} 3.0"]),
    ],
)
def test_each_type_is_what_prometheus_makes_of_it(kind: str, expected: list[str]) -> None:
    metrics = TaskMetrics()
    metrics.add("k", FLOW, run(metric(kind, "m", 2)))
    metrics.add("k", FLOW, run(metric(kind, "m", 3)))
    found = lines(metrics)
    assert [_sorted(line) for line in found if "dropped" not in line] == expected


def test_tags_make_no_series() -> None:
    metrics = TaskMetrics()
    metrics.add("k", FLOW, run(*(metric("counter", "m", 1, user=str(n)) for n in range(50))))
    (line,) = (line for line in lines(metrics) if line.startswith("penstock_task_counter"))
    assert _sorted(line) == f"penstock_task_counter_total{{{LABELS}}} 50.0"


def test_beyond_the_bound_series_are_dropped_and_counted() -> None:
    metrics = TaskMetrics(limit=10)
    metrics.add("k", FLOW, run(*(metric("counter", f"m{n}", 1) for n in range(25)), dropped=3))
    found = lines(metrics)
    assert sum(line.startswith("penstock_task_counter_total{") for line in found) == 10
    assert "penstock_task_metrics_dropped_total 18.0" in found


def test_a_name_may_be_any_text() -> None:
    metrics = TaskMetrics()
    metrics.add("k", None, run(metric("gauge", 'a"\\\n' + "x" * 500, 1)))
    (line,) = (line for line in lines(metrics) if line.startswith("penstock_task_gauge"))
    assert len(line) < 300


def _sorted(line: str) -> str:
    name, rest = line.split("{")
    labels, value = rest.split("}")
    return f"{name}{{{','.join(sorted(labels.split(',')))}}}{value}"
