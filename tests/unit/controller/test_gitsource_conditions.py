"""What a GitSource says of itself, and what of its commit is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.gitsources.git_client import GitServiceUnavailable
from penstock.git import GitError
from penstock.kubernetes.api.client import FLOWS, GIT_SOURCES
from tests.fixtures.controller import NAMESPACE, Controller, conditions, until
from tests.fixtures.git import FakeGit, Hanging

FLOW = """
id: {id}
namespace: company.team
tasks: [{{id: t, type: io.kestra.plugin.core.debug.Return, format: x}}]
"""
SPEC = {"url": "https://git.example.com/flows.git", "interval": "1m"}


def flow(flow_id: str = "one") -> bytes:
    return FLOW.format(id=flow_id).encode()


class Given:
    """A controller with one GitSource."""

    def __init__(self, folder: Path, git: FakeGit, **spec: Any) -> None:
        self.git = git
        self.controller = Controller(folder, git=git)
        self.server = self.controller.server
        meta = {"name": "source", "namespace": NAMESPACE}
        self.server.put(
            GIT_SOURCES,
            {
                "apiVersion": "penstock.dev/v1alpha1",
                "kind": "GitSource",
                "metadata": meta,
                "spec": {**SPEC, **spec},
            },
        )

    async def synced(self) -> None:
        await self.controller.list()
        await self.controller.reconcile("GitSource", "source")
        self.controller.watch()

    @property
    def status(self) -> dict[str, Any]:
        body = self.server.get(GIT_SOURCES, NAMESPACE, "source") or {}
        found: dict[str, Any] = body.get("status") or {}
        return found

    @property
    def told(self) -> dict[str, tuple[str, str]]:
        """What holds, by type of condition."""
        return conditions(self.server.get(GIT_SOURCES, NAMESPACE, "source"))

    @property
    def ready(self) -> tuple[str, str]:
        """Reason and message."""
        (found,) = [item for item in self.status["conditions"] if item["type"] == "Ready"]
        return found["reason"], found["message"]

    @property
    def flows(self) -> list[str]:
        return sorted(body["metadata"]["name"] for body in self.server.all(FLOWS))


async def test_a_source_is_ready_again_when_its_remote_is_back_with_the_same_commit(
    tmp_path: Path,
) -> None:
    # given: a commit that was taken in
    given = Given(tmp_path, FakeGit(files={"one.yaml": flow()}))
    await given.synced()
    assert "Ready" in given.told
    # when: the remote is away once, and then back
    given.git.away = GitError("Timeout", "no answer")
    await given.synced()
    assert given.ready == ("Timeout", "no answer")
    given.git.away = None
    await given.synced()
    # then
    assert "Ready" in given.told


async def test_what_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    # given
    given = Given(tmp_path, FakeGit(files={"a.yaml": flow("a"), "b.yaml": flow("b")}))
    await given.synced()
    # when
    given.git.commit = "c0ffee2"
    given.git.files["b.yaml"] = flow("c")
    await given.synced()
    # then
    assert set(given.git.asked[1].known) == {"a.yaml", "b.yaml"}
    assert given.flows == ["company.team.a", "company.team.c"]
    assert given.status["flows"] == 2


async def test_a_flow_that_somebody_deleted_comes_back_from_its_file(tmp_path: Path) -> None:
    # given: a file with two flows
    given = Given(tmp_path, FakeGit(files={"a.yaml": flow("a") + b"---\n" + flow("b")}))
    await given.synced()
    assert given.flows == ["company.team.a", "company.team.b"]
    # when
    given.server.remove(FLOWS, NAMESPACE, "company.team.a")
    given.controller.watch()
    await given.synced()
    # then
    assert given.flows == ["company.team.a", "company.team.b"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"interval": "0ms"}, "spec.interval: a remote is asked every 10s at most"),
        ({"timeout": "9999h"}, "spec.timeout: one Git operation may take 10m at most"),
        ({"url": "ftp://x/y"}, "spec.url: String should match pattern '^https?://[^@]+$'"),
    ],
)
async def test_a_spec_that_is_not_allowed_any_more_is_told(
    tmp_path: Path, spec: dict[str, str], message: str
) -> None:
    given = Given(tmp_path, FakeGit(), **spec)
    await given.synced()
    assert given.ready == ("InvalidSpec", message)
    assert given.told["Stalled"] == ("InvalidSpec", message)


async def test_a_git_service_that_is_away_is_waited_for(tmp_path: Path) -> None:
    given = Given(tmp_path, FakeGit(away=GitServiceUnavailable("it can't be reached")))
    async with given.controller.running():
        await until(lambda: "Reconciling" in given.told)
        reason, message = given.told["Reconciling"]
        assert reason == "ProgressingWithRetry"
        assert "it can't be reached" in message
        given.git.away = None
        await until(lambda: "Ready" in given.told)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    git = Hanging()
    yield git
    assert git.calls == 0


async def test_deleting_a_source_ends_what_goes_on_for_it(tmp_path: Path, hanging: Hanging) -> None:
    given = Given(tmp_path, hanging)
    async with given.controller.running():
        await until(lambda: hanging.calls)
        # when
        given.server.remove(GIT_SOURCES, NAMESPACE, "source")
        # then
        await until(lambda: not hanging.calls)


async def test_another_spec_ends_what_goes_on_for_the_one_before(
    tmp_path: Path, hanging: Hanging
) -> None:
    # given
    given = Given(tmp_path, hanging)
    async with given.controller.running():
        await until(lambda: hanging.urls)
        # when: somebody mends the URL
        body = given.server.get(GIT_SOURCES, NAMESPACE, "source")
        assert body is not None
        body["spec"]["url"] = "https://git.example.com/right.git"
        given.server.put(GIT_SOURCES, body)
        # then
        await until(lambda: hanging.urls[1:] == ["https://git.example.com/right.git"])
        assert hanging.calls == 1


async def test_the_call_of_a_controller_that_ends_ends(tmp_path: Path, hanging: Hanging) -> None:
    given = Given(tmp_path, hanging)
    async with given.controller.running():
        await until(lambda: hanging.calls)
    await until(lambda: not hanging.calls)
