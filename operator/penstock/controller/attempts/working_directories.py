"""The pods of WorkingDirectories: made with their first task, left when the last has ended.

Nothing is remembered here: what is to be done next follows from what the pod has. So each call does
what can be done now, and is made again when the pod has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.controller.attempts.directory_observation import directory_lost
from penstock.controller.attempts.jobs import Jobs
from penstock.controller.runtime.attempt_cache import AttemptStore, SeenAttempt
from penstock.controller.runtime.failed_attempt import failed
from penstock.controller.runtime.outcomes import is_invalid, is_missing, is_outrun
from penstock.engine.interface.actions import AttemptKey, Observation, StartAttempt, Workspace
from penstock.engine.kinds.flowables.working_directory import lost_directories
from penstock.kubernetes.api.client import PODS, Api, ApiError, Object
from penstock.kubernetes.jobs.job import JobDefaults
from penstock.kubernetes.jobs.working_directory import ENDER, AddedContainers, end_container
from penstock.kubernetes.observation import podstatus, results
from penstock.kubernetes.observation.shared_pod import (
    ephemeral_end,
    has_ephemeral,
    holder_state,
    with_message_size,
)
from penstock.resources.execution import ExecutionStatus, TaskRun

_OVER = ("Complete", "Failed", "SuccessCriteriaMet", "FailureTarget")


class WorkingDirectories:
    """Brings attempts into the pods of their WorkingDirectories, and lets these pods end."""

    def __init__(self, api: Api, attempts: AttemptStore, jobs: Jobs, defaults: JobDefaults) -> None:
        self._api = api
        self._attempts = attempts
        self._jobs = jobs
        self._defaults = defaults

    def is_wanted(self, execution: Object, workspace: Workspace) -> bool:
        """Tell whether the directory is still to be made. One that was there and is not any more is
        lost, with what the tasks before made.
        """
        seen = self._attempts.directory(execution["metadata"]["uid"], workspace.key)
        return seen.job is None and not seen.job_deleted and not workspace.entered

    async def enter(
        self, execution: Object, start: StartAttempt, added: AddedContainers
    ) -> Observation | None:
        """Let the attempt be in its directory's pod, as soon as that runs. Returns its end where it
        can't be. Raises ``ApiError``.
        """
        assert start.workspace is not None
        seen = self._attempts.directory(execution["metadata"]["uid"], start.workspace.key)
        if _is_over(seen):
            return directory_lost("its pod is gone")
        pod = podstatus.main_pod(list(seen.pods.values()))
        if pod is None or "running" not in holder_state(pod) or has_ephemeral(pod, added.name):
            return None
        for container in added.before:
            name = container["name"]
            if not has_ephemeral(pod, name):
                await self._add(pod, [container])
                return None
            ended = ephemeral_end(pod, name)
            if ended is None:
                return None
            if ended.get("exitCode") != 0:
                words = results.told_by(ended) or "what makes the task's texts failed"
                return failed("TaskFailed", words)
        await self._add(pod, added.containers)
        return None

    async def leave(self, execution: Object, status: ExecutionStatus) -> None:
        """Let the pods end of which all tasks have ended."""
        seen_of = self._attempts.directories(execution["metadata"]["uid"])
        if not seen_of:
            return
        runs = {run.id: run for run in status.task_runs}
        for key, seen in list(seen_of.items()):
            if not _is_over(seen) and _has_ended(key, runs.get(key[0])):
                await self._end(seen)

    async def _end(self, seen: SeenAttempt) -> None:
        pod = podstatus.main_pod(list(seen.pods.values()))
        state = {} if pod is None else holder_state(pod)
        if pod is None or not state.keys() & {"running", "terminated"}:
            assert seen.job is not None
            await self._jobs.delete(seen.job)
        elif "running" in state and not has_ephemeral(pod, ENDER):
            try:
                await self._add(pod, [end_container(self._defaults)])
            except ApiError as error:
                if not (is_missing(error) or is_outrun(error)):
                    raise

    async def _add(self, pod: Mapping[str, Any], containers: Sequence[Object]) -> None:
        meta, added = pod["metadata"], with_message_size(pod, containers)
        try:
            changed = await self._api.add_containers(meta["namespace"], meta["name"], added)
        except ApiError as error:
            if not is_invalid(error):
                raise
            # They may be there already, from before the controller was begun anew.
            changed = await self._api.get(PODS, meta["namespace"], meta["name"])
            if not all(has_ephemeral(changed, container["name"]) for container in containers):
                raise
        self._attempts.put_pod(changed)


def _is_over(seen: SeenAttempt) -> bool:
    if seen.job_deleted or any(podstatus.job_condition(seen.job, name) for name in _OVER):
        return True
    return any(podstatus.is_over(pod) or podstatus.was_deleted(pod) for pod in seen.pods.values())


def _has_ended(key: AttemptKey, run: TaskRun | None) -> bool:
    """Tell whether nothing more comes into a directory."""
    if run is None or run.state.terminated:
        return True
    return key[1] <= len(lost_directories(run))
