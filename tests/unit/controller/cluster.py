"""An API server that keeps one kind of object in memory, with its rules on versions and names."""

from __future__ import annotations

import asyncio
import copy
from itertools import count
from typing import Any

from penstock.kubernetes.api import ApiError, Object, Resource


class MemoryApi:
    """As :class:`penstock.kubernetes.api.Api`, of which it has the calls that change an object."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.writes = 0
        self._versions = count(1)

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        await asyncio.sleep(0)
        if (namespace, name) not in self.objects:
            raise ApiError(404, "NotFound", name)
        return copy.deepcopy(self.objects[namespace, name])

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        await asyncio.sleep(0)
        name = body["metadata"]["name"]
        if (namespace, name) in self.objects:
            raise ApiError(409, "AlreadyExists", name)
        made = {"creationTimestamp": "2026-01-02T03:04:05Z", "uid": f"uid-{next(self._versions)}"}
        return self._keep(body | {"metadata": body["metadata"] | made})

    async def replace(self, resource: Resource, body: Object) -> Object:
        await asyncio.sleep(0)
        meta = body["metadata"]
        known = self.objects.get((meta["namespace"], meta["name"]))
        if known is None:
            raise ApiError(404, "NotFound", meta["name"])
        if known["metadata"]["resourceVersion"] != meta["resourceVersion"]:
            raise ApiError(409, "Conflict", meta["name"])
        return self._keep(body)

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        uid: str | None = None,
        version: str | None = None,
    ) -> None:
        await asyncio.sleep(0)
        known = self.objects.get((namespace, name))
        if known is not None and version in (None, known["metadata"]["resourceVersion"]):
            del self.objects[namespace, name]

    def _keep(self, body: Object) -> Object:
        self.writes += 1
        meta: dict[str, Any] = body["metadata"] | {"resourceVersion": str(next(self._versions))}
        kept = copy.deepcopy(body | {"metadata": meta})
        self.objects[meta["namespace"], meta["name"]] = kept
        return copy.deepcopy(kept)
