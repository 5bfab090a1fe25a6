"""The task `Sleep`, which lets time pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from penstock.tasks.contract.task import Context


@dataclass(frozen=True)
class Sleep:
    """Waits; ends at once when the execution is killed.

    ```yaml
    id: wait
    type: io.kestra.plugin.core.flow.Sleep
    duration: PT5S
    ```
    """

    duration: timedelta
    """How long to wait, as an ISO-8601 duration."""

    def run(self, context: Context) -> None:
        seconds = max(0.0, self.duration.total_seconds())
        context.log(f"Waiting for {seconds:g} s")
        context.wait(seconds)
