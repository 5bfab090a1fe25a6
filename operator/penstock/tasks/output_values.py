"""Make values known to later tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.tasks.contract import Context


@dataclass(frozen=True)
class OutputValues:
    """Gives the rendered map back as the output `values`."""

    values: dict[str, Any]
    """The values by name."""

    def run(self, context: Context) -> Mapping[str, Any]:
        return {"values": self.values}
