"""Flows of one Kubernetes namespace: lists, finds, creates, changes and deletes them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from penstock.cluster.conflicts import despite_conflicts
from penstock.cluster.errors import FlowExists, FlowFromGit, FlowNotFound
from penstock.flow.inputs import Input
from penstock.kubernetes.api.client import FLOWS, Api, ApiError, Object
from penstock.resources import API_VERSION
from penstock.resources.execution import FlowReference
from penstock.resources.flow import PATH_ANNOTATION, SOURCE_LABEL, FlowStatus, flow_resource_name

_LOOK = 0.2
"""Seconds between two looks at whether the controller has judged a Flow."""


class Flows:
    """The Flows of one Kubernetes namespace.

    Besides what each call raises, :class:`ApiError` tells of what the API server refuses.
    """

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def list(self, namespace: str | None = None) -> list[Object]:
        """List the Flows, or those of one flow namespace, in the order of their flows' names."""
        bodies = await self._api.list(FLOWS, self._namespace)
        chosen = [body for body in bodies if namespace in (None, flow_name(body)[0])]
        return sorted(chosen, key=flow_name)

    async def find(self, reference: FlowReference) -> Object:
        """Find a Flow by its name, or by its flow's namespace and id. Raises
        :class:`FlowNotFound`."""
        if reference.name is not None:
            return await self._named(reference.name)
        wanted = (str(reference.namespace), str(reference.id))
        bodies = await self.list()
        found = oldest(body for body in bodies if flow_name(body) == wanted)
        if found is None:
            known = [".".join(flow_name(body)) for body in bodies]
            raise FlowNotFound(self._namespace, ".".join(wanted), known)
        return found

    async def create(self, spec: Mapping[str, Any], name: str | None = None) -> Object:
        """Create the Flow of a flow as it is written. Raises :class:`FlowExists`."""
        namespace, flow_id = str(spec["namespace"]), str(spec["id"])
        for body in await self.list(namespace):
            if flow_name(body) == (namespace, flow_id):
                raise FlowExists(self._namespace, body["metadata"]["name"])
        name = name or flow_resource_name(namespace, flow_id)
        body = {"apiVersion": API_VERSION, "kind": "Flow", "metadata": {"name": name}}
        try:
            return await self._api.create(FLOWS, self._namespace, {**body, "spec": dict(spec)})
        except ApiError as error:
            if error.conflict:
                raise FlowExists(self._namespace, name) from None
            raise

    async def update(self, spec: Mapping[str, Any]) -> tuple[Object, bool]:
        """Give a Flow the spec of its flow as it is written. Tell whether that changed anything.

        Raises :class:`FlowNotFound`, and :class:`FlowFromGit`.
        """
        return await despite_conflicts(lambda: self._update(spec))

    async def _update(self, spec: Mapping[str, Any]) -> tuple[Object, bool]:
        reference = FlowReference(namespace=str(spec["namespace"]), id=str(spec["id"]))
        body = await self.find(reference)
        _check_is_not_from_git(body)
        if body["spec"] == spec:
            return body, False
        changed = await self._api.replace(FLOWS, {**body, "spec": dict(spec)})
        return changed, changed["metadata"]["generation"] != body["metadata"]["generation"]

    async def delete(self, body: Object) -> None:
        """Delete a Flow, unless another one took its name. Raises :class:`FlowFromGit`."""
        _check_is_not_from_git(body)
        meta = body["metadata"]
        await self._api.delete(FLOWS, self._namespace, meta["name"], meta["uid"])

    async def judged(self, body: Object, seconds: float) -> FlowStatus | None:
        """Wait until the controller has judged a Flow as it is. None where it does not in time."""
        generation = int(body["metadata"].get("generation", 0))
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = await self._named(body["metadata"]["name"])
                    status = FlowStatus.model_validate(found.get("status") or {})
                    if status.observed_generation >= generation:
                        return status
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            return None

    async def _named(self, name: str) -> Object:
        try:
            return await self._api.get(FLOWS, self._namespace, name)
        except ApiError as error:
            if error.is_gone:
                raise FlowNotFound(self._namespace, name) from None
            raise


def flow_name(body: Object) -> tuple[str, str]:
    """Tell the namespace and the id that stand in a Flow."""
    spec = body.get("spec") or {}
    return str(spec.get("namespace")), str(spec.get("id"))


def declared_inputs(spec: Mapping[str, Any]) -> list[Input]:
    """Give the inputs that the spec of a Flow declares; none where they can't be read."""
    declared = spec.get("inputs") or ()
    try:
        return [Input.model_validate(item) for item in declared]
    except (ValidationError, TypeError):
        return []


def oldest(flows: Iterable[Object]) -> Object | None:
    """Choose of several Flows with the same namespace and id the one that counts."""
    return min(flows, key=lambda body: body["metadata"]["creationTimestamp"], default=None)


def _check_is_not_from_git(body: Object) -> None:
    meta = body["metadata"]
    source = (meta.get("labels") or {}).get(SOURCE_LABEL)
    if source is not None:
        path = (meta.get("annotations") or {}).get(PATH_ANNOTATION)
        raise FlowFromGit(meta["name"], source, path)
