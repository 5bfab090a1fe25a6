"""The tasks that filter and deduplicate the items of a file: ION or JSON, one a line."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from penstock.tasks.contract.records import extension, items, making
from penstock.tasks.contract.task import Context, TaskFailure

_FALSE = frozenset({"false", "0", "-0"})


@dataclass(frozen=True)
class FilterItems:
    """Keeps those items of a file for which a condition holds.

    ```yaml
    id: filter
    type: io.kestra.plugin.core.storage.FilterItems
    from: "{{ inputs.file }}"
    filterCondition: "{{ amount > 10 }}"
    ```
    """

    from_: str
    """The URI of the file."""
    filter_condition: str
    """An expression over the fields of one item."""
    filter_type: Literal["INCLUDE", "EXCLUDE"] = "INCLUDE"
    """Whether the items for which the condition holds are kept or dropped."""
    error_or_null_behavior: Literal["FAIL", "INCLUDE", "EXCLUDE"] = "FAIL"
    """What to do with an item for which the condition gives nothing, or an error."""

    def run(self, context: Context) -> Mapping[str, Any]:
        processed = kept = 0
        with (
            context.services.files.open(self.from_) as source,
            making(context, f"filtered{extension(self.from_) or '.ion'}") as made,
        ):
            for line, item in items(context, source):
                processed += 1
                if self._keeps(context, item):
                    kept += 1
                    made.file.write(line + b"\n")
        return {
            "uri": made.uri,
            "processedItemsTotal": processed,
            "droppedItemsTotal": processed - kept,
        }

    def _keeps(self, context: Context, item: Mapping[str, Any]) -> bool:
        try:
            text = context.services.render(self.filter_condition, item)
        except TaskFailure:
            if self.error_or_null_behavior == "FAIL":
                raise
            text = None
        if text:
            return (text not in _FALSE) is (self.filter_type == "INCLUDE")
        if self.error_or_null_behavior == "FAIL":
            raise TaskFailure(
                f"Expression `{self.filter_condition}` return `null` on item `{item}`"
            )
        return self.error_or_null_behavior == "INCLUDE"


@dataclass(frozen=True)
class DeduplicateItems:
    """Keeps, of the items of a file that have the same key, the last one.

    ```yaml
    id: unique
    type: io.kestra.plugin.core.storage.DeduplicateItems
    from: "{{ inputs.file }}"
    expr: "{{ id }}"
    ```
    """

    from_: str
    """The URI of the file."""
    expr: str
    """An expression over the fields of one item, which gives its key."""

    def run(self, context: Context) -> Mapping[str, Any]:
        files = context.services.files
        last: dict[bytes, int] = {}
        total = 0
        with files.open(self.from_) as source:
            for _, item in items(context, source):
                last[self._key(context, item)] = total
                total += 1
        kept = set(last.values())
        with (
            files.open(self.from_) as source,
            making(context, f"deduplicated{extension(self.from_) or '.ion'}") as made,
        ):
            for number, (line, _) in enumerate(items(context, source)):
                if number in kept:
                    made.file.write(line + b"\n")
        return {
            "uri": made.uri,
            "numKeys": len(last),
            "processedItemsTotal": total,
            "droppedItemsTotal": total - len(kept),
        }

    def _key(self, context: Context, item: Mapping[str, Any]) -> bytes:
        """The digest of an item's key, so that keys of any length take little memory."""
        text = context.services.render(self.expr, item) or ""
        return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
