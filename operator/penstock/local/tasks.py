"""Runs the attempts of a world, with the services of their executions."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from penstock.engine.interface.actions import Observation, StartAttempt
from penstock.engine.kinds.flowables.working_directory import WorkingDirectory
from penstock.local.attempt import run_locally
from penstock.local.attempts import OnLog, Place, Started
from penstock.local.hosts import LocalHosts
from penstock.local.plugins import Plugins
from penstock.local.services import ExecutionServices
from penstock.local.workspaces import Workspaces
from penstock.resources.execution import State
from penstock.storage.errors import StorageError
from penstock.storage.task_cache import TaskCaches, Use, digest_of
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.services import Services
from penstock.tasks.contract.task import TaskFailure


class LocalTasks:
    """Runs each attempt where it belongs: see :data:`penstock.local.attempts.RunTask`."""

    def __init__(self, hosts: LocalHosts, workspaces: Workspaces, plugins: Plugins) -> None:
        self.hosts = hosts
        self._workspaces = workspaces
        self._plugins = plugins
        self._caches = TaskCaches(hosts.services.storage)

    async def __call__(
        self, place: Place, start: StartAttempt, on_log: OnLog, started: Started
    ) -> Observation:
        host = self.hosts.of(place.identity, place.flow)
        try:
            if isinstance(start.task, WorkingDirectory):
                started()
                return await self._close(place, start, host)
            directory = await self._directory(place, start, host)
        except (TaskFailure, StorageError) as error:
            return Observation(State.FAILED, reason="TaskFailed", message=str(error))
        cached = await asyncio.to_thread(self._cached, place, start)
        if cached is not None:
            return cached
        seen = await run_locally(start, on_log, host, directory, self._plugins.task, started)
        if start.cache is not None and seen.state is State.SUCCESS:
            await asyncio.to_thread(self._caches.keep, _use(place, start), seen.outputs, _now())
        return seen

    def _cached(self, place: Place, start: StartAttempt) -> Observation | None:
        """The end of an earlier run with equal properties, which spares this one; None where there
        is none."""
        if start.cache is None:
            return None
        began = _now()
        outputs = self._caches.find(_use(place, start), start.cache.ttl, began)
        if outputs is None:
            return None
        return Observation(State.SUCCESS, began, _now(), outputs=outputs)

    async def _directory(
        self, place: Place, start: StartAttempt, host: ExecutionServices
    ) -> Path | None:
        workspace = start.workspace
        if workspace is None:
            return None
        execution = place.identity.name
        services = self._services(start, host, self._workspaces.path(execution, workspace))
        return await self._workspaces.open(execution, workspace, services)

    async def _close(
        self, place: Place, start: StartAttempt, host: ExecutionServices
    ) -> Observation:
        """Run the attempt of a WorkingDirectory itself: keep the files that its tasks left."""
        workspace = start.workspace
        assert workspace is not None
        began = _now()
        execution = place.identity.name
        services = self._services(start, host, self._workspaces.path(execution, workspace))
        outputs = await self._workspaces.take(execution, workspace, services)
        return Observation(State.SUCCESS, began, _now(), outputs=outputs)

    def _services(self, start: StartAttempt, host: ExecutionServices, directory: Path) -> Services:
        run = start.task_run
        return host.services(run.task_id, run.id, run.value, directory)


def _use(place: Place, start: StartAttempt) -> Use:
    at = ExecutionPlace(place.flow.namespace, place.flow.id, place.identity.name)
    run = start.task_run
    return Use(at, run.task_id, run.id, digest_of(start.task.type, start.properties))


def _now() -> datetime:
    return datetime.now(UTC)
