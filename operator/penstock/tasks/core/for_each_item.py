"""The first and the last task of a ForEachItem: one splits the items, one merges the outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from penstock.tasks.contract.task import Context
from penstock.tasks.core.split import Split


@dataclass(frozen=True)
class Batch:
    """How many items a batch has; see :class:`Split`."""

    rows: int | None = None
    partitions: int | None = None
    bytes: str | None = None
    separator: str = "\n"


@dataclass(frozen=True)
class SplitItems:
    """Splits the items into files, one for each batch."""

    items: str
    """The URI of the file with the items."""
    batch: Batch

    def run(self, context: Context) -> Mapping[str, Any]:
        way = self.batch
        by_rows = way.rows is None and way.partitions is None and way.bytes is None
        split = _Batches(
            self.items, way.bytes, way.partitions, 1 if by_rows else way.rows, way.separator
        )
        uris: list[str] = split.run(context)["uris"]
        files = context.services.files
        listed = files.put("batches.txt", BytesIO("".join(f"{uri}\n" for uri in uris).encode()))
        pattern = uris[0].replace(_Batches.name(1), _Batches.name("*")) if uris else ""
        return {"splits": listed, "count": len(uris), "pattern": pattern}


class _Batches(Split):
    """Keeps files under names that are counted from 0, whatever the items' file is called."""

    @staticmethod
    def name(number: int | str) -> str:
        return f"batch-{number - 1 if isinstance(number, int) else number}.txt"

    def _name(self, number: int) -> str:
        return self.name(number)


@dataclass(frozen=True)
class MergeOutputs:
    """Writes the outputs of all executions into one file, a line of JSON each."""

    children: list[Any]

    def run(self, context: Context) -> Mapping[str, Any] | None:
        if not self.children:
            return None
        lines = "".join(f"{json.dumps(child, ensure_ascii=False)}\n" for child in self.children)
        uri = context.services.files.put("outputs.jsonl", BytesIO(lines.encode()))
        return {"subflowOutputs": uri}
