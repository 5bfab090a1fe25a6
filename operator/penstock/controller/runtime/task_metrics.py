"""The metrics that tasks publish, for Prometheus, in a bounded number of series.

    penstock_task_counter_total{kubernetes_namespace, namespace, flow, task, metric}
    penstock_task_timer_seconds_sum and _count, the same labels
    penstock_task_gauge, the same labels

The names are users' to choose, so they are labels and no names of metrics. So many series are kept
of a tenant, and so many of all: where one more comes, the one makes way that was not published for
longest, of the same tenant or of one that has more. So what a tenant publishes costs no tenant
that has less. The tags of a metric, which may hold anything, are no labels: they stand in the
status of the task run. What is kept begins anew with each start of the controller, and with each
series that has made way and comes back, as every counter of Prometheus may.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

from penstock.engine.interface.actions import Report
from penstock.resources.execution import Metric, PinnedFlow, TaskRun

MAX_SERIES = 2_000
MAX_OF_TENANT = 500
MAX_LABEL = 100
"""Characters of a label's value."""

_LABELS = ["kubernetes_namespace", "namespace", "flow", "task", "metric"]

logger = logging.getLogger(__name__)

Labels = tuple[str, ...]
Key = tuple[str, Labels]
"""What a series is known by: its type and its labels."""


@dataclass
class _Series:
    """What became of one metric so far."""

    total: float = 0.0
    count: int = 0


@dataclass
class _Tenant:
    """The series of a Kubernetes namespace."""

    series: OrderedDict[Key, _Series] = field(default_factory=OrderedDict)
    """What was published last stands last."""
    has_lost: bool = False
    """Whether series of it have made way."""
    is_told: bool = False
    """Whether it was told so."""


class TaskMetrics(Collector):
    """Adds up what tasks publish."""

    def __init__(
        self,
        dropped: Callable[[int], object] = lambda count: None,
        limit: int = MAX_SERIES,
        of_tenant: int = MAX_OF_TENANT,
    ) -> None:
        """``dropped`` is told of metrics that were too many, and of series that have made way."""
        self._dropped = dropped
        self._limit = limit
        self._of_tenant = of_tenant
        self._count = 0
        self._tenants: OrderedDict[str, _Tenant] = OrderedDict()
        """Who published last stands last."""

    def add(
        self, kubernetes_namespace: str, flow: PinnedFlow | None, run: TaskRun
    ) -> Report | None:
        """Take in what a task run published that has ended. Returns what its tenant is to be told,
        which is told once: that series of it have made way."""
        if run.metrics_dropped:
            self._dropped(run.metrics_dropped)
        if not run.metrics:
            return None
        tenant = self._of(kubernetes_namespace)
        place = (kubernetes_namespace, flow.namespace, flow.id) if flow else (kubernetes_namespace,)
        for metric in run.metrics:
            labels = (*place, *[""] * (3 - len(place)), run.task_id, metric.name)
            key = (str(metric.type), tuple(label[:MAX_LABEL] for label in labels))
            if key not in tenant.series:
                self._make_room(tenant)
            self._add(tenant, key, metric)
        if tenant.is_told or not tenant.has_lost:
            return None
        tenant.is_told = True
        logger.info("series of tasks' metrics of %s make way for others", kubernetes_namespace)
        return Report(
            "MetricsLimit",
            f"the tasks of this Kubernetes namespace publish more metrics than Prometheus is shown "
            f"({self._of_tenant} series of a namespace, {self._limit} of all): those that were not "
            "published for longest make way, and their counters begin again at 0 when they come "
            "back. Use fewer names of metrics, such as a tag in place of a part of the name: tags "
            "make no series. Nothing is missing in the status of the task runs",
            warning=True,
        )

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
        kept = [item for tenant in self._tenants.values() for item in tenant.series.items()]
        for (kind, labels), series in kept:
            if kind == "counter":
                counters.add_metric(labels, series.total)
            elif kind == "timer":
                timers.add_metric(labels, series.count, series.total)
            else:
                gauges.add_metric(labels, series.total)
        yield from (counters, timers, gauges)

    def _of(self, kubernetes_namespace: str) -> _Tenant:
        """Return a tenant, which publishes now. Those whose series have all made way are
        forgotten."""
        tenant = self._tenants.setdefault(kubernetes_namespace, _Tenant())
        self._tenants.move_to_end(kubernetes_namespace)
        if len(self._tenants) > self._limit:
            self._tenants = OrderedDict(
                (name, found)
                for name, found in self._tenants.items()
                if found.series or found is tenant
            )
        return tenant

    def _add(self, tenant: _Tenant, key: Key, metric: Metric) -> None:
        series = tenant.series.get(key)
        if series is None:
            series = tenant.series[key] = _Series()
            self._count += 1
        tenant.series.move_to_end(key)
        series.count += 1
        # A counter never goes down: Prometheus would take that for a restart.
        value = max(metric.value, 0.0) if metric.type == "counter" else metric.value
        series.total = value if metric.type == "gauge" else series.total + value

    def _make_room(self, tenant: _Tenant) -> None:
        """Let a series make way where one more of a tenant is too many."""
        own = len(tenant.series)
        if own >= self._of_tenant:
            self._remove_oldest(tenant)
        elif self._count >= self._limit:
            # A tenant that has its share need not be compared with all others.
            has_share = own > self._limit // len(self._tenants)
            self._remove_oldest(tenant if has_share else self._largest())

    def _largest(self) -> _Tenant:
        """Return the tenant that has most series; of several, the one that did not publish for
        longest."""
        return max(self._tenants.values(), key=lambda tenant: len(tenant.series))

    def _remove_oldest(self, tenant: _Tenant) -> None:
        tenant.series.popitem(last=False)
        tenant.has_lost = True
        self._count -= 1
        self._dropped(1)
