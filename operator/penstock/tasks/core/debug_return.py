"""The task `Return`, which gives a rendered value back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.tasks.contract.services import Metric
from penstock.tasks.contract.task import Context
from penstock.tasks.contract.texts import Text


@dataclass(frozen=True)
class Return:
    """Gives a rendered text back.

    Outputs: `value`, the rendered `format`. Metrics: `length`, of the text, and `duration`.

    ```yaml
    id: greeting
    type: io.kestra.plugin.core.debug.Return
    format: "Hello, {{ inputs.name }}!"
    ```
    """

    format: Text | None = None
    """The text to give back."""

    def run(self, context: Context) -> Mapping[str, Any]:
        began = time.monotonic()
        if self.format is not None:
            context.log(self.format, "DEBUG")
        # Without Kestra's tag `format`: that may be as long as it likes, and hold a secret.
        context.services.publish(Metric("counter", "length", len(self.format or "")))
        context.services.publish(Metric("timer", "duration", round(time.monotonic() - began, 6)))
        return {"value": self.format}
