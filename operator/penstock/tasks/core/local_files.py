"""The task `LocalFiles`, for the files of a working directory that tasks share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.tasks.contract.task import Context
from penstock.tasks.files.input_files import file_map, keep, place


@dataclass(frozen=True)
class LocalFiles:
    """Makes files in the working directory, and keeps files of it.

    ```yaml
    id: files
    type: io.kestra.plugin.core.storage.LocalFiles
    inputs:
      greeting.txt: hello
    outputs: ["*.txt"]
    ```
    """

    inputs: str | dict[str, Any] | None = None
    """The text of each file, or the URI of a file, by file name."""
    outputs: list[str] = field(default_factory=list)
    """Patterns of the files to keep."""

    def run(self, context: Context) -> Mapping[str, Any]:
        services = context.services
        for name, content in file_map("inputs", self.inputs).items():
            place(services.directory, name, content, services.files)
        return {"uris": keep(services.directory, self.outputs, services.files)}
