"""The GitSource reconciler: from a commit to Flows, file by file.

Its verdict on a GitSource is a reason: `Applied`, `FilesFailed`, or Git's own where nothing could
be fetched; which conditions follow from it stands in `resources/conditions.py`. A suspended one
keeps its conditions.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from penstock.controller.gitsources.namespacefiles import NamespaceFolders, is_namespace_file
from penstock.controller.gitsources.sourcefiles import (
    Verdicts,
    WantedFlow,
    format_problem,
    judge,
    problems_text,
)
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import is_missing, is_unanswered
from penstock.controller.runtime.recorder import Recorder
from penstock.controller.runtime.status_writer import write_status
from penstock.engine.interface.actions import Report
from penstock.git import GitError, Reference, Remote, Snapshot, resolve, snapshot
from penstock.kubernetes.api.client import FLOWS, GIT_SOURCES, Api, ApiError, Object
from penstock.resources.conditions import GIT_SOURCE, is_ready
from penstock.resources.flow import COMMIT_ANNOTATION, PROBLEMS_ANNOTATION, SOURCE_LABEL
from penstock.resources.gitsource import (
    FLUX_RECONCILE_ANNOTATION,
    RECONCILE_ANNOTATION,
    FileProblem,
    GitSourceSpec,
    GitSourceStatus,
    InventoryEntry,
)
from penstock.storage.errors import StorageError
from penstock.types import flow_parser

FIELD_MANAGER = "penstock-git"
_MAX_PROBLEMS = 100
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class GitSourceReconciler:
    """Brings the Flows of one GitSource to a commit."""

    def __init__(
        self,
        api: Api,
        sources: ObjectStore,
        flows: ObjectStore,
        recorder: Recorder,
        cache: Path,
        folders: NamespaceFolders,
    ) -> None:
        self._api = api
        self._sources = sources
        self._flows = flows
        self._recorder = recorder
        self._cache = cache
        self._folders = folders
        self._gone: list[Object] = []
        """Deleted GitSources whose caches are still there."""

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Seconds after which to ask the remote again, or None."""
        await self._drop_caches()
        body = self._sources.get(namespace, name)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return None
        before = GitSourceStatus.model_validate(body.get("status") or {})
        try:
            spec = GitSourceSpec.model_validate(body.get("spec") or {})
        except ValidationError as error:
            await self._write(body, before, self._failed(body, before, "InvalidSpec", str(error)))
            return None
        if spec.suspend:
            return None
        interval = seconds(spec.interval) * random.uniform(0.95, 1.05)
        try:
            status = await self._sync(body, spec, before)
        except GitError as error:
            status = self._failed(body, before, error.reason, str(error))
        except StorageError as error:
            status = self._failed(body, before, "StorageFailed", str(error))
        await self._write(body, before, status)
        return interval

    def removed(self, body: Object) -> None:
        """A GitSource is gone: its Flows stay, its caches go with the next reconcile."""
        self._gone.append(body)

    async def _drop_caches(self) -> None:
        while self._gone:
            body = self._gone.pop()
            for cache in (self._cache_of(body), self._files_cache_of(body)):
                await asyncio.to_thread(shutil.rmtree, cache, ignore_errors=True)

    async def _sync(
        self, body: Object, spec: GitSourceSpec, before: GitSourceStatus
    ) -> GitSourceStatus:
        remote = _remote(spec)
        commit = await asyncio.to_thread(resolve, remote)
        present = [entry for entry in before.inventory if self._is_there(body, entry)]
        if self._is_current(body, before, commit, len(present)):
            return before
        # Before the flows: those of the same commit read them.
        cache = self._files_cache_of(body)
        problems = await self._folders.take_in(body, spec, remote, commit, cache)
        files = _flows_only(spec, await self._read(body, remote, commit, present))
        verdicts = await asyncio.to_thread(judge, files.files, flow_parser())
        verdicts = replace(verdicts, problems=(*problems, *verdicts.problems))
        return await self._take_in(body, spec, before, present, files, verdicts)

    def _is_current(self, body: Object, before: GitSourceStatus, commit: str, present: int) -> bool:
        return (
            before.applied_commit == commit
            and before.observed_generation == body["metadata"].get("generation")
            and before.last_handled_reconcile_at == _requested_at(body)
            and is_ready(before.conditions)
            and present == len(before.inventory)
        )

    async def _read(
        self, body: Object, remote: Remote, commit: str, present: list[InventoryEntry]
    ) -> Snapshot:
        """The files of the commit; those whose Flow has the same content already are not read."""
        known = frozenset(entry.blob for entry in present)
        cache = self._cache_of(body)
        files = await asyncio.to_thread(snapshot, remote, commit, cache, known)
        taken = {(entry.path, entry.blob) for entry in present}
        moved = any(
            file.content is None and (file.path, file.blob) not in taken for file in files.files
        )
        if moved:
            files = await asyncio.to_thread(snapshot, remote, commit, cache, frozenset[str]())
        return files

    async def _take_in(
        self,
        body: Object,
        spec: GitSourceSpec,
        before: GitSourceStatus,
        present: list[InventoryEntry],
        files: Snapshot,
        verdicts: Verdicts,
    ) -> GitSourceStatus:
        paths = {file.path for file in files.files if file.content is None}
        unchanged = [entry for entry in present if entry.path in paths]
        problems = [
            *verdicts.problems,
            *(FileProblem(path=item.path, message=item.reason) for item in files.skipped),
        ]
        applied: list[InventoryEntry] = []
        for wanted in verdicts.flows:
            entry, found = await self._apply(body, wanted, files.commit, unchanged)
            applied += [entry] if entry is not None else []
            problems += found
        kept_names = {entry.flow for entry in (*unchanged, *applied)}
        dropped: list[InventoryEntry] = []
        kept: list[InventoryEntry] = []
        for entry in present:
            if entry.flow not in kept_names:
                stays = entry.path in verdicts.unreadable or not spec.prune
                (kept if stays else dropped).append(entry)
        for entry in dropped:
            await self._prune(body, entry)
        inventory = sorted([*unchanged, *applied, *kept], key=lambda entry: entry.flow)
        return self._applied(body, before, files.commit, inventory, problems)

    async def _apply(
        self,
        body: Object,
        wanted: WantedFlow,
        commit: str,
        unchanged: list[InventoryEntry],
    ) -> tuple[InventoryEntry | None, list[FileProblem]]:
        """Apply one flow. Its inventory entry where it is ours, and what went wrong."""
        meta = body["metadata"]
        namespace, source = meta["namespace"], meta["name"]
        existing = self._flows.get(namespace, wanted.name)
        if any(entry.flow == wanted.name for entry in unchanged):
            other = next(entry for entry in unchanged if entry.flow == wanted.name)
            message = f"the flow stands in {other.path} already"
            return None, [FileProblem(path=wanted.path, line=1, message=message)]
        if existing is not None and not _owned(existing, source):
            message = (
                f"the Flow {wanted.name} is there and does not belong to this GitSource; "
                "delete it or take the flow out of Git"
            )
            return None, [FileProblem(path=wanted.path, message=message)]
        if existing is not None and wanted.problems:
            await self._mark_invalid(existing, wanted)
            return _entry(wanted, existing, blob="invalid"), list(wanted.problems)
        try:
            applied = await self._api.apply(
                FLOWS,
                namespace,
                wanted.name,
                wanted.to_object(namespace, source, commit),
                FIELD_MANAGER,
            )
        except ApiError as error:
            if is_unanswered(error):
                raise
            refusal = FileProblem(path=wanted.path, line=1, message=str(error)[:1_000])
            found = list(wanted.problems) or [refusal]
            if existing is None:
                return None, found
            return _entry(wanted, existing, blob="invalid"), found
        self._flows.put(applied)
        return _entry(wanted, applied, "invalid" if wanted.problems else None), list(
            wanted.problems
        )

    async def _mark_invalid(self, existing: Object, wanted: WantedFlow) -> None:
        """The last good spec stays; the Flow says what is wrong with its file."""
        text = problems_text(wanted.problems)
        meta = existing["metadata"]
        if (meta.get("annotations") or {}).get(PROBLEMS_ANNOTATION) == text:
            return
        commit = (meta.get("annotations") or {}).get(COMMIT_ANNOTATION, "")
        source = (meta.get("labels") or {})[SOURCE_LABEL]
        kept = wanted.to_object(meta["namespace"], source, commit) | {"spec": existing["spec"]}
        self._flows.put(
            await self._api.apply(FLOWS, meta["namespace"], meta["name"], kept, FIELD_MANAGER)
        )

    async def _prune(self, body: Object, entry: InventoryEntry) -> None:
        """Delete a Flow whose file is gone, if it is still the one that came from it."""
        meta = body["metadata"]
        existing = self._flows.get(meta["namespace"], entry.flow)
        if existing is None or not _owned(existing, meta["name"]):
            return
        await self._api.delete(FLOWS, meta["namespace"], entry.flow, entry.uid)
        self._recorder.record(body, Report("Pruned", f"{entry.path} is gone: deleted {entry.flow}"))

    def _is_there(self, body: Object, entry: InventoryEntry) -> bool:
        existing = self._flows.get(body["metadata"]["namespace"], entry.flow)
        return existing is not None and existing["metadata"]["uid"] == entry.uid

    def _applied(
        self,
        body: Object,
        before: GitSourceStatus,
        commit: str,
        inventory: list[InventoryEntry],
        problems: list[FileProblem],
    ) -> GitSourceStatus:
        now = datetime.now(UTC)
        generation = int(body["metadata"].get("generation", 0))
        reason, message = "Applied", f"{len(inventory)} flows at {commit[:12]}"
        failed = len({problem.path for problem in problems})
        if problems:
            reason = "FilesFailed"
            message = f"{failed} files of {commit[:12]} could not be taken in: " + "; ".join(
                format_problem(problem) for problem in problems[:10]
            )
        conditions = GIT_SOURCE.judged(before.conditions, reason, message, now, generation)
        if commit != before.applied_commit:
            self._recorder.record(body, Report("Applied", f"{len(inventory)} flows at {commit}"))
        known = {format_problem(problem) for problem in before.problems}
        for problem in problems[:_MAX_PROBLEMS]:
            if format_problem(problem) not in known:
                self._recorder.record(
                    body, Report("FileInvalid", format_problem(problem), warning=True)
                )
        return GitSourceStatus(
            observed_generation=generation,
            applied_commit=commit,
            attempted_commit=commit,
            last_sync=now if commit != before.applied_commit else before.last_sync,
            last_handled_reconcile_at=_requested_at(body),
            flows=len(inventory),
            failed=failed,
            inventory=inventory,
            problems=problems[:_MAX_PROBLEMS],
            conditions=conditions,
        )

    def _failed(
        self, body: Object, before: GitSourceStatus, reason: str, message: str
    ) -> GitSourceStatus:
        now = datetime.now(UTC)
        generation = int(body["metadata"].get("generation", 0))
        conditions = GIT_SOURCE.judged(before.conditions, reason, message, now, generation)
        if conditions != before.conditions:
            self._recorder.record(body, Report(reason, message, warning=True))
        return before.model_copy(
            update={
                "observed_generation": generation,
                "last_handled_reconcile_at": _requested_at(body),
                "conditions": conditions,
            }
        )

    async def _write(self, body: Object, before: GitSourceStatus, status: GitSourceStatus) -> None:
        if status == before:
            return
        try:
            await write_status(self._api, GIT_SOURCES, self._sources, body, status.to_json())
        except ApiError as error:
            if not is_missing(error):
                raise

    def _cache_of(self, body: Object) -> Path:
        """A folder that no name of a user takes part in."""
        return self._cache / str(body["metadata"]["uid"])

    def _files_cache_of(self, body: Object) -> Path:
        """One of its own: what a cache leaves out depends on how large a file may be."""
        return self._cache / f"{body['metadata']['uid']}-files"


