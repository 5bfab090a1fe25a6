"""The task `OutputValues`, which makes values known to later tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.tasks.contract.task import Context


@dataclass(frozen=True)
class OutputValues:
    """Gives rendered values back.

    Outputs: `values`, the rendered map.

    ```yaml
    id: prices
    type: io.kestra.plugin.core.output.OutputValues
    values:
      total: "{{ inputs.price * 2 }}"
    ```
    """

    values: dict[str, Any]
    """The values by name."""

    def run(self, context: Context) -> Mapping[str, Any]:
        return {"values": self.values}
