"""Metrics as tasks write them down: in a `metric.Publish`, in a `::{…}::` line, in a pod's result.

Standard library only: pods import this.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from penstock.tasks.contract.services import Metric, MetricType

MAX_BYTES = 512
"""What one metric may hold as JSON: a status has to hold a hundred of them."""

_TYPES: dict[Any, MetricType] = {"counter": "counter", "timer": "timer", "gauge": "gauge"}


def read_metric(given: object) -> Metric:
    """A metric from what a person or a script wrote. Raises ``ValueError`` that says what is wrong.

    A timer's value is in seconds.
    """
    if not isinstance(given, Mapping):
        raise ValueError("a metric is a map of `type`, `name`, `value` and `tags`")
    name, tags, value = given.get("name"), given.get("tags") or {}, given.get("value")
    try:
        kind = _TYPES[given.get("type")]
    except (KeyError, TypeError):
        raise ValueError("`type` must be counter, timer or gauge") from None
    if not isinstance(name, str) or not name or not isinstance(tags, Mapping):
        raise ValueError("a `name` is needed, and `tags` are a map")
    made = Metric(kind, name, _number(value), {str(key): str(tags[key]) for key in tags})
    if len(json.dumps(written_metric(made))) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    return made


def read_metrics(given: object) -> list[Metric]:
    """The metrics of a list that was made by :func:`written_metric`; what is not one is dropped."""
    found = []
    for item in given if isinstance(given, list) else ():
        try:
            found.append(read_metric(item))
        except ValueError:
            continue
    return found


def written_metric(metric: Metric) -> dict[str, Any]:
    """A metric as JSON values."""
    return {
        "type": metric.type,
        "name": metric.name,
        "value": metric.value,
        "tags": dict(metric.tags),
    }


def _number(value: object) -> float:
    try:
        number = float(value) if not isinstance(value, bool) else math.nan  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("`value` must be a number")
    return number
