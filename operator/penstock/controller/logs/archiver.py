"""Keeps the logs of tasks: what a pod printed goes to the internal storage when it has ended, and
now and then while it runs, so that a lost node loses little.

Nothing waits for it but a task that reads logs. It has workers of its own; what is archived is
known by what stands in the storage, so a controller that starts anew goes on where it was: every
pod that is still there is looked at.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cachetools import FIFOCache

from penstock.controller.files.storage_access import StorageAccess
from penstock.controller.logs.kubelets import Kubelets
from penstock.controller.logs.uploader import LogKeeper, PodLog, log_of
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import ObjectStore, version_of
from penstock.controller.runtime.outcomes import After, AtOnce, Done, Outcome, is_unanswered
from penstock.controller.runtime.queue import Key, KeyedQueue
from penstock.engine.interface.actions import AttemptKey, StartAttempt
from penstock.kubernetes.api.client import Api, ApiError, Object
from penstock.kubernetes.logs.archive import LogArchive
from penstock.kubernetes.logs.collect import has_begun
from penstock.kubernetes.observation import podstatus
from penstock.kubernetes.status.execution_records import place_of
from penstock.storage.errors import StorageError
from penstock.tasks.contract.core_types import core_type
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.core.templated import TEMPLATED, inner_task

logger = logging.getLogger(__name__)

WORKERS = 8
"""Logs that are read at once. Most wait for a kubelet, some for the end of a pod that is being
deleted: fewer let the log of another such pod be gone before its turn."""
FIRST_PART = 10.0
"""Seconds that a task runs until a part of its log is kept: before the kubelet moves any of it."""
NEXT_PART = 60.0
"""Seconds until the next part; a hundredth of the task's age where that is more."""
FETCH = "io.kestra.plugin.core.log.Fetch"
_LONGEST_WAIT = timedelta(seconds=60)
"""How long an attempt waits for logs that it reads."""
_PATIENCE = 300.0
"""Seconds for which a log that cannot be read, or not kept, is tried again."""
_BEFORE_STOP = 3.0
"""Seconds that stopping tasks waits at most until what they printed is kept."""
_SETTLED = 20_000


@dataclass(frozen=True)
class _Awaits:
    """Marks an execution with an attempt that reads a log, and waits for it to be archived."""

    log: Key


@dataclass
class _Awaited:
    """The logs that attempts of one execution wait for: a slot of its memory."""

    by_attempt: dict[AttemptKey, set[Key]] = field(default_factory=dict)


