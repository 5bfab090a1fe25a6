"""Prometheus metrics.

No label of the controller's own metrics holds a name that users choose: their number has no bound,
and whoever reaches the port may read them. Those that tasks publish have such labels: they are
bounded (see :mod:`.task_metrics`), and are in a registry of their own, which is not for everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from penstock.controller.runtime.task_metrics import TaskMetrics
from penstock.engine.interface.actions import Report
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import ExecutionStatus

_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10)
_LONG = (1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400)


class Metrics:
    """All metrics of the controller."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        """What everybody may read."""
        self.task_registry = CollectorRegistry()
        """What tasks published and tenants keep, with the names of tenants, flows and tasks."""
        self._ended = Counter(
            "penstock_executions_ended",
            "Executions that ended, by state.",
            ["state"],
            registry=self.registry,
        )
        self._task_runs = Counter(
            "penstock_task_runs_ended",
            "Task runs that ended, by state.",
            ["state"],
            registry=self.registry,
        )
        self._task_duration = Histogram(
            "penstock_task_duration_seconds",
            "From the start of a task run to its end.",
            buckets=_LONG,
            registry=self.registry,
        )
        self._edge = Histogram(
            "penstock_edge_latency_seconds",
            "From the news that a task's pod ended to the next Job of the execution.",
            buckets=_FAST,
            registry=self.registry,
        )
        self._reconcile = Histogram(
            "penstock_reconcile_duration_seconds",
            "One reconcile of one object.",
            ["kind"],
            buckets=_FAST,
            registry=self.registry,
        )
        self._calls = Counter(
            "penstock_api_calls",
            "Calls to the API server.",
            ["verb", "resource", "code"],
            registry=self.registry,
        )

        self._quarantined = Gauge(
            "penstock_quarantined",
            "Objects that are passed over, since the controller died at them.",
            ["kind"],
            registry=self.registry,
        )
        dropped = Counter(
            "penstock_task_metrics_dropped",
            "Metrics of tasks that were too many to be kept.",
            registry=self.registry,
        )
        self._of_tasks = TaskMetrics(dropped.inc)
        self.task_registry.register(self._of_tasks)

    def watch_state(self, executions: Iterable[Object], depth: Callable[[], int]) -> None:
        """Metrics that are read from the state itself when they are asked for."""
        self.registry.register(_StateCollector(executions, depth))

    def api_called(self, verb: str, resource: str, status: int) -> None:
        self._calls.labels(verb, resource, str(status)).inc()

    def reconciled(self, kind: str, seconds: float) -> None:
        self._reconcile.labels(kind).observe(seconds)

    def quarantined(self, counts: Mapping[str, int]) -> None:
        """Tell how many objects of each kind are passed over."""
        for kind, count in counts.items():
            self._quarantined.labels(kind).set(count)

    def job_created(self, edge_seconds: float | None) -> None:
        if edge_seconds is not None:
            self._edge.observe(edge_seconds)

    def execution_ended(self, status: ExecutionStatus) -> None:
        self._ended.labels(str(status.state)).inc()

    def task_runs_ended(
        self, namespace: str, before: ExecutionStatus | None, after: ExecutionStatus
    ) -> Sequence[Report]:
        """Count what ended with this status, and what it published. Returns what is to be told of
        that."""
        reports = []
        known = {run.id for run in before.task_runs if run.state.terminated} if before else set()
        for run in after.task_runs:
            if run.state.terminated and run.id not in known:
                self._task_runs.labels(str(run.state)).inc()
                if (report := self._of_tasks.add(namespace, after.flow, run)) is not None:
                    reports.append(report)
                if run.end_date is not None and run.attempts:
                    seconds = (run.end_date - run.start_date).total_seconds()
                    self._task_duration.observe(max(seconds, 0.0))
        return reports


class _StateCollector(Collector):
    def __init__(self, executions: Iterable[Object], depth: Callable[[], int]) -> None:
        self._executions = executions
        self._depth = depth

    def collect(self) -> Iterator[GaugeMetricFamily]:
        states: dict[str, int] = {}
        for body in self._executions:
            state = (body.get("status") or {}).get("state") or "CREATED"
            states[state] = states.get(state, 0) + 1
        gauge = GaugeMetricFamily(
            "penstock_executions", "Executions that are there, by state.", labels=["state"]
        )
        for state, count in sorted(states.items()):
            gauge.add_metric([state], count)
        yield gauge
        yield GaugeMetricFamily(
            "penstock_queue_depth", "Objects that wait to be reconciled.", value=self._depth()
        )
