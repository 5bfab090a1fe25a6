"""The Job controller, the kubelet and the garbage collector, played by the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any

from penstock.kubernetes.api.client import (
    CONFIG_MAPS,
    EXECUTIONS,
    JOBS,
    PODS,
    Api,
    ApiError,
    Object,
    Resource,
)
from penstock.kubernetes.api.labels import ATTEMPT, EXECUTION_UID, TASK_ID, TASK_RUN
from penstock.kubernetes.api.watches import watch
from tests.fixtures.pods import ended, pod_of, running

POLL = 0.05
COLLECT = 0.5
"""Seconds between two looks for what belongs to nobody: each is up to five lists."""

Script = Callable[[str, int], tuple[int, dict[str, Any]]]
"""From a task's id and the number of the attempt to the exit code and the outputs."""


class Nodes:
    """Lets a pod follow each Job, run a moment, and end as the script says."""

    def __init__(self, api: Api, namespace: str, script: Script, random: Random) -> None:
        self._api = api
        self._namespace = namespace
        self._script = script
        self._random = random
        self.jobs: dict[str, Object] = {}
        """Every Job that was seen, by uid."""
        self.collected: set[str] = set()
        """The uids of the Jobs that were deleted since their Execution was."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_held: Callable[[str], bool] = lambda task: False
        """Whether the pods of a task, by its id, do not end yet."""
        self.errors: list[str] = []
        """Of the test's own: what the API server refuses to it."""

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            await asyncio.gather(self._follow_jobs(), self._keep_collecting())
        finally:
            for task in self._tasks:
                task.cancel()

    async def _follow_jobs(self) -> None:
        while True:
            with suppress(ApiError):  # the API server may be away, or have forgotten the version
                version = ""
                async for page in self._api.pages(JOBS, self._namespace):
                    version = page.version
                    for job in page.items:
                        self._begin(job)
                async for change in watch(self._api, JOBS, self._namespace, version):
                    if change.kind in ("ADDED", "MODIFIED"):
                        self._begin(change.body)
            await asyncio.sleep(POLL)

    async def _keep_collecting(self) -> None:
        while True:
            with suppress(ApiError):
                await self._collect()
            await asyncio.sleep(COLLECT)

    def _begin(self, job: Object) -> None:
        """Bring a Job through, if it is not known yet."""
        uid = job["metadata"]["uid"]
        if uid in self.jobs:
            return
        self.jobs[uid] = job
        task = asyncio.create_task(self._bring_through(job))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.errors.append(str(task.exception()))

    async def _collect(self) -> None:
        """Delete what belongs to something that is gone. The owners are listed last: one that is
        made meanwhile must not be taken for gone."""
        owned = [
            (kind, body["metadata"])
            for kind in (PODS, CONFIG_MAPS, JOBS)
            for body in await self._list(kind)
            if body["metadata"].get("ownerReferences")
        ]
        if not owned:
            return
        owners = [*await self._list(JOBS), *await self._list(EXECUTIONS)]
        alive = {body["metadata"]["uid"] for body in owners}
        for kind, meta in owned:
            if alive.isdisjoint(owner["uid"] for owner in meta["ownerReferences"]):
                if kind is JOBS:
                    self.collected.add(meta["uid"])
                await self._api.delete(kind, self._namespace, meta["name"], meta["uid"])

    async def _list(self, kind: Resource) -> list[Object]:
        return await self._api.list(kind, self._namespace)

    async def _bring_through(self, job: Object) -> None:
        """From the Job to the end of its pod, with a pause before each step."""
        labels = job["spec"]["template"]["metadata"]["labels"]
        notes = job["metadata"]["annotations"]
        code, outputs = self._script(notes[TASK_ID], int(labels[ATTEMPT]))
        pod = pod_of(job)
        # As random as the Job controller's: a Job that is made anew has another pod.
        pod["metadata"]["name"] = f"{job['metadata']['name']}-{job['metadata']['uid'][:5]}"
        begun = datetime.now(UTC)
        steps: list[Callable[[], Any]] = [
            lambda: self._api.create(PODS, self._namespace, pod),
            lambda: self._status(pod, running(begun)),
            lambda: self._status(pod, ended(code, outputs, begun)),
        ]
        for step in steps:
            await asyncio.sleep(self._random.uniform(0, 0.25))
            if step is steps[-1]:
                await self._let_go(notes[TASK_ID])
            if not await self._insist(step):  # somebody deleted the pod
                code = 1
                break
        # As long after the pod's end as it takes the Job controller.
        await asyncio.sleep(self._random.uniform(0, 1.0))
        status = _complete() if code == 0 else _failed()
        await self._insist(lambda: self._end_job(job, status))

    async def _end_job(self, job: Object, status: dict[str, Any]) -> None:
        """Say how a Job ended, unless it was deleted: another one may have its name by now."""
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        meta = (await self._api.get(JOBS, self._namespace, name))["metadata"]
        if meta["uid"] != uid:
            return
        patch = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "status": status}
        await self._api.patch(JOBS, self._namespace, name, patch, "status")

    async def _let_go(self, task: str) -> None:
        while True:
            if not self.is_held(task):
                return
            await asyncio.sleep(POLL)

    async def _insist(self, step: Callable[[], Any]) -> bool:
        """Take a step, however often the API server is away. False where its object is gone."""
        while True:
            try:
                await step()
                return True
            except ApiError as error:
                if error.not_found:
                    return False
                if error.reason == "AlreadyExists":  # the answer was lost
                    return True
                if not (error.transient or error.conflict):
                    raise
            await asyncio.sleep(POLL)

    async def _status(self, pod: Object, status: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        await self._api.patch(PODS, self._namespace, name, {"status": status}, "status")


def _complete() -> dict[str, Any]:
    now = _now()
    return {
        "startTime": now,
        "completionTime": now,
        "succeeded": 1,
        "uncountedTerminatedPods": {},
        "conditions": _conditions(now, ("SuccessCriteriaMet", "Complete"), "CompletionsReached"),
    }


def _failed() -> dict[str, Any]:
    now = _now()
    return {
        "startTime": now,
        "failed": 1,
        "uncountedTerminatedPods": {},
        "conditions": _conditions(now, ("FailureTarget", "Failed"), "BackoffLimitExceeded"),
    }


def _conditions(now: str, kinds: tuple[str, ...], reason: str) -> list[dict[str, str]]:
    dates = {"lastTransitionTime": now, "lastProbeTime": now}
    return [
        {**dates, "type": kind, "status": "True", "reason": reason, "message": "as the test says"}
        for kind in kinds
    ]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def attempt_of(job: Object) -> tuple[str, ...]:
    """Whose Job it is: the execution, and its task run and attempt as its labels have them."""
    labels = job["metadata"]["labels"]
    return tuple(labels[name] for name in (EXECUTION_UID, TASK_RUN, ATTEMPT))
