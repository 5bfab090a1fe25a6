"""Applies the flows of a commit one by one, and deletes those that it has no more."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.controller.gitsources.file_problems import FileProblems
from penstock.controller.gitsources.sourcefiles import LONGEST_PROBLEM, WantedFlow
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import is_unanswered
from penstock.controller.runtime.recorder import Recorder
from penstock.engine.interface.actions import Report
from penstock.flow.problems import Problem
from penstock.kubernetes.api.client import FLOWS, Api, ApiError, Object
from penstock.resources.flow import (
    BLOB_ANNOTATION,
    COMMIT_ANNOTATION,
    PROBLEMS_ANNOTATION,
    SOURCE_LABEL,
)
from penstock.resources.gitsource import InventoryEntry

FIELD_MANAGER = "penstock-git"
INVALID = "invalid"
"""Stands for the hash of a file whose Flow does not hold what the file says."""


class FlowApplier:
    """Makes Flows say what the files of GitSources do. A Flow of somebody else is left alone."""

    def __init__(self, api: Api, flows: ObjectStore, recorder: Recorder) -> None:
        self._api = api
        self._flows = flows
        self._recorder = recorder

    async def apply(
        self,
        body: Object,
        wanted: WantedFlow,
        commit: str,
        unchanged: Mapping[str, InventoryEntry],
        problems: FileProblems,
    ) -> InventoryEntry | None:
        """Apply one flow. Returns its entry where it is the GitSource's, and tells what went wrong.
        ``unchanged`` are the entries of files that are as they were, by the name of the Flow."""
        meta = body["metadata"]
        namespace, source = meta["namespace"], meta["name"]
        existing = self._flows.get(namespace, wanted.name)
        if (other := unchanged.get(wanted.name)) is not None:
            message = f"the flow stands in {other.path} already"
            problems.add(wanted.path, [Problem((), message, line=1)])
            return None
        if existing is not None and not _owned(existing, source):
            message = (
                f"the Flow {wanted.name} is there and does not belong to this GitSource; "
                "delete it or take the flow out of Git"
            )
            problems.add(wanted.path, [Problem((), message)])
            return None
        if existing is not None and wanted.problems:
            problems.add(wanted.path, wanted.problems)
            await self._mark_invalid(existing, wanted)
            return _entry(wanted, existing, blob=INVALID)
        desired = wanted.to_object(namespace, source, commit)
        try:
            applied = await self._api.apply(FLOWS, namespace, wanted.name, desired, FIELD_MANAGER)
        except ApiError as error:
            if is_unanswered(error):
                raise
            refusal = Problem((), str(error)[:LONGEST_PROBLEM], line=1)
            problems.add(wanted.path, wanted.problems or [refusal])
            return None if existing is None else _entry(wanted, existing, blob=INVALID)
        self._flows.put(applied)
        problems.add(wanted.path, wanted.problems)
        return _entry(wanted, applied, INVALID if wanted.problems else None)

    async def prune(self, body: Object, entry: InventoryEntry) -> None:
        """Delete a Flow whose file is gone, if it is still the one that came from it."""
        meta = body["metadata"]
        existing = self._flows.get(meta["namespace"], entry.flow)
        if existing is None or not _owned(existing, meta["name"]):
            return
        await self._api.delete(FLOWS, meta["namespace"], entry.flow, entry.uid)
        self._recorder.record(body, Report("Pruned", f"{entry.path} is gone: deleted {entry.flow}"))

    def is_there(self, body: Object, entry: InventoryEntry) -> bool:
        """Whether the Flow of an entry is still there."""
        existing = self._flows.get(body["metadata"]["namespace"], entry.flow)
        return existing is not None and existing["metadata"]["uid"] == entry.uid

    def is_as_noted(self, body: Object, entry: InventoryEntry) -> bool:
        """Whether a Flow is what the status says. A sync that was stopped, or whose controller
        died, may have applied another version that no status tells of."""
        existing = self._flows.get(body["metadata"]["namespace"], entry.flow) or {}
        blob = (existing.get("metadata", {}).get("annotations") or {}).get(BLOB_ANNOTATION)
        return entry.blob == INVALID or blob in (None, entry.blob)

    async def _mark_invalid(self, existing: Object, wanted: WantedFlow) -> None:
        """Leave the last good spec as it is, and let the Flow say what is wrong with its file."""
        meta = existing["metadata"]
        if (meta.get("annotations") or {}).get(PROBLEMS_ANNOTATION) == wanted.told:
            return
        commit = (meta.get("annotations") or {}).get(COMMIT_ANNOTATION, "")
        source = (meta.get("labels") or {})[SOURCE_LABEL]
        kept = wanted.to_object(meta["namespace"], source, commit) | {"spec": existing["spec"]}
        self._flows.put(
            await self._api.apply(FLOWS, meta["namespace"], meta["name"], kept, FIELD_MANAGER)
        )


def _owned(flow: Object, source: str) -> bool:
    return (flow["metadata"].get("labels") or {}).get(SOURCE_LABEL) == source


def _entry(wanted: WantedFlow, flow: Object, blob: str | None = None) -> InventoryEntry:
    """An entry of the inventory. ``blob`` stands for the file's where the Flow does not hold what
    the file says."""
    return InventoryEntry(
        path=wanted.path, blob=blob or wanted.blob, flow=wanted.name, uid=flow["metadata"]["uid"]
    )
