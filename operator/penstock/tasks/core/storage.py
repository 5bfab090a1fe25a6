"""The tasks that write, join, measure, reverse and delete files of the internal storage."""

from __future__ import annotations

import io
import tempfile
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from penstock.tasks.contract.records import copy, encoded, making, records
from penstock.tasks.contract.task import Context, TaskFailure
from penstock.tasks.contract.texts import Text


@dataclass(frozen=True)
class Write:
    """Writes text to a file.

    ```yaml
    id: write
    type: io.kestra.plugin.core.storage.Write
    content: "{{ outputs.call.body }}"
    extension: .json
    ```
    """

    content: Text
    """The text."""
    extension: str | None = None
    """The extension of the file, such as `.txt`."""

    def run(self, context: Context) -> Mapping[str, Any]:
        source = io.BytesIO(encoded(self.content))
        return {"uri": context.services.files.put(f"content{self.extension or ''}", source)}


@dataclass(frozen=True)
class Concat:
    """Puts files together, one after the other.

    ```yaml
    id: join
    type: io.kestra.plugin.core.storage.Concat
    files: ["{{ inputs.first }}", "{{ inputs.second }}"]
    separator: "\\n"
    ```
    """

    files: list[str]
    """The URIs of the files."""
    separator: str | None = None
    """A text that is written after each file, also after the last."""
    extension: str = ".tmp"
    """The extension of the new file."""

    def run(self, context: Context) -> Mapping[str, Any]:
        files = context.services.files
        with making(context, f"concat{self.extension}") as made:
            for uri in self.files:
                with files.open(uri) as source:
                    copy(context, source, made.file)
                made.file.write(encoded(self.separator or ""))
        return {"uri": made.uri}


@dataclass(frozen=True)
class Delete:
    """Deletes a file.

    ```yaml
    id: remove
    type: io.kestra.plugin.core.storage.Delete
    uri: "{{ outputs.write.uri }}"
    ```
    """

    uri: str
    """The URI of the file."""
    error_on_missing: bool = False
    """Whether the task fails where there is no such file."""

    def run(self, context: Context) -> Mapping[str, Any]:
        deleted = context.services.files.delete(self.uri)
        if not deleted and self.error_on_missing:
            raise TaskFailure(f"Unable to find file '{self.uri}'")
        return {"uri": self.uri, "deleted": deleted}


@dataclass(frozen=True)
class Size:
    """Measures a file.

    ```yaml
    id: size
    type: io.kestra.plugin.core.storage.Size
    uri: "{{ outputs.write.uri }}"
    ```
    """

    uri: str
    """The URI of the file."""

    def run(self, context: Context) -> Mapping[str, Any]:
        return {"size": context.services.files.size(self.uri)}


@dataclass(frozen=True)
class Reverse:
    """Turns the order of a file's lines round.

    ```yaml
    id: turn
    type: io.kestra.plugin.core.storage.Reverse
    from: "{{ outputs.write.uri }}"
    ```
    """

    from_: str
    """The URI of the file."""
    separator: str = "\n"
    """What ends a line."""
    charset: str = "UTF-8"
    """The charset of the separator."""

    def run(self, context: Context) -> Mapping[str, Any]:
        separator = encoded(self.separator, self.charset)
        with (
            context.services.files.open(self.from_) as source,
            tempfile.TemporaryFile(prefix="penstock-") as lines,
            making(context, "reversed.txt") as made,
        ):
            ends = _written(context, source, lines, separator)
            for index in reversed(range(len(ends))):
                start = ends[index - 1] if index else 0
                lines.seek(start)
                made.file.write(lines.read(ends[index] - start) + separator)
        return {"uri": made.uri}


def _written(context: Context, source: BinaryIO, lines: BinaryIO, separator: bytes) -> array[int]:
    """Write the lines one after the other; gives the places where they end."""
    ends = array("Q")
    for number, line in enumerate(records(source, separator)):
        if number % 1000 == 0:
            context.wait(0)
        lines.write(line)
        ends.append(lines.tell())
    return ends


@dataclass(frozen=True)
class PurgeCurrentExecutionFiles:
    """Deletes every file of the execution.

    ```yaml
    id: purge
    type: io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles
    ```
    """

    def run(self, context: Context) -> Mapping[str, Any]:
        return {"uris": context.services.files.purge()}
