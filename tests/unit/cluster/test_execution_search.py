"""The newest Executions are found in a list that comes in pages."""

from __future__ import annotations

from penstock.cluster.execution_search import ExecutionFilter
from penstock.cluster.executions import Executions
from penstock.kubernetes.api.client import EXECUTIONS
from penstock.resources.execution import State
from tests.fixtures.apiserver import ApiServer


def server_with(count: int) -> ApiServer:
    """An API server that gives two Executions on a page; every third of them failed."""
    server = ApiServer(chunk=2)
    for number in range(count):
        body = {
            "metadata": {
                "name": f"run-{number:02}",
                "namespace": "data",
                "creationTimestamp": f"2026-01-01T00:{number * 7 % 60:02}:00Z",
            },
            "spec": {"flow": {"name": "company.team.report"}},
            "status": {"state": "SUCCESS" if number % 3 else "FAILED"},
        }
        server.put(EXECUTIONS, body)
    return server


async def names(server: ApiServer, wanted: ExecutionFilter) -> tuple[list[str], int]:
    found = await Executions(server.api, "data").search(wanted)
    return [body["metadata"]["name"] for body in found.bodies], found.left_out


async def test_the_newest_of_all_pages_are_found_in_their_order() -> None:
    server = server_with(9)  # made at the minutes 0, 7, 14, …, 56

    assert await names(server, ExecutionFilter(limit=3)) == (["run-08", "run-07", "run-06"], 6)
    everything, left_out = await names(server, ExecutionFilter())
    assert (len(everything), left_out) == (9, 0)


async def test_only_what_is_wanted_is_counted() -> None:
    wanted = ExecutionFilter(states=frozenset({State.FAILED}), limit=2)

    assert await names(server_with(9), wanted) == (["run-06", "run-03"], 1)


async def test_a_list_that_is_begun_anew_counts_nothing_twice() -> None:
    server = server_with(5)
    pages = 0

    async def forget_once(page: int) -> None:
        nonlocal pages
        pages += 1
        if pages == 2:
            server.forget_lists()

    server.between = forget_once

    found, left_out = await names(server, ExecutionFilter(limit=4))

    assert (len(found), left_out) == (4, 1)
    assert len(set(found)) == 4
