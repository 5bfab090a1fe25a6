"""The GitSource reconciler: from a commit to Flows, file by file.

Its verdict on a GitSource is a reason: `Applied`, `FilesFailed`, or Git's own where nothing could
be fetched; which conditions follow from it stands in `resources/conditions.py`. A suspended one
keeps its conditions.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from pydantic import ValidationError

from penstock.controller.gitsources.commit_files import LIMITS, CommitFiles
from penstock.controller.gitsources.git_client import Git
from penstock.controller.gitsources.namespacefiles import NamespaceFolders, is_namespace_file
from penstock.controller.gitsources.source_status import (
    requested_at,
    status_of_applied,
    status_of_failed,
    told_of_applied,
    told_of_failed,
)
from penstock.controller.gitsources.sourcefiles import Judge, WantedFlow, problems_text
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import is_missing, is_unanswered
from penstock.controller.runtime.recorder import Recorder
from penstock.controller.runtime.status_writer import write_status
from penstock.engine.interface.actions import Report
from penstock.git import GitError, Reference, Remote, Wanted
from penstock.kubernetes.api.client import FLOWS, GIT_SOURCES, Api, ApiError, Object
from penstock.resources.conditions import is_ready
from penstock.resources.flow import (
    BLOB_ANNOTATION,
    COMMIT_ANNOTATION,
    PROBLEMS_ANNOTATION,
    SOURCE_LABEL,
)
from penstock.resources.gitsource import (
    FileProblem,
    GitSourceSpec,
    GitSourceStatus,
    InventoryEntry,
    seconds,
)
from penstock.resources.stored import status_of
from penstock.storage.errors import StorageError
from penstock.types import flow_parser

FIELD_MANAGER = "penstock-git"
INVALID = "invalid"
"""Stands for the hash of a file whose Flow does not hold what the file says."""
_COMMITS_AT_ONCE = 4
"""Commits whose files are on this machine's disk at once, of whichever GitSources."""
_FILES_AT_ONCE = 2
"""Files that are read at once: the values of one take many times its bytes."""


