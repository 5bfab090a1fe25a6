"""Somebody who does to the cluster, the network and the controller what happens to them anyway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from random import Random

from e2e.apiserver.controller import Controller
from e2e.apiserver.controlplane import ControlPlane
from e2e.apiserver.proxy import Proxy
from penstock.kubernetes.api.client import EXECUTIONS, JOBS, PODS, Api, ApiError, Object, Resource

Act = Callable[[], Awaitable[None]]


class Vandal:
    """Does one thing after the other, each chosen by chance."""

    def __init__(
        self,
        random: Random,
        api: Api,
        namespace: str,
        plane: ControlPlane,
        proxy: Proxy,
        controller: Controller,
    ) -> None:
        self._random = random
        self._api = api
        self._namespace = namespace
        self._plane = plane
        self._proxy = proxy
        self._controller = controller
        self.deleted_jobs: set[str] = set()
        self.harmed: set[str] = set()
        """The names of executions of which something was deleted."""
        self.done: list[str] = []
        self._acts: Mapping[str, Act] = {
            "change an execution": self._change_execution,
            "change a Job": self._change_job,
            "delete a Job": self._delete_job,
            "delete a pod": self._delete_pod,
            "make an execution anew": self._replace_execution,
            "cut the network": self._cut,
            "take the network away": self._be_away,
            "kill the controller": self._kill,
            "forget old versions": self._compact,
            "set the clock": self._set_clock,
        }

    async def act(self, times: int) -> None:
        """Do so many things, with pauses between them."""
        for _ in range(times):
            await asyncio.sleep(self._random.uniform(0, 0.4))
            name = self._random.choice(list(self._acts))
            self.done.append(name)
            with suppress(ApiError):  # what was chosen is gone, or was changed
                await self._acts[name]()

    async def _one(self, resource: Resource) -> Object | None:
        found = await self._api.list(resource, self._namespace)
        found.sort(key=lambda body: str(body["metadata"]["name"]))
        return self._random.choice(found) if found else None

    async def _change(self, resource: Resource) -> None:
        body = await self._one(resource)
        if body is not None:
            notes = {"annotations": {"vandal": str(self._random.random())}}
            patch = {"metadata": notes}
            await self._api.patch(resource, self._namespace, body["metadata"]["name"], patch)

    async def _change_execution(self) -> None:
        await self._change(EXECUTIONS)

    async def _change_job(self) -> None:
        await self._change(JOBS)

    async def _delete_job(self) -> None:
        body = await self._one(JOBS)
        if body is not None:
            self.deleted_jobs.add(body["metadata"]["uid"])
            await self._delete(JOBS, body)

    async def _delete_pod(self) -> None:
        body = await self._one(PODS)
        if body is not None:
            await self._delete(PODS, body)

    async def _delete(self, resource: Resource, body: Object) -> None:
        meta = body["metadata"]
        self.harmed.add(meta["annotations"]["penstock.dev/execution-name"])
        await self._api.delete(resource, self._namespace, meta["name"], meta["uid"])

    async def _replace_execution(self) -> None:
        """Delete it and make another of the same name, at once."""
        body = await self._one(EXECUTIONS)
        if body is not None:
            meta = body["metadata"]
            await self._api.delete(EXECUTIONS, self._namespace, meta["name"], meta["uid"])
            new = {"name": meta["name"], "namespace": self._namespace}
            kept = {key: body[key] for key in ("apiVersion", "kind", "spec")}
            await self._api.create(EXECUTIONS, self._namespace, {**kept, "metadata": new})

    async def _cut(self) -> None:
        self._proxy.cut()

    async def _be_away(self) -> None:
        await self._proxy.be_away(self._random.uniform(0.1, 1.0))

    async def _kill(self) -> None:
        await self._controller.kill()
        self._controller.start()

    async def _compact(self) -> None:
        await asyncio.to_thread(self._plane.compact)

    async def _set_clock(self) -> None:
        self._controller.faults.clock += self._random.choice([-15, -2, 2, 15])
