"""The pods of WorkingDirectories: made with their first task, left when the last has ended.

Nothing is remembered here: what is to be done next follows from what the pod has. So each call does
what can be done now, and is made again when the pod has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from penstock.controller.attempts.pending import Pending
from penstock.controller.runtime.attempt_cache import AttemptStore, SeenAttempt
from penstock.controller.runtime.failed_attempt import failed
from penstock.engine.interface.actions import (
    DIRECTORY_LOST,
    AttemptKey,
    Observation,
    StartAttempt,
    Workspace,
)
from penstock.engine.kinds.flowables.working_directory import lost_directories
from penstock.kubernetes.api.client import JOBS, PODS, Api, ApiError, Object
from penstock.kubernetes.api.names import guest_name
from penstock.kubernetes.jobs.job import JobDefaults
from penstock.kubernetes.jobs.working_directory import ENDER, Guest, end_container
from penstock.kubernetes.observation import podstatus, results
from penstock.kubernetes.observation.shared_pod import (
    guest_end,
    has_guest,
    holder_state,
    waiting_before,
    with_message_size,
)
from penstock.resources.execution import ExecutionStatus, State, TaskRun

_OVER = ("Complete", "Failed", "SuccessCriteriaMet", "FailureTarget")


class WorkingDirectories:
    """All of them."""

    def __init__(
        self, api: Api, attempts: AttemptStore, defaults: JobDefaults, pending: Pending
    ) -> None:
        self._api = api
        self._attempts = attempts
        self._defaults = defaults
        self._pending = pending

    def is_wanted(self, execution: Object, workspace: Workspace) -> bool:
        """Whether the directory is still to be made. One that was there and is not any more is
        lost, with what the tasks before made.
        """
        seen = self._attempts.directory(execution["metadata"]["uid"], workspace.key)
        return seen.job is None and not seen.job_deleted and not workspace.entered

    async def enter(
        self, execution: Object, start: StartAttempt, guest: Guest
    ) -> Observation | None:
        """Let the attempt be in its directory's pod, as soon as that runs. Its end, where it can't
        be. Raises ``ApiError``.
        """
        assert start.workspace is not None
        seen = self._attempts.directory(execution["metadata"]["uid"], start.workspace.key)
        if _is_over(seen):
            return _lost("its pod is gone")
        pod = podstatus.main_pod(list(seen.pods.values()))
        if pod is None or "running" not in holder_state(pod) or has_guest(pod, guest.name):
            return None
        for container in guest.before:
            name = container["name"]
            if not has_guest(pod, name):
                await self._add(pod, [container])
                return None
            ended = guest_end(pod, name)
            if ended is None:
                return None
            if ended.get("exitCode") != 0:
                words = results.told_by(ended) or "what makes the task's texts failed"
                return failed("TaskFailed", words)
        await self._add(pod, guest.containers)
        return None

    async def look(
        self, execution: Object, run: TaskRun
    ) -> tuple[Observation | None, float | None]:
        """What is known of an attempt that is not in its directory's pod yet, and when to look
        again. Raises ``ApiError``.
        """
        seen = self._latest(execution["metadata"]["uid"], run)
        if seen is None or seen.job is None or seen.job_deleted:
            return None, None
        pods = list(seen.pods.values())
        pod = podstatus.main_pod(pods)
        if pod is not None and holder_state(pod).keys() & {"running", "terminated"}:
            return await self._look_before(seen.job, pod, run)
        if pod is not None and podstatus.is_over(pod):
            end = results.observe(seen.job, pods)
            return (with_directory_lost(end) if end.state is State.RESUBMITTED else end), None
        problem, left = await self._pending.check(seen.job, pods)
        if problem is None:
            return None, left
        await self._delete(seen)
        return failed(problem.reason, problem.message), None

    async def _look_before(
        self, job: Object, pod: Mapping[str, Any], run: TaskRun
    ) -> tuple[Observation | None, float | None]:
        """Of an attempt whose texts are made first: whether that can't begin."""
        attempt = run.attempts[-1]
        waiting = waiting_before(pod, guest_name(run.task_id, run.id, attempt.number))
        if waiting is None:
            return None, None
        since = {"creationTimestamp": attempt.created_date.isoformat()}
        problem, left = await self._pending.check(
            {**job, "metadata": {**job["metadata"], **since}}, [waiting]
        )
        if problem is None:
            return None, left
        return failed(problem.reason, problem.message), None

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
            await self._delete(seen)
        elif "running" in state and not has_guest(pod, ENDER):
            try:
                await self._add(pod, [end_container(self._defaults)])
            except ApiError as error:
                if not (error.not_found or error.conflict):
                    raise

    async def _add(self, pod: Mapping[str, Any], containers: Sequence[Object]) -> None:
        meta, added = pod["metadata"], with_message_size(pod, containers)
        try:
            changed = await self._api.add_containers(meta["namespace"], meta["name"], added)
        except ApiError as error:
            if error.status != 422:
                raise
            # They may be there already, from before the controller was begun anew.
            changed = await self._api.get(PODS, meta["namespace"], meta["name"])
            if not all(has_guest(changed, container["name"]) for container in containers):
                raise
        self._attempts.put_pod(changed)

    async def _delete(self, seen: SeenAttempt) -> None:
        assert seen.job is not None
        meta = seen.job["metadata"]
        await self._api.delete(JOBS, meta["namespace"], meta["name"], meta["uid"])

    def _latest(self, uid: str, run: TaskRun) -> SeenAttempt | None:
        """That of the task run itself, or of the one around it."""
        known = self._attempts.directories(uid)
        own = [key for key in known if key[0] in (run.id, run.parent)]
        return known[max(own, key=lambda key: key[1])] if own else None


def with_directory_lost(seen: Observation) -> Observation:
    """A lost attempt, whose directory was lost with it."""
    return _lost(": ".join(filter(None, (seen.reason, seen.message))))


def _lost(why: str) -> Observation:
    return Observation(
        State.RESUBMITTED,
        end_date=datetime.now(UTC),
        reason=DIRECTORY_LOST,
        message=f"the working directory was lost: {why}",
    )


def _is_over(seen: SeenAttempt) -> bool:
    if seen.job_deleted or any(podstatus.job_condition(seen.job, name) for name in _OVER):
        return True
    return any(podstatus.is_over(pod) or podstatus.was_deleted(pod) for pod in seen.pods.values())


def _has_ended(key: AttemptKey, run: TaskRun | None) -> bool:
    """Whether nothing more comes into a directory."""
    if run is None or run.state.terminated:
        return True
    return key[1] <= len(lost_directories(run))
