"""Which files an execution of the cluster may use besides its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from penstock.controller.files.provenance import Provenance
from penstock.controller.runtime.indexes import ObjectStore
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.status.execution_records import ExecutionRecords
from penstock.storage.access import (
    ExecutionRecord,
    HandedFiles,
    ancestors,
    needed,
    texts_with_uris,
    why_not_handed,
)
from penstock.storage.uris import ExecutionPlace, executions_in, may_read, paths_in


@dataclass(frozen=True)
class FileAccess:
    """Asks the rule of :mod:`penstock.storage.access`, with the executions that were seen."""

    executions: ObjectStore
    provenance: Provenance

    def parents(self, body: Object) -> tuple[ExecutionPlace, ...]:
        """The executions all of whose files it may use, nearest first.

        Raises :class:`~penstock.storage.errors.StorageUnavailable` while it can't be told who
        called one that is still to begin.
        """
        return ancestors(self._record(body), self._records(body).get)

    def needed(self, body: Object) -> tuple[str, ...]:
        """The names of the executions whose files it may have to do with. Raises the same."""
        return needed(self._record(body), self._records(body).get)

    def why_not_handed(self, body: Object, path: str) -> str | None:
        """Why a file of another execution may not be used by this one; None where it may."""
        return why_not_handed(path, self._record(body), self._records(body).get)

    def handed(
        self, body: Object, parents: Sequence[ExecutionPlace], named_in: Any
    ) -> frozenset[str]:
        """The paths of the files that values name and that were handed to it, but for its own and
        those of its ``parents``. Raises ``StorageError``."""
        named = {path for text in texts_with_uris(named_in) for path in paths_in(text)}
        if not named:
            return frozenset()
        record, find = self._record(self._newest(body)), self._records(body).get
        rule, place = HandedFiles(record, find), record.place
        return frozenset(
            path
            for path in named
            if place is not None
            and executions_in(path)
            and not may_read(path, place, parents)
            and rule.why_not(path) is None
        )

    def _newest(self, body: Object) -> Object:
        """The execution with the status that was written last, which may have its first inputs."""
        meta = body["metadata"]
        seen = self.executions.get(meta["namespace"], meta["name"])
        return seen if seen is not None and seen["metadata"]["uid"] == meta["uid"] else body

    def _records(self, body: Object) -> ExecutionRecords:
        namespace = body["metadata"]["namespace"]
        return ExecutionRecords(lambda name: self.executions.get(namespace, name))

    def _record(self, body: Object) -> ExecutionRecord:
        """The record of an execution, which may be one that is still to begin."""
        records = self._records(body)
        record = records.of(body)
        if record.place is not None:
            return record
        caller = self.provenance.caller(body)
        parent = None if caller is None else records.caller(caller.execution, caller.uid)
        given = (body.get("spec") or {}).get("inputs")
        return replace(record, parent=parent, inputs=given)
