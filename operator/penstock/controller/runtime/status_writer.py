"""Writes the status of any object: of a Flow, an Execution, a GitSource."""

from __future__ import annotations

from typing import Any

from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import is_outrun
from penstock.kubernetes.api.client import Api, ApiError, Object, Resource


async def write_status(
    api: Api, resource: Resource, store: ObjectStore, body: Object, status: dict[str, Any]
) -> Object:
    """Replace an object's status, guarded by its version; the object as it is then.

    Where somebody else wrote meanwhile, the conflict is raised with what is there now in the store,
    so that the next try begins from it. An object that is gone is raised as `not_found`.
    """
    meta = body["metadata"]
    written = {key: body[key] for key in ("apiVersion", "kind", "metadata", "spec")}
    try:
        answer = await api.replace_status(resource, written | {"status": status})
    except ApiError as error:
        if is_outrun(error):
            store.put(await api.get(resource, meta["namespace"], meta["name"]))
        raise
    store.put(answer)
    return answer