class Logs:
    """Archives the logs of all executions."""

    def __init__(
        self,
        api: Api,
        storage: StorageAccess,
        executions: ObjectStore,
        memories: ExecutionMemories,
        look_again: Callable[[Key, float], None],
    ) -> None:
        self.queue = KeyedQueue(self._archive, WORKERS)
        self._keeper = LogKeeper(api)
        self._kubelets = Kubelets()
        self._storage = storage
        self._executions = executions
        self._memories = memories
        self._look_again = look_again
        self._logs: dict[Key, PodLog] = {}
        self._of: dict[str, set[Key]] = {}
        """The logs that are not settled, by the uid of their execution, which may have ended."""
        self._before_stop = asyncio.Semaphore(WORKERS)
        self._settled: FIFOCache[str, None] = FIFOCache(_SETTLED)

    async def run(self) -> None:
        await self.queue.run()

    def seen(self, pod: Object) -> None:
        """A pod was added, changed or removed."""
        if _identity(pod) in self._settled or not has_begun(pod):
            return
        key = _key_of(pod)
        log = self._logs.get(key)
        is_new = log is None
        if log is None:
            log = log_of(pod)
            if log is None:
                return
            self._logs[key] = log
            self._of.setdefault(log.execution_uid, set()).add(key)
        elif version_of(pod) >= version_of(log.pod):
            log.pod = pod
        if log.ends:
            self.queue.add(key)
        elif is_new:
            self.queue.add_later(key, FIRST_PART)

    def execution_gone(self, execution: Object) -> None:
        """Take in that an execution is deleted: nothing of it is archived any more."""
        for key in list(self._of.get(execution["metadata"]["uid"], ())):
            self._settle(key)

    def hold(self, execution: Object, action: StartAttempt) -> bool:
        """Tell whether an attempt has to wait because it reads logs that are not archived yet. It
        does not wait for ever, and the execution looks again when it has waited enough.
        """
        properties = _of_fetch(action)
        late = datetime.now(UTC) - action.attempt.created_date
        if properties is None or late > _LONGEST_WAIT:
            return False
        meta = execution["metadata"]
        named = properties.get("executionId")
        read = self._executions.get(meta["namespace"], str(named)) if named else execution
        asking = Key("Execution", meta["namespace"], meta["name"])
        if read is None or self._are_complete(read["metadata"]["uid"], execution, action.key):
            return False
        self._look_again(asking, (_LONGEST_WAIT - late).total_seconds() + 0.1)
        return True

    def _are_complete(self, execution_uid: str, asking: Object, attempt: AttemptKey) -> bool:
        """Tell whether all that an execution printed until this was first asked is archived. The
        execution that asks looks again when that has become true.
        """
        awaited = self._memories.of(asking["metadata"]["uid"], _Awaited).by_attempt
        if attempt not in awaited:
            awaited[attempt] = set(self._of.get(execution_uid, ()))
            for key in awaited[attempt]:
                self._memories.mark(asking, _Awaits(key))
                self.queue.add(key)
        if awaited[attempt]:
            return False
        del awaited[attempt]
        return True

    async def keep_before_stop(self, pods: Iterable[Object]) -> None:
        """Keep what tasks have printed that are about to be stopped: their pods may be gone before
        the log of such a one has its turn. Whatever fails here is tried again as for any log that
        ends, so a task is stopped all the same."""
        keys = {
            key for pod in pods if (log := self._logs.get(key := _key_of(pod))) and not log.ends
        }
        reading = [asyncio.create_task(self._keep_now(key, self._logs[key])) for key in keys]
        if reading:
            await asyncio.wait(reading, timeout=_BEFORE_STOP)

    async def _keep_now(self, key: Key, log: PodLog) -> None:
        async with self._before_stop:
            if self._kubelets.turn(log.node):
                return
            try:
                if await self._bring_on(log):
                    self._settle(key)
            except (ApiError, StorageError, OSError) as error:
                logger.info("the log of %s/%s before its end: %s", key.namespace, key.name, error)

    async def _archive(self, key: Key) -> Outcome:
        log = self._logs.get(key)
        if log is None:
            return Done()
        turn = self._kubelets.turn(log.node)
        if turn:
            return await self._put_off(key, log, turn, f"the kubelet of {log.node} did not answer")
        ends = log.ends
        try:
            is_done = await self._bring_on(log)
        except (ApiError, StorageError, OSError) as error:
            if isinstance(error, ApiError) and is_unanswered(error):
                self._kubelets.failed(log.node)
            log.failures += 1
            logger.warning("the log of %s/%s: %s", key.namespace, key.name, error)
            return await self._put_off(key, log, min(2.0**log.failures, NEXT_PART), str(error))
        if is_done:
            self._settle(key)
            return Done()
        if log.ends and not ends:  # it ended meanwhile
            return AtOnce()
        return self._later(key, log)

    async def _put_off(self, key: Key, log: PodLog, seconds: float, why: str) -> Outcome:
        """Try again later; after five minutes the archive says why there is no more."""
        now = time.monotonic()
        log.fails_since = now if log.fails_since is None else log.fails_since
        if now - log.fails_since < _PATIENCE:
            return After(seconds)
        if not log.ends:
            return self._later(key, log)
        await self._give_up(log, why)
        self._settle(key)
        return Done()

    def _later(self, key: Key, log: PodLog) -> Outcome:
        """The task runs on: look again when there may be more, and hold up nobody meanwhile."""
        self._tell(key)
        return After(_until_next(log))

    async def _bring_on(self, log: PodLog) -> bool:
        """Archive what there is; whether that is all there will ever be."""
        archive = self._archive_of(log)
        if archive is None:
            return True
        async with log.turn:
            is_done = await self._keeper.bring_on(log, archive)
        self._kubelets.answered(log.node)
        log.failures, log.fails_since = 0, None
        if self._archive_of(log) is None:  # deleted meanwhile, and its files perhaps before this
            await asyncio.to_thread(archive.delete)
        return is_done

    async def _give_up(self, log: PodLog, why: str) -> None:
        archive = self._archive_of(log)
        with suppress(StorageError, OSError):
            if archive is not None:
                await self._keeper.give_up(log, archive, why)

    def _archive_of(self, log: PodLog) -> LogArchive | None:
        """Open the archive of a log; None where the execution is gone."""
        execution = self._executions.get(log.execution.namespace, log.execution.name)
        if execution is None or execution["metadata"]["uid"] != log.execution_uid:
            return None
        place = place_of(execution)
        storage = self._storage.storage(log.execution.namespace)
        return None if place is None else LogArchive(storage, place, log.execution_uid)

    def _tell(self, key: Key) -> None:
        """Let those executions look again that wait for nothing else than this log."""
        for uid, asking in self._memories.marked(_Awaits(key)).items():
            self._memories.unmark(uid, _Awaits(key))
            for waiting in self._memories.of(uid, _Awaited).by_attempt.values():
                if key in waiting:
                    waiting.discard(key)
                    if not waiting:
                        self._look_again(asking, 0.0)

    def _settle(self, key: Key) -> None:
        log = self._logs.pop(key, None)
        if log is None:
            return
        self._settled[_identity(log.pod)] = None
        others = self._of.get(log.execution_uid, set())
        others.discard(key)
        if not others:
            self._of.pop(log.execution_uid, None)
        self._tell(key)


def _key_of(pod: Object) -> Key:
    meta = pod["metadata"]
    return Key("Log", meta["namespace"], f"{meta['name']}/{podstatus.container_name(pod)}")


def _identity(pod: Object) -> str:
    """Identify a log: a pod may have those of many attempts."""
    return f"{pod['metadata'].get('uid')}/{podstatus.container_name(pod)}"


def _of_fetch(action: StartAttempt) -> Mapping[str, Any] | None:
    """The properties of the task that reads logs; None where it does not."""
    core, properties = core_type(action.task.type), action.properties
    if core is not None and core.name == TEMPLATED:
        try:
            inner, properties = inner_task(str(properties.get("spec")))
        except TaskFailure:  # which is told where the Job is made
            return None
        core = core_type(inner)
    return properties if core is not None and core.name == FETCH else None


def _until_next(log: PodLog) -> float:
    started = podstatus.started(log.pod)
    age = (datetime.now(UTC) - started).total_seconds() if started is not None else 0.0
    return max(NEXT_PART, age / 100)
