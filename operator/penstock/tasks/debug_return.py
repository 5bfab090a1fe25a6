"""Return a rendered value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.tasks.contract import Context


@dataclass(frozen=True)
class Return:
    """Gives a rendered text back.

    Outputs: `value`, the rendered `format`.

    ```yaml
    id: greeting
    type: io.kestra.plugin.core.debug.Return
    format: "Hello, {{ inputs.name }}!"
    ```
    """

    format: str | None = None
    """The text to give back."""

    def run(self, context: Context) -> Mapping[str, Any]:
        if self.format is not None:
            context.log(self.format, "DEBUG")
        return {"value": self.format}
