"""Publish numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.tasks.contract import Context, TaskFailure
from penstock.tasks.services import Metric, MetricType

_TYPES: dict[Any, MetricType] = {"counter": "counter", "timer": "timer", "gauge": "gauge"}


@dataclass(frozen=True)
class Publish:
    """Publishes metrics."""

    metrics: list[dict[str, Any]]
    """Each with `type` (`counter`, `timer` in seconds, or `gauge`), `name`, `value` and `tags`."""

    def run(self, context: Context) -> None:
        for metric in [_metric(index, given) for index, given in enumerate(self.metrics)]:
            context.services.publish(metric)


def _metric(index: int, given: Mapping[str, Any]) -> Metric:
    at = f"property `metrics[{index}]`"
    name, tags = given.get("name"), given.get("tags") or {}
    if given.get("type") not in _TYPES:
        raise TaskFailure(f"{at}: `type` must be counter, timer or gauge")
    if not isinstance(name, str) or not isinstance(tags, dict):
        raise TaskFailure(f"{at}: a `name` is needed, and `tags` are a map")
    try:
        value = float(given.get("value", ""))
    except (TypeError, ValueError):
        raise TaskFailure(f"{at}: `value` must be a number") from None
    return Metric(_TYPES[given["type"]], name, value, {key: str(tags[key]) for key in tags})