class GitSourceReconciler:
    """Brings the Flows of one GitSource to a commit."""

    def __init__(
        self,
        api: Api,
        sources: ObjectStore,
        flows: ObjectStore,
        recorder: Recorder,
        git: Git,
        folders: NamespaceFolders,
    ) -> None:
        self._api = api
        self._sources = sources
        self._flows = flows
        self._recorder = recorder
        self._git = git
        self._folders = folders
        self._commits = asyncio.Semaphore(_COMMITS_AT_ONCE)
        self._reading = asyncio.Semaphore(_FILES_AT_ONCE)
        self._syncs: dict[str, asyncio.Task[GitSourceStatus]] = {}
        """What goes on, by the uid of the GitSource."""

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Seconds after which to ask the remote again, or None."""
        body = self._sources.get(namespace, name)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return None
        before = status_of(GitSourceStatus, body)
        try:
            spec = GitSourceSpec.model_validate(body.get("spec") or {})
        except ValidationError as error:
            await self._fail(body, before, "InvalidSpec", _first_problem(error))
            return None
        if spec.suspend:
            return None
        try:
            status = await self._while_there(body, self._sync(body, spec, before))
        except GitError as error:
            await self._fail(body, before, error.reason, str(error))
        except StorageError as error:
            await self._fail(body, before, "StorageFailed", str(error))
        else:
            if status is None:
                return None
            await self._write(body, before, status)
        return seconds(spec.interval) * random.uniform(0.95, 1.05)

    def stop(self, body: Object) -> None:
        """A GitSource is gone, or says something else now: what goes on for it ends, and with it
        its Git. Its Flows stay."""
        sync = self._syncs.get(body["metadata"]["uid"])
        if sync is not None:
            sync.cancel()

    async def _while_there(
        self, body: Object, work: Coroutine[Any, Any, GitSourceStatus]
    ) -> GitSourceStatus | None:
        """What a sync comes to; None where it was stopped."""
        uid = body["metadata"]["uid"]
        sync = asyncio.create_task(work)
        self._syncs[uid] = sync
        try:
            await asyncio.wait({sync})
        finally:
            sync.cancel()  # where nobody waits for it any more
            if self._syncs.get(uid) is sync:
                del self._syncs[uid]
        return None if sync.cancelled() else sync.result()

    async def _sync(
        self, body: Object, spec: GitSourceSpec, before: GitSourceStatus
    ) -> GitSourceStatus:
        meta = body["metadata"]
        remote = _remote(spec)
        commit = await self._git.resolve(meta["namespace"], remote)
        present = [entry for entry in before.inventory if self._is_there(body, entry)]
        as_noted = [entry for entry in present if self._is_as_noted(body, entry)]
        if self._is_current(body, before, commit, len(as_noted)):
            return before
        # Before the flows: those of the same commit read them.
        problems = await self._folders.take_in(body, spec, remote, commit)
        wanted = Wanted(commit, known=_known(before.inventory, as_noted), limits=LIMITS)
        async with AsyncExitStack() as held:
            git = self._git.snapshot(meta["namespace"], meta["uid"], remote, wanted)
            async with git as records:
                files = held.enter_context(CommitFiles())
                # The first record comes once Git has done its part: only then is there a wait.
                files.take(await anext(records))
                await held.enter_async_context(self._commits)
                async for record in records:
                    files.take(record)
            return await self._take_in(body, spec, before, present, files, problems)

    def _is_current(self, body: Object, before: GitSourceStatus, commit: str, present: int) -> bool:
        return (
            before.applied_commit == commit
            and before.observed_generation == body["metadata"].get("generation")
            and before.last_handled_reconcile_at == requested_at(body)
            and is_ready(before.conditions)
            and present == len(before.inventory)
        )

    async def _take_in(
        self,
        body: Object,
        spec: GitSourceSpec,
        before: GitSourceStatus,
        present: list[InventoryEntry],
        files: CommitFiles,
        problems: list[FileProblem],
    ) -> GitSourceStatus:
        """Apply the flows of a commit, and delete those that it has no more."""
        paths = {path for path in files.unchanged if not is_namespace_file(spec, path)}
        unchanged = [entry for entry in present if entry.path in paths]
        problems = problems + [
            FileProblem(path=item.path, message=item.reason)
            for item in files.skipped
            if not is_namespace_file(spec, item.path)
        ]
        applied: list[InventoryEntry] = []
        judge = Judge(flow_parser())
        for file in files:
            if is_namespace_file(spec, file.path):
                continue
            async with self._reading:
                for wanted in await asyncio.to_thread(judge.flows_of, file):
                    entry, found = await self._apply(body, wanted, files.commit, unchanged)
                    applied += [entry] if entry is not None else []
                    problems += found
        problems = judge.problems + problems
        kept_names = {entry.flow for entry in (*unchanged, *applied)}
        dropped: list[InventoryEntry] = []
        kept: list[InventoryEntry] = []
        for entry in present:
            if entry.flow not in kept_names:
                stays = entry.path in judge.unreadable or not spec.prune
                (kept if stays else dropped).append(entry)
        for entry in dropped:
            await self._prune(body, entry)
        inventory = sorted([*unchanged, *applied, *kept], key=lambda entry: entry.flow)
        status = status_of_applied(body, before, files.commit, inventory, problems)
        for report in told_of_applied(before, status, problems):
            self._recorder.record(body, report)
        return status

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
            return _entry(wanted, existing, blob=INVALID), list(wanted.problems)
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
            return _entry(wanted, existing, blob=INVALID), found
        self._flows.put(applied)
        return _entry(wanted, applied, INVALID if wanted.problems else None), list(wanted.problems)

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

    def _is_as_noted(self, body: Object, entry: InventoryEntry) -> bool:
        """Whether a Flow is what the status says. A sync that was stopped, or whose controller
        died, may have applied another version that no status tells of."""
        existing = self._flows.get(body["metadata"]["namespace"], entry.flow) or {}
        blob = (existing.get("metadata", {}).get("annotations") or {}).get(BLOB_ANNOTATION)
        return entry.blob == INVALID or blob in (None, entry.blob)

    async def _fail(self, body: Object, before: GitSourceStatus, reason: str, message: str) -> None:
        status = status_of_failed(body, before, reason, message)
        for report in told_of_failed(before, status, reason, message):
            self._recorder.record(body, report)
        await self._write(body, before, status)

    async def _write(self, body: Object, before: GitSourceStatus, status: GitSourceStatus) -> None:
        if status == before:
            return
        try:
            await write_status(self._api, GIT_SOURCES, self._sources, body, status.to_json())
        except ApiError as error:
            if not is_missing(error):
                raise


def _remote(spec: GitSourceSpec) -> Remote:
    ref = spec.ref
    reference = Reference() if ref is None else Reference(ref.branch, ref.tag, ref.commit)
    return Remote(spec.url, reference, spec.path, seconds(spec.timeout))


def _known(inventory: list[InventoryEntry], present: list[InventoryEntry]) -> dict[str, str]:
    """The blobs of the files, by path, whose Flows all are as the file says."""
    there = {entry.flow for entry in present}
    blobs: dict[str, set[str]] = {}
    for entry in inventory:
        blob = entry.blob if entry.flow in there else "gone"
        blobs.setdefault(entry.path, set()).add(blob)
    return {path: found.pop() for path, found in blobs.items() if len(found) == 1}


def _first_problem(error: ValidationError) -> str:
    """What is wrong with a spec, and where."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, ("spec", *first["loc"])))
    return f"{place}: {first['msg'].removeprefix('Value error, ')}"


def _owned(flow: Object, source: str) -> bool:
    return (flow["metadata"].get("labels") or {}).get(SOURCE_LABEL) == source


def _entry(wanted: WantedFlow, flow: Object, blob: str | None = None) -> InventoryEntry:
    """`blob` stands for the file's where the Flow does not hold what the file says."""
    return InventoryEntry(
        path=wanted.path, blob=blob or wanted.blob, flow=wanted.name, uid=flow["metadata"]["uid"]
    )
