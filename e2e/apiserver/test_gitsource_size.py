"""The largest status that a GitSource may have is one that the API server takes."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.apiserver.stage import Stage
from penstock.controller.gitsources.commit_flows import CommitFlows, TooManyFlows
from penstock.controller.gitsources.file_problems import FileProblems
from penstock.controller.gitsources.sourcefiles import FileReading, WantedFlow
from penstock.flow.problems import Problem
from penstock.kubernetes.api.client import GIT_SOURCES
from penstock.resources import API_VERSION
from penstock.resources.conditions import GIT_SOURCE
from penstock.resources.gitsource import GitSourceStatus, InventoryEntry
from tests.fixtures.world import START

BLOB = "0123456789" * 4
UID = "86b46a4f-58e7-4edd-9a1a-35b6e10521da"


def largest(path: str) -> list[InventoryEntry]:
    """As many flows of files in one folder as a commit may have."""
    inventory: list[InventoryEntry] = []
    with CommitFlows() as flows:
        for number in range(10_000):
            name = f"company.team.flow-{number}"
            wanted = WantedFlow(name, f"{path}{number}.yaml", BLOB, {}, ())
            flows.take(FileReading(wanted.path, (wanted,)))
            try:
                flows.check_room("c0ffee")
            except TooManyFlows:
                return inventory
            inventory.append(InventoryEntry(path=wanted.path, blob=BLOB, flow=name, uid=UID))
    raise AssertionError("there is no end")


@pytest.mark.parametrize("path", ["flows/", "a/long/path/of/a/monorepo/" * 20])
async def test_all_flows_that_a_commit_may_have_fit_into_the_status(
    stage: Stage, path: str
) -> None:
    # given: so many flows, and as much that is wrong with other files
    body: dict[str, Any] = await stage.api.create(
        GIT_SOURCES,
        stage.namespace,
        {
            "apiVersion": API_VERSION,
            "kind": "GitSource",
            "metadata": {"name": "large"},
            "spec": {"url": "https://git.example.com/flows.git", "suspend": True},
        },
    )
    problems = FileProblems()
    for number in range(500):
        problems.add(f"{path}bad-{number}.yaml", [Problem((), "ä" * 5_000, line=number)])
    inventory = largest(path)
    conditions = GIT_SOURCE.judged([], "FilesFailed", problems.text(), START, 1)
    status = GitSourceStatus(
        flows=len(inventory),
        failed=problems.files,
        inventory=inventory,
        problems=problems.listed(),
        conditions=conditions,
    )
    # when
    written = await stage.api.replace_status(GIT_SOURCES, body | {"status": status.to_json()})
    # then
    assert len(written["status"]["inventory"]) == len(inventory) > 1_000