def seconds(duration: str) -> float:
    """`1h30m` in seconds. The CRD has checked the form."""
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", duration)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _remote(spec: GitSourceSpec) -> Remote:
    ref = spec.ref
    reference = Reference() if ref is None else Reference(ref.branch, ref.tag, ref.commit)
    return Remote(spec.url, reference, spec.path, seconds(spec.timeout))


def _flows_only(spec: GitSourceSpec, files: Snapshot) -> Snapshot:
    return replace(
        files,
        files=tuple(file for file in files.files if not is_namespace_file(spec, file.path)),
        skipped=tuple(item for item in files.skipped if not is_namespace_file(spec, item.path)),
    )


def _requested_at(body: Object) -> str | None:
    annotations = body["metadata"].get("annotations") or {}
    value = annotations.get(RECONCILE_ANNOTATION) or annotations.get(FLUX_RECONCILE_ANNOTATION)
    return None if value is None else str(value)


def _owned(flow: Object, source: str) -> bool:
    return (flow["metadata"].get("labels") or {}).get(SOURCE_LABEL) == source


def _entry(wanted: WantedFlow, flow: Object, blob: str | None = None) -> InventoryEntry:
    """`blob` stands for the file's where the Flow does not hold what the file says."""
    return InventoryEntry(
        path=wanted.path, blob=blob or wanted.blob, flow=wanted.name, uid=flow["metadata"]["uid"]
    )
