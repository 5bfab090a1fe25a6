"""The GitSource reconciler: from a commit to Flows, file by file. A commit is read whole before
anything of it is applied.

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

from penstock.controller.gitsources.commit_files import LIMITS, CommitFiles
from penstock.controller.gitsources.commit_flows import CommitFlows, TooManyFlows
from penstock.controller.gitsources.file_reader import FileReader
from penstock.controller.gitsources.flow_applier import FlowApplier
from penstock.controller.gitsources.git_client import Git
from penstock.controller.gitsources.namespacefiles import NamespaceFolders, is_namespace_file
from penstock.controller.gitsources.source_status import (
    TOO_MANY,
    is_refused,
    requested_at,
    status_of_applied,
    status_of_failed,
    told_of_applied,
    told_of_failed,
)
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import is_missing
from penstock.controller.runtime.recorder import Recorder
from penstock.controller.runtime.status_writer import write_status
from penstock.flow.problems import Problem
from penstock.git import GitError, Reference, Remote, Wanted
from penstock.kubernetes.api.client import GIT_SOURCES, Api, ApiError, Object
from penstock.resources.conditions import is_ready
from penstock.resources.gitsource import (
    GitSourceSpec,
    GitSourceStatus,
    InventoryEntry,
    seconds,
)
from penstock.resources.stored import InvalidSpec, spec_of, status_of
from penstock.storage.errors import StorageError

_COMMITS_AT_ONCE = 4
"""Commits whose files are on this machine's disk at once, of whichever GitSources."""


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
        reader: FileReader,
    ) -> None:
        self._api = api
        self._sources = sources
        self._recorder = recorder
        self._git = git
        self._folders = folders
        self._reader = reader
        self._applier = FlowApplier(api, flows, recorder)
        self._commits = asyncio.Semaphore(_COMMITS_AT_ONCE)
        self._syncs: dict[str, asyncio.Task[GitSourceStatus]] = {}
        """What goes on, by the uid of the GitSource."""

    async def reconcile(self, namespace: str, name: str) -> float | None:
        """Seconds after which to ask the remote again, or None."""
        body = self._sources.get(namespace, name)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return None
        before = status_of(GitSourceStatus, body)
        try:
            spec = spec_of(GitSourceSpec, body)
        except InvalidSpec as error:
            await self._fail(body, before, error.reason, str(error))
            return None
        if spec.suspend:
            return None
        try:
            status = await self._while_there(body, self._sync(body, spec, before))
        except GitError as error:
            await self._fail(body, before, error.reason, str(error))
        except StorageError as error:
            await self._fail(body, before, "StorageFailed", str(error))
        except TooManyFlows as error:
            await self._fail(body, before, TOO_MANY, str(error), error.commit)
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
        present = [entry for entry in before.inventory if self._applier.is_there(body, entry)]
        as_noted = [entry for entry in present if self._applier.is_as_noted(body, entry)]
        if self._is_settled(body, before, commit, len(as_noted)):
            return before
        wanted = Wanted(commit, known=_known(before.inventory, as_noted), limits=LIMITS)
        async with AsyncExitStack() as held:
            files, flows = held.enter_context(CommitFiles()), held.enter_context(CommitFlows())
            git = self._git.snapshot(meta["namespace"], meta["uid"], remote, wanted)
            async with git as records:
                # The first record comes once Git has done its part: only then is there a wait.
                files.take(await anext(records))
                await held.enter_async_context(self._commits)
                async for record in records:
                    files.take(record)
            unchanged = await self._read(body, spec, files, flows, present)
            flows.check_room(commit, unchanged.values(), _kept(present, unchanged, flows, spec))
            # Before the flows: those of the same commit read them.
            flows.problems.add_told(await self._folders.take_in(body, spec, remote, commit))
            return await self._take_in(body, spec, before, commit, present, unchanged, flows)

    def _is_settled(self, body: Object, before: GitSourceStatus, commit: str, present: int) -> bool:
        """Whether nothing is to be done: the commit was taken in, or refused as a whole."""
        asked = (before.observed_generation, before.last_handled_reconcile_at)
        if asked != (body["metadata"].get("generation"), requested_at(body)):
            return False
        if is_refused(before):
            return before.attempted_commit == commit
        is_applied = before.applied_commit == commit and is_ready(before.conditions)
        return is_applied and present == len(before.inventory)

    async def _read(
        self,
        body: Object,
        spec: GitSourceSpec,
        files: CommitFiles,
        flows: CommitFlows,
        present: list[InventoryEntry],
    ) -> dict[str, InventoryEntry]:
        """Read the flows of a commit. Returns the entries of files that are as they were, by the
        name of the Flow."""
        paths = {path for path in files.unchanged if not is_namespace_file(spec, path)}
        for item in files.skipped:
            if not is_namespace_file(spec, item.path):
                flows.problems.add(item.path, [Problem((), item.reason)])
        for file in files:
            if not is_namespace_file(spec, file.path):
                flows.take(await self._reader.read(body["metadata"]["namespace"], file))
        return {entry.flow: entry for entry in present if entry.path in paths}

    async def _take_in(
        self,
        body: Object,
        spec: GitSourceSpec,
        before: GitSourceStatus,
        commit: str,
        present: list[InventoryEntry],
        unchanged: dict[str, InventoryEntry],
        flows: CommitFlows,
    ) -> GitSourceStatus:
        """Apply the flows of a commit, and delete those that it has no more."""
        applied: list[InventoryEntry] = []
        for wanted in flows:
            entry = await self._applier.apply(body, wanted, commit, unchanged, flows.problems)
            applied += [entry] if entry is not None else []
        names = {*unchanged, *(entry.flow for entry in applied)}
        kept: list[InventoryEntry] = []
        for entry in present:
            if entry.flow not in names:
                if entry.path in flows.unreadable or not spec.prune:
                    kept.append(entry)
                else:
                    await self._applier.prune(body, entry)
        inventory = sorted([*unchanged.values(), *applied, *kept], key=lambda entry: entry.flow)
        status = status_of_applied(body, before, commit, inventory, flows.problems)
        for report in told_of_applied(before, status):
            self._recorder.record(body, report)
        return status

    async def _fail(
        self,
        body: Object,
        before: GitSourceStatus,
        reason: str,
        message: str,
        commit: str | None = None,
    ) -> None:
        """Say why a sync could not be made; ``commit`` is the one that is refused."""
        status = status_of_failed(body, before, reason, message)
        if commit is not None:
            status = status.model_copy(update={"attempted_commit": commit})
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


def _kept(
    present: list[InventoryEntry],
    unchanged: dict[str, InventoryEntry],
    flows: CommitFlows,
    spec: GitSourceSpec,
) -> list[InventoryEntry]:
    """The entries of Flows that stay though the commit has none of their name."""
    return [
        entry
        for entry in present
        if entry.flow not in unchanged
        and entry.flow not in flows.names
        and (entry.path in flows.unreadable or not spec.prune)
    ]
