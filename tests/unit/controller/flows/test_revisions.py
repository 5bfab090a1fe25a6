"""Revisions of flows: read from the cluster once, however many executions run them."""

from __future__ import annotations

import asyncio

import pytest

from penstock.controller.flows.revisions import Revisions
from penstock.controller.workers.checking import Checking
from penstock.controller.workers.pool import Workers
from penstock.engine.interface.limits import Limits
from penstock.flow.document import Flow
from penstock.kubernetes.api.client import CONTROLLER_REVISIONS, FLOWS
from penstock.resources.execution import PinnedFlow
from tests.fixtures.apiserver import ApiServer, Refused
from tests.fixtures.controller import NAMESPACE, flow

HELLO = """
    id: hello
    namespace: company.team
    tasks:
      - {id: say, type: io.kestra.plugin.core.debug.Return, format: hello}
"""
PINNED = PinnedFlow(namespace="company.team", id="hello", name="hello", revision=1)


def revisions(server: ApiServer) -> Revisions:
    """What a controller knows that has just started."""
    return Revisions(server.api, Limits(), lambda namespace: lambda *of: {}, Checking(Workers()))


@pytest.fixture
async def server() -> ApiServer:
    """A cluster that keeps the first revision of `hello`."""
    server = ApiServer()
    body = server.put(FLOWS, flow(HELLO))
    await revisions(server).accept(body)
    return server


async def test_a_revision_that_many_executions_run_is_read_once(server: ApiServer) -> None:
    # given
    known, before = revisions(server), server.count("GET", CONTROLLER_REVISIONS)
    # when
    engines = await asyncio.gather(*[known.pinned(NAMESPACE, PINNED) for _ in range(100)])
    # then
    assert len({id(engine) for engine in engines}) == 1
    assert server.count("GET", CONTROLLER_REVISIONS) == before + 1


async def test_a_reading_that_failed_is_not_remembered(server: ApiServer) -> None:
    # given
    known = revisions(server)
    server.refuse("GET", CONTROLLER_REVISIONS, Refused(503, "ServiceUnavailable"), times=1)
    # when
    first = await asyncio.gather(
        *[known.pinned(NAMESPACE, PINNED) for _ in range(10)], return_exceptions=True
    )
    second = await known.pinned(NAMESPACE, PINNED)
    # then
    assert all(isinstance(error, Exception) for error in first)
    assert isinstance(second.flow, Flow)
