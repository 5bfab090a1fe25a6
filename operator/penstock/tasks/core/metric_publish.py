"""The task `Publish`, which publishes metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.tasks.contract.metrics import read_metric
from penstock.tasks.contract.services import Metric
from penstock.tasks.contract.task import Context, TaskFailure


@dataclass(frozen=True)
class Publish:
    """Publishes metrics.

    ```yaml
    id: count
    type: io.kestra.plugin.core.metric.Publish
    metrics:
      - {type: counter, name: rows, value: 3}
    ```
    """

    metrics: list[dict[str, Any]]
    """The metrics, each with `type` (`counter`, `timer` in seconds, or `gauge`), `name`, `value`
    and `tags`."""

    def run(self, context: Context) -> None:
        for metric in [_metric(index, given) for index, given in enumerate(self.metrics)]:
            context.services.publish(metric)


def _metric(index: int, given: Mapping[str, Any]) -> Metric:
    try:
        return read_metric(given)
    except ValueError as error:
        raise TaskFailure(f"property `metrics[{index}]`: {error}") from None
