"""Revisions of flows: every accepted spec is kept as a ControllerRevision, and executions run one.

ControllerRevisions have no owner: an execution that runs must not lose its revision when its Flow
is deleted. They are deleted here instead, once no running execution needs them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import count

from cachetools import LRUCache

from penstock.controller.runtime.outcomes import exists_already, is_missing
from penstock.controller.workers.checking import Checking
from penstock.engine.decision.engine import Engine
from penstock.engine.interface.limits import Limits
from penstock.engine.rendering.evaluation import HostFunctions
from penstock.flow.document import Flow
from penstock.flow.problems import InvalidFlow, Problem
from penstock.kubernetes.api.client import CONTROLLER_REVISIONS, Api, ApiError, Object
from penstock.resources.execution import PinnedFlow
from penstock.resources.labels import FLOW, MANAGED_BY, MANAGER
from penstock.resources.names import label_value
from penstock.types import expressions

_CACHED_ENGINES = 500
_KEPT_REVISIONS = 10
_DIGEST = "penstock.dev/digest"

TenantFunctions = Callable[[str], HostFunctions]
"""Gives the functions of the executions in a Kubernetes namespace."""


class RevisionLost(Exception):
    """A revision is not kept any more."""


@dataclass(frozen=True)
class AcceptedFlow:
    """What became of one generation of a Flow."""

    body: Object
    engine: Engine | None
    revision: int | None
    problems: tuple[Problem, ...]
    """Why it was refused, or what the author should know where it was not."""

    @property
    def flow(self) -> Flow | None:
        return None if self.engine is None else self.engine.flow

    @property
    def reference(self) -> PinnedFlow:
        assert self.flow is not None
        return PinnedFlow(
            namespace=self.flow.namespace,
            id=self.flow.id,
            name=self.body["metadata"]["name"],
            revision=self.revision or 1,
        )


class Revisions:
    """Flows as engines: the newest of each Flow, and the older ones that executions still run."""

    def __init__(
        self, api: Api, limits: Limits, functions: TenantFunctions, checking: Checking
    ) -> None:
        self._api = api
        self._checking = checking
        self._limits = limits
        self._functions = functions
        self._accepted: dict[str, AcceptedFlow] = {}
        self._engines: LRUCache[tuple[str, str, int], Engine] = LRUCache(_CACHED_ENGINES)
        self._reading: dict[tuple[str, str, int], asyncio.Task[Engine]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def accept(self, body: Object) -> AcceptedFlow:
        """Check a Flow and keep its revision; done once for each generation."""
        uid = body["metadata"]["uid"]
        async with self._locks.setdefault(uid, asyncio.Lock()):
            known = self._accepted.get(uid)
            if known is not None and _generation(known.body) > _generation(body):
                return known  # who waited for the lock with an older spec must not revive it
            if known is not None and _generation(known.body) == _generation(body):
                return replace(known, body=body)
            accepted = await self._accept(body)
            self._accepted[uid] = accepted
            return accepted

    async def _accept(self, body: Object) -> AcceptedFlow:
        spec, written = body.get("spec"), _written(body.get("spec"))
        try:
            parsed = await self._checking.checked(body["metadata"]["namespace"], spec, len(written))
        except InvalidFlow as error:
            return AcceptedFlow(body, None, None, error.problems)
        engine = self._engine(body["metadata"]["namespace"], parsed.flow)
        revision = await self._keep(body, hashlib.sha256(written.encode()).hexdigest())
        self._engines[_engine_key(body, revision)] = engine
        return AcceptedFlow(body, engine, revision, parsed.warnings)

    def _engine(self, namespace: str, flow: Flow) -> Engine:
        return Engine(flow, expressions(), self._limits, self._functions(namespace))

    async def pinned(self, namespace: str, reference: PinnedFlow) -> Engine:
        """The engine of a revision. Raises ``RevisionLost`` where it is not kept any more."""
        assert reference.name is not None
        key = (namespace, reference.name, reference.revision)
        engine = self._engines.get(key)
        if engine is not None:
            return engine
        # After a restart, all executions of a flow ask at once: it is read and checked once.
        reading = self._reading.get(key)
        if reading is None:
            reading = asyncio.create_task(self._read(*key))
            self._reading[key] = reading
            reading.add_done_callback(lambda _: self._reading.pop(key, None))
        return await asyncio.shield(reading)

    async def _read(self, namespace: str, flow: str, revision: int) -> Engine:
        name = _revision_name(flow, revision)
        try:
            kept = await self._api.get(CONTROLLER_REVISIONS, namespace, name)
        except ApiError as error:
            if not is_missing(error):
                raise
            raise RevisionLost(f"the ControllerRevision {name} is gone") from None
        if (kept["metadata"].get("labels") or {}).get(FLOW) != label_value(flow):
            raise RevisionLost(f"the ControllerRevision {name} is somebody else's")
        spec = kept["data"]["spec"]
        parsed = await self._checking.checked(namespace, spec, len(_written(spec)))
        engine = self._engine(namespace, parsed.flow)
        self._engines[namespace, flow, revision] = engine
        return engine

    def forget(self, body: Object) -> None:
        """A Flow is gone."""
        self._accepted.pop(body["metadata"]["uid"], None)
        self._locks.pop(body["metadata"]["uid"], None)

    async def prune(
        self, namespace: str, name: str, in_use: Collection[int], keep: int = _KEPT_REVISIONS
    ) -> None:
        """Delete all but the newest revisions of a flow, and those that executions still run."""
        kept = await self._of(namespace, name)
        for old in kept[: max(len(kept) - keep, 0)]:
            if old["revision"] not in in_use:
                await self._api.delete(CONTROLLER_REVISIONS, namespace, old["metadata"]["name"])

    async def _keep(self, body: Object, digest: str) -> int:
        """The number of the revision that holds this spec; a new one where the spec changed."""
        meta = body["metadata"]
        kept = await self._of(meta["namespace"], meta["name"])
        if kept and kept[-1]["metadata"].get("annotations", {}).get(_DIGEST) == digest:
            newest: int = kept[-1]["revision"]
            return newest
        for number in count(kept[-1]["revision"] + 1 if kept else 1):
            try:
                await self._api.create(
                    CONTROLLER_REVISIONS, meta["namespace"], _revision(body, number, digest)
                )
            except ApiError as error:
                if not exists_already(error):
                    raise
                continue  # somebody else's has the name: its number is passed over
            return number
        raise AssertionError("numbers do not end")

    async def _of(self, namespace: str, name: str) -> list[Object]:
        """The kept revisions of a flow, oldest first."""
        kept = await self._api.list(CONTROLLER_REVISIONS, namespace, f"{FLOW}={label_value(name)}")
        return sorted(kept, key=lambda revision: int(revision["revision"]))


def _engine_key(body: Object, revision: int) -> tuple[str, str, int]:
    return body["metadata"]["namespace"], body["metadata"]["name"], revision


def _generation(body: Object) -> int:
    return int(body["metadata"].get("generation", 0))


def _written(spec: object) -> str:
    """A spec as text, which tells how large it is and whether it is another one."""
    return json.dumps(spec, sort_keys=True)


def _revision_name(flow: str, number: int) -> str:
    return f"{flow}-{number}"


def _revision(body: Object, number: int, digest: str) -> Object:
    meta = body["metadata"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": _revision_name(meta["name"], number),
            "namespace": meta["namespace"],
            "labels": {FLOW: label_value(meta["name"]), MANAGED_BY: MANAGER},
            "annotations": {_DIGEST: digest},
        },
        "revision": number,
        "data": {"spec": body["spec"]},
    }
