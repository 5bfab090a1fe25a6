"""Tasks that delete what there is no use for any more: executions, logs, keys.

What such a task is about to delete is counted, and the numbers are written on its own execution
before anything is deleted. A controller that was killed in between finds them there, and deletes
what is left: deleting twice is deleting once.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from penstock.cluster.key_value_writer import KeyBusy, KeyValueWriter, PairNameTaken
from penstock.controller.files.execution_index import ExecutionIndex
from penstock.controller.gc.deletions import ExecutionPurge, KeyPurge, LogPurge, Purging
from penstock.controller.keyvalues.index import KeyValueIndex
from penstock.controller.keyvalues.task_effects import attempt_name
from penstock.controller.runtime.attempt_cache import SeenAttempt
from penstock.controller.runtime.failed_attempt import failed
from penstock.controller.runtime.outcomes import WaitingError, is_outrun, is_unanswered
from penstock.controller.runtime.queue import Key
from penstock.engine.interface.actions import Observation, Perform, Purge
from penstock.engine.interface.selecting import PurgeExecutions, PurgeLogs
from penstock.kubernetes.api.client import EXECUTIONS, Api, ApiError, Object
from penstock.kubernetes.api.labels import PLANNED
from penstock.kubernetes.logs.archive import LogArchive
from penstock.kubernetes.logs.purge import Window
from penstock.resources.execution import State
from penstock.storage.errors import StorageError
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace

logger = logging.getLogger(__name__)

_AGAIN = 2.0
"""Seconds until what the API server did not do is tried again."""


class PurgeTasks:
    """Does what such tasks ask for, beside everything else: it may take long."""

    def __init__(
        self,
        api: Api,
        executions: ExecutionIndex,
        storage: Callable[[str], Storage],
        pairs: KeyValueIndex,
        writer: KeyValueWriter,
        look_again: Callable[[Key, float], None],
    ) -> None:
        """``storage`` gives that of a tenant."""
        self._api = api
        self._executions = executions
        self._storage = storage
        self._pairs = pairs
        self._writer = writer
        self._look_again = look_again
        self._running: dict[str, asyncio.Task[None]] = {}

    def begin(self, body: Object, action: Perform, asked: Purge, seen: SeenAttempt) -> None:
        """See to it. How it ended stands then in what is seen of the attempt, and its execution is
        looked at again. What has begun is not begun twice.
        """
        name = attempt_name(body, action.key)
        if name not in self._running:
            self._running[name] = asyncio.create_task(self._run(name, body, asked, seen))

    async def _run(self, name: str, body: Object, asked: Purge, seen: SeenAttempt) -> None:
        meta, wait = body["metadata"], 0.0
        started = datetime.now(UTC)
        try:
            numbers = await self._done(name, body, self._purging(name, body, asked))
            seen.outcome = Observation(State.SUCCESS, started, datetime.now(UTC), outputs=numbers)
        except ApiError as error:
            if is_unanswered(error) or is_outrun(error):
                wait = _AGAIN
            else:
                seen.outcome = failed(error.reason, str(error), started)
        except (WaitingError, KeyBusy):
            wait = _AGAIN
        except PairNameTaken as error:
            seen.outcome = failed(error.reason, str(error), started)
        except (StorageError, OSError) as error:
            seen.outcome = failed("StorageFailed", str(error), started)
        except Exception as error:
            logger.exception("the attempt %s", name)
            seen.outcome = failed("InternalError", f"{type(error).__name__}: {error}", started)
        finally:
            del self._running[name]
        self._look_again(Key("Execution", meta["namespace"], meta["name"]), wait)

    async def _done(self, name: str, body: Object, purging: Purging) -> dict[str, int]:
        numbers = _planned(body, name)
        if numbers is None:
            numbers = dict(await purging.count())
            meta = body["metadata"]
            text = json.dumps({"attempt": name, "numbers": numbers})
            patch: Object = {"metadata": {"uid": meta["uid"], "annotations": {PLANNED: text}}}
            await self._api.patch(EXECUTIONS, meta["namespace"], meta["name"], patch)
        await purging.delete()
        return numbers

    def _purging(self, name: str, body: Object, asked: Purge) -> Purging:
        tenant = body["metadata"]["namespace"]
        if isinstance(asked, PurgeExecutions):
            names = asked.meant(self._executions.facts(tenant), body["metadata"]["name"])
            found = [self._executions.get(tenant, name) for name in names]
            bodies = [item for item in found if item is not None]
            return ExecutionPurge(self._api, self._storage(tenant), bodies, asked)
        if isinstance(asked, PurgeLogs):
            window = Window.between(asked.start, asked.end, asked.levels)
            return LogPurge(self._archives(tenant, asked), window)
        return KeyPurge(self._writer, tenant, name, self._pairs.meant(tenant, asked))

    def _archives(self, tenant: str, asked: PurgeLogs) -> list[LogArchive]:
        storage = self._storage(tenant)
        return [
            LogArchive(storage, ExecutionPlace(facts.namespace, facts.flow_id, facts.name))
            for facts in self._executions.facts(tenant)
            if asked.means(facts)
        ]


def _planned(body: Object, name: str) -> dict[str, int] | None:
    """What the attempt counted before its controller was killed."""
    text = (body["metadata"].get("annotations") or {}).get(PLANNED)
    try:
        planned: Any = json.loads(text) if text else {}
        if planned.get("attempt") != name:
            return None
        return {str(key): int(number) for key, number in planned["numbers"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
