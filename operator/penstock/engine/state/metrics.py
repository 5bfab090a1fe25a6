"""The metrics of a task run: what its attempts published, taken together, and not without bound."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from penstock.engine.interface.actions import Published
from penstock.resources.execution import Metric, TaskRun

MAX_METRICS = 100
"""Metrics that one task run keeps."""


def added_metrics(run: TaskRun, published: Iterable[Published]) -> dict[str, Any]:
    """Say what changes of a task run when its attempt published these metrics.

    Counters and timers of one name and the same tags add up; of a gauge the last counts.
    """
    found = {_key(metric): metric for metric in run.metrics or ()}
    dropped: set[tuple[object, ...]] = set()
    for given in published:
        metric = Metric(type=given.type, name=given.name, value=given.value, tags=dict(given.tags))
        key = _key(metric)
        before = found.get(key)
        if before is None and len(found) >= MAX_METRICS:
            dropped.add(key)
        elif before is None or metric.type == "gauge":
            found[key] = metric
        else:
            value = before.value + metric.value
            found[key] = before.model_copy(update={"value": value})
    changes: dict[str, Any] = {}
    if found:
        changes["metrics"] = list(found.values())
    if dropped:
        changes["metrics_dropped"] = (run.metrics_dropped or 0) + len(dropped)
    return changes


def _key(metric: Metric) -> tuple[object, ...]:
    return metric.type, metric.name, tuple(sorted(metric.tags.items()))
