"""The metrics that tasks publish, for Prometheus, in a bounded number of series.

    penstock_task_counter_total{kubernetes_namespace, namespace, flow, task, metric}
    penstock_task_timer_seconds_sum and _count, the same labels
    penstock_task_gauge, the same labels

The names are users' to choose, so they are labels and no names of metrics, and only the first
series are kept; what is published beyond them is counted. The tags of a metric, which may hold
anything, are no labels: they stand in the status of the task run. What is kept begins anew with
each start of the controller, as every counter of Prometheus may.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

from penstock.resources.execution import Metric, PinnedFlow, TaskRun

MAX_SERIES = 2_000
MAX_LABEL = 100
"""Characters of a label's value."""

_LABELS = ["kubernetes_namespace", "namespace", "flow", "task", "metric"]

Labels = tuple[str, ...]


@dataclass
class _Series:
    """What became of one metric so far."""

    total: float = 0.0
    count: int = 0


class TaskMetrics(Collector):
    """Adds up what tasks publish."""

    def __init__(self, limit: int = MAX_SERIES) -> None:
        self._limit = limit
        self._series: dict[tuple[str, Labels], _Series] = {}
        self._dropped = 0

    def add(self, kubernetes_namespace: str, flow: PinnedFlow | None, run: TaskRun) -> None:
        """Take in what a task run published that has ended."""
        if not run.metrics and not run.metrics_dropped:
            return
        self._dropped += run.metrics_dropped or 0
        place = (kubernetes_namespace, flow.namespace, flow.id) if flow else (kubernetes_namespace,)
        for metric in run.metrics or ():
            labels = (*place, *[""] * (3 - len(place)), run.task_id, metric.name)
            self._add(metric, tuple(label[:MAX_LABEL] for label in labels))

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily | SummaryMetricFamily]:
        counters = CounterMetricFamily(
            "penstock_task_counter", "Counters that tasks published, summed up.", labels=_LABELS
        )
        timers = SummaryMetricFamily(
            "penstock_task_timer_seconds", "Timers that tasks published.", labels=_LABELS
        )
        gauges = GaugeMetricFamily(
            "penstock_task_gauge", "Gauges that tasks published: the last value.", labels=_LABELS
        )
        for (kind, labels), series in list(self._series.items()):
            if kind == "counter":
                counters.add_metric(labels, series.total)
            elif kind == "timer":
                timers.add_metric(labels, series.count, series.total)
            else:
                gauges.add_metric(labels, series.total)
        yield from (counters, timers, gauges)
        yield CounterMetricFamily(
            "penstock_task_metrics_dropped",
            "Metrics of tasks that were too many to be kept.",
            value=self._dropped,
        )

    def _add(self, metric: Metric, labels: Labels) -> None:
        key = (str(metric.type), labels)
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= self._limit:
                self._dropped += 1
                return
            series = self._series[key] = _Series()
        series.count += 1
        # A counter never goes down: Prometheus would take that for a restart.
        value = max(metric.value, 0.0) if metric.type == "counter" else metric.value
        series.total = value if metric.type == "gauge" else series.total + value
