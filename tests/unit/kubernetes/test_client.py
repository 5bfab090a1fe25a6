"""A name leads to the one object that has it, whoever wrote the name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from penstock.kubernetes.api.client import EXECUTIONS, PODS, Api, ApiError
from tests.fixtures.apiserver import ApiServer

ASTRAY = ["", ".", "..", "../../secrets", "run/status", "%2e%2e", "..%2F..%2Fsecrets"]
Call = Callable[[Api, str], Awaitable[Any]]


async def read_log(api: Api, pod: str) -> None:
    async for _ in api.log_stream("team", pod, {}):
        pass


CALLS: dict[str, Call] = {
    "get": lambda api, name: api.get(EXECUTIONS, "team", name),
    "patch": lambda api, name: api.patch(EXECUTIONS, "team", name, {"spec": {"kill": True}}),
    "delete": lambda api, name: api.delete(EXECUTIONS, "team", name),
    "apply": lambda api, name: api.apply(EXECUTIONS, "team", name, {}, "penstock"),
    "log": lambda api, name: api.log("team", name, "task", 1, 1),
    "log stream": read_log,
}


@pytest.mark.parametrize("name", ASTRAY)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_asked(
    call: Call, name: str
) -> None:
    server = ApiServer()

    with pytest.raises(ApiError, match="no name that an object can have") as refused:
        await call(server.api, name)

    assert (refused.value.status, refused.value.transient) == (400, False)
    assert server.calls == []


@pytest.mark.parametrize("namespace", ["..", "team/secrets"])
async def test_so_is_such_a_namespace(namespace: str) -> None:
    server = ApiServer()

    with pytest.raises(ApiError, match="no name that an object can have"):
        await server.api.list(PODS, namespace)

    assert server.calls == []


async def test_an_object_is_found_by_its_name() -> None:
    server = ApiServer()
    server.put(EXECUTIONS, {"metadata": {"namespace": "team", "name": "run.1"}, "spec": {}})

    found = await server.api.get(EXECUTIONS, "team", "run.1")

    assert found["metadata"]["name"] == "run.1"
