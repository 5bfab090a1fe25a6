"""A namespace with everything that a test needs: the controller, the network to it, nodes."""

from __future__ import annotations

import asyncio
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import yaml

from e2e.apiserver.controller import Controller
from e2e.apiserver.controlplane import CONTROLLER, ControlPlane
from e2e.apiserver.nodes import Nodes, Script
from e2e.apiserver.process import connected
from e2e.apiserver.proxy import Proxy
from penstock.kubernetes.api.client import (
    EVENTS,
    EXECUTIONS,
    FLOWS,
    Api,
    ApiError,
    Object,
    Resource,
)
from penstock.resources import API_VERSION
from penstock.resources.execution import ExecutionStatus

_NAMESPACES = Resource("", "v1", "namespaces")
PATIENCE = 60.0


def every_task_succeeds(task: str, attempt: int) -> tuple[int, dict[str, Any]]:
    return 0, {"value": f"{task} {attempt}"}


@dataclass
class Stage:
    """What a test sees of it."""

    plane: ControlPlane
    proxy: Proxy
    controller: Controller
    api: Api
    namespace: str
    nodes: Nodes
    script: Script = every_task_succeeds
    random: Random = field(default_factory=lambda: Random(0))
    hold: set[str] = field(default_factory=set)
    """The ids of tasks whose pods do not end yet."""

    @property
    def neighbour(self) -> str:
        """Another namespace that the controller serves, where it was asked for; it has no nodes."""
        return f"{self.namespace}-neighbour"

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, plane: ControlPlane, folder: Path, *, with_neighbour: bool = False
    ) -> AsyncIterator[Stage]:
        proxy = Proxy(plane.port)
        await proxy.start()
        name = f"t-{uuid4().hex[:8]}"
        kubeconfig = plane.kubeconfig(f"{name}-proxied", CONTROLLER, proxy.port)
        namespaces = [name, f"{name}-neighbour"] if with_neighbour else [name]
        controller = Controller(folder, kubeconfig, namespaces=namespaces)
        async with await connected(plane.kubeconfig(name)) as client:
            api = Api(client)
            for namespace in namespaces:
                body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
                await api.create(_NAMESPACES, "", body)
            random = Random(0)
            nodes = Nodes(api, name, lambda *asked: stage.script(*asked), random)
            stage = cls(plane, proxy, controller, api, name, nodes, random=random)
            nodes.is_held = lambda task: task in stage.hold
            work = asyncio.create_task(nodes.run())
            try:
                yield stage
            finally:
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work
                await controller.kill()
                await proxy.stop()
            assert not nodes.errors, nodes.errors

    async def flow(self, text: str) -> None:
        """Let there be a Flow, as its YAML says."""
        spec = yaml.safe_load(textwrap.dedent(text))
        body = {"apiVersion": API_VERSION, "kind": "Flow", "metadata": {"name": spec["id"]}}
        await self.api.create(FLOWS, self.namespace, {**body, "spec": spec})

    async def execute(self, flow: str, name: str) -> None:
        """Let there be an Execution of a Flow."""
        body = {"apiVersion": API_VERSION, "kind": "Execution", "metadata": {"name": name}}
        spec = {"flow": {"name": flow}}
        await self.api.create(EXECUTIONS, self.namespace, {**body, "spec": spec})

    async def execution(self, name: str) -> Object:
        return await self.api.get(EXECUTIONS, self.namespace, name)

    async def executions(self) -> list[Object]:
        return await self.api.list(EXECUTIONS, self.namespace)

    async def ended(self, names: Collection[str] | None = None) -> dict[str, ExecutionStatus]:
        """The statuses of the executions, all where none is named, once they have ended; after
        some time as they are then."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(ApiError):
                found = {
                    body["metadata"]["name"]: ExecutionStatus.from_json(body.get("status") or {})
                    for body in await self.executions()
                    if names is None or body["metadata"]["name"] in names
                }
                if found and all(status.finished for status in found.values()):
                    return found
                if time.monotonic() > deadline:
                    return found
            await asyncio.sleep(0.1)

    async def annotate(self, name: str) -> None:
        """Let an execution be looked at."""
        patch = {"metadata": {"annotations": {"looked-at": str(time.monotonic())}}}
        await self.api.patch(EXECUTIONS, self.namespace, name, patch)

    async def until(self, name: str, holds: Callable[[Object], bool]) -> Object:
        """An execution, once something holds of it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            body = await self.execution(name)
            if holds(body):
                return body
            assert time.monotonic() < deadline, body.get("status")
            await asyncio.sleep(0.05)

    async def events(self, name: str) -> dict[str, str]:
        """What the Events about an object say, by reason."""
        found = await self.api.list(EVENTS, self.namespace)
        return {
            event["reason"]: event["note"] for event in found if event["regarding"]["name"] == name
        }
