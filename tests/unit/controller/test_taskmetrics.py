"""The metrics of tasks in Prometheus: summed up, and in a bounded number of series."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from penstock.controller.runtime.task_metrics import MAX_OF_TENANT, TaskMetrics
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


def names_of(metrics: TaskMetrics) -> set[str]:
    return set(re.findall(r'metric="([^"]*)"', "\n".join(lines(metrics))))


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
    assert [_sorted(line) for line in found] == expected


def test_tags_make_no_series() -> None:
    metrics = TaskMetrics()
    metrics.add("k", FLOW, run(*(metric("counter", "m", 1, user=str(n)) for n in range(50))))
    (line,) = (line for line in lines(metrics) if line.startswith("penstock_task_counter"))
    assert _sorted(line) == f"penstock_task_counter_total{{{LABELS}}} 50.0"


def test_what_a_tenant_publishes_costs_no_other_tenant_anything() -> None:
    # given
    dropped: list[int] = []
    metrics = TaskMetrics(dropped.append)
    metrics.add("team", FLOW, run(metric("counter", "important", 42)))
    # when: another tenant publishes more names than there are series for all
    for number in range(24):
        names = (f"{number}-{n}" for n in range(100))
        metrics.add("hostile", FLOW, run(*(metric("counter", name, 1) for name in names)))
    metrics.add("late", FLOW, run(metric("counter", "also", 1)))
    # then
    assert {"important", "also"} <= names_of(metrics)
    assert len(names_of(metrics)) == MAX_OF_TENANT + 2
    assert sum(dropped) == 2400 - MAX_OF_TENANT


def test_many_tenants_that_fill_all_series_leave_each_other_its_share() -> None:
    # given: 20 tenants with one series each, and 4 that want all there are
    metrics = TaskMetrics(limit=100, of_tenant=50)
    for number in range(20):
        metrics.add(f"small{number}", FLOW, run(metric("gauge", f"small{number}", 1)))
    for number in range(60):
        for hostile in "abcd":
            metrics.add(hostile, FLOW, run(metric("gauge", f"{hostile}{number}", 1)))
    # when
    metrics.add("late", FLOW, run(*(metric("gauge", f"late{number}", 1) for number in range(4))))
    # then
    found = names_of(metrics)
    assert len(found) == 100
    assert {f"small{number}" for number in range(20)} <= found
    assert {f"late{number}" for number in range(4)} <= found
    assert all(sum(name[0] == hostile for name in found) >= 18 for hostile in "abcd")


def test_what_was_not_published_for_longest_makes_way_and_begins_anew() -> None:
    metrics = TaskMetrics(of_tenant=2)
    for name in ("old", "used", "used", "old", "used", "new"):
        metrics.add("k", FLOW, run(metric("counter", name, 1)))
    assert names_of(metrics) == {"used", "new"}
    # when
    metrics.add("k", FLOW, run(metric("counter", "old", 1)))
    # then
    assert names_of(metrics) == {"new", "old"}
    (line,) = (line for line in lines(metrics) if 'metric="old"' in line)
    assert line.endswith(" 1.0")


def test_a_tenant_is_told_once_that_its_series_are_full() -> None:
    # given
    metrics = TaskMetrics(limit=3, of_tenant=2)
    told = {
        name: metrics.add(tenant, FLOW, run(metric("gauge", name, 1)))
        for tenant, name in [("a", "a1"), ("a", "a2"), ("a", "a3"), ("a", "a4"), ("b", "b1")]
    }
    # then
    assert [name for name, report in told.items() if report is not None] == ["a3"]
    assert (report := told["a3"]) is not None
    assert (report.reason, report.warning) == ("MetricsLimit", True)
    assert "2 series of a namespace, 3 of all" in report.message


def test_a_tenant_whose_series_made_way_for_another_tenants_is_told_when_it_publishes_next() -> (
    None
):
    metrics = TaskMetrics(limit=3, of_tenant=2)
    for tenant, name in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("c", "c1")]:
        assert metrics.add(tenant, FLOW, run(metric("gauge", name, 1))) is None
    assert names_of(metrics) == {"a2", "b1", "c1"}
    assert metrics.add("a", FLOW, run(metric("gauge", "a2", 1))) is not None
    assert metrics.add("a", FLOW, run(metric("gauge", "a2", 1))) is None


def test_tenants_that_have_nothing_left_are_forgotten() -> None:
    metrics = TaskMetrics(limit=10)
    for number in range(1000):
        metrics.add(f"tenant{number}", FLOW, run(metric("gauge", "m", 1)))
    assert len(metrics._tenants) <= 11
    assert len(lines(metrics)) == 10


def test_what_a_task_run_had_too_much_counts_as_dropped() -> None:
    dropped: list[int] = []
    TaskMetrics(dropped.append).add("k", FLOW, run(dropped=3))
    assert dropped == [3]


def test_a_name_may_be_any_text() -> None:
    metrics = TaskMetrics()
    metrics.add("k", None, run(metric("gauge", 'a"\\\n' + "x" * 500, 1)))
    (line,) = (line for line in lines(metrics) if line.startswith("penstock_task_gauge"))
    assert len(line) < 300


def _sorted(line: str) -> str:
    name, rest = line.split("{")
    labels, value = rest.split("}")
    return f"{name}{{{','.join(sorted(labels.split(',')))}}}{value}"
