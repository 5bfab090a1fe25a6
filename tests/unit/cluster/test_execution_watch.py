"""An Execution is followed through lost connections, and no other one in its place."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from penstock.cluster.errors import ExecutionGone, ExecutionNotFound
from penstock.cluster.executions import Executions
from penstock.kubernetes.api.client import EXECUTIONS, ApiError, Object
from tests.fixtures.apiserver import ApiServer, Refused

NAME = "report-1"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    """An API server with one Execution; nobody rests between two looks at it."""
    monkeypatch.setattr("penstock.cluster.execution_watch._PAUSE", 0)
    server = ApiServer()
    move(server, "CREATED")
    return server


def move(server: ApiServer, state: str) -> Object:
    """Give the Execution a state, or make it with one."""
    body = {"metadata": {"name": NAME, "namespace": "data"}, "spec": {}, "status": {"state": state}}
    return server.put(EXECUTIONS, body)


async def followed(server: ApiServer, until: str = "SUCCESS") -> list[str]:
    """The states that are seen, up to one."""
    states = []
    async with aclosing(Executions(server.api, "data").followed(NAME)) as bodies:
        async for body in bodies:
            states.append(body["status"]["state"])
            if states[-1] == until:
                break
    return states


async def test_all_changes_between_two_looks_are_seen(server: ApiServer) -> None:
    def change() -> None:
        for state in ("RUNNING", "PAUSED", "SUCCESS"):
            move(server, state)

    server.before_watch = change

    assert await followed(server) == ["CREATED", "RUNNING", "PAUSED", "SUCCESS"]


async def test_a_version_that_is_forgotten_is_no_end(server: ApiServer) -> None:
    # given: the API server has forgotten the version that is followed
    gets = 0

    def forget() -> None:
        nonlocal gets
        gets += 1
        move(server, "RUNNING" if gets < 3 else "SUCCESS")
        if gets < 3:
            raise Refused(410, "Expired", "too old resource version")

    server.before_watch = forget

    # then
    assert await followed(server) == ["CREATED", "RUNNING", "RUNNING", "SUCCESS"]


async def test_an_api_server_that_stays_away_is_given_up(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stay_away() -> None:
        server.refuse("GET", EXECUTIONS, OSError("connection refused"))

    server.before_watch = stay_away

    with pytest.raises(ApiError, match="connection refused"):
        await followed(server)


async def test_who_may_not_watch_is_told_at_once(server: ApiServer) -> None:
    def refuse() -> None:
        raise Refused(403, "Forbidden", 'cannot watch resource "executions"')

    server.before_watch = refuse

    with pytest.raises(ApiError, match="cannot watch"):
        await followed(server)


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "not told"])
async def test_another_execution_in_its_place_is_not_followed(
    server: ApiServer, is_told: bool
) -> None:
    def replace() -> None:
        server.remove(EXECUTIONS, "data", NAME)
        move(server, "SUCCESS")
        if not is_told:
            raise Refused(410, "Expired")

    server.before_watch = replace

    with pytest.raises(ExecutionGone, match="was deleted meanwhile"):
        await followed(server)


async def test_one_that_is_not_there_is_not_waited_for(server: ApiServer) -> None:
    server.remove(EXECUTIONS, "data", NAME)

    with pytest.raises(ExecutionNotFound):
        await followed(server)
