"""What a GitSource says of itself, and what of its commit is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.gitsources import commit_flows, file_reader
from penstock.controller.gitsources.git_client import GitServiceUnavailable
from penstock.controller.workers.checking import SMALL
from penstock.controller.workers.pool import Busy, WorkerLost, Workers
from penstock.git import GitError
from penstock.kubernetes.api.client import FLOWS, GIT_SOURCES
from penstock.resources.gitsource import PUSH_ANNOTATION
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


async def test_a_commit_with_more_flows_than_a_status_has_room_for_is_refused_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: one flow is there
    monkeypatch.setattr(commit_flows, "MAX_FLOWS", 3)
    given = Given(tmp_path, FakeGit(files={"a.yaml": flow("a")}))
    await given.synced()
    # when: a commit has three more, two of them in one file
    files = {"b.yaml": flow("b") + b"---\n" + flow("c"), "d.yaml": flow("d")}
    given.git.commit, given.git.files = "c0ffee2", {"a.yaml": flow("a"), **files}
    await given.synced()
    # then: nothing of it is applied, and it is not read once more
    reason, message = given.ready
    assert reason == "TooManyFlows"
    assert message.startswith(
        "4 flows are more than the status of a GitSource has room for, some 3"
    )
    assert given.flows == ["company.team.a"]
    assert given.status["appliedCommit"] == "c0ffee"
    assert given.status["attemptedCommit"] == "c0ffee2"
    await given.synced()
    assert len(given.git.asked) == 2
    # when: the next commit has fewer
    given.git.commit, given.git.files = "c0ffee3", files
    await given.synced()
    # then
    assert given.flows == ["company.team.b", "company.team.c", "company.team.d"]
    assert "Ready" in given.told


async def test_long_paths_leave_room_for_fewer_flows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_flows, "MOST_BYTES", 2000)
    files = {f"{'long/' * 100}{name}.yaml": flow(name) for name in "abcd"}
    given = Given(tmp_path, FakeGit(files=files))
    await given.synced()
    reason, message = given.ready
    assert reason == "TooManyFlows"
    assert "some 2 with paths and names as long as these" in message
    assert given.flows == []


async def test_a_large_file_is_read_in_a_worker_and_one_that_kills_it_is_that_files_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a large file is asked of workers, of which the first is lost
    asked: list[str] = []

    async def ask(workers: Workers, tenant: str, question: Any, functions: Any) -> Any:
        asked.append(question.file.path)
        if len(asked) == 1:
            raise WorkerLost("it needs more than 192 MiB of memory")
        if len(asked) == 2:
            raise Busy("others come before")
        return question.answer(lambda *_: None)

    monkeypatch.setattr(Workers, "ask", ask)
    monkeypatch.setattr(file_reader, "AGAIN", 0.01)
    large = b"# " + b"x" * SMALL + b"\n"
    files = {"a.yaml": large + flow("a"), "b.yaml": large + flow("b"), "c.yaml": flow("c")}
    given = Given(tmp_path, FakeGit(files=files))
    # when
    await given.synced()
    # then
    assert asked == ["a.yaml", "b.yaml", "b.yaml"]
    assert given.flows == ["company.team.b", "company.team.c"]
    (problem,) = given.status["problems"]
    assert problem["path"] == "a.yaml"
    assert "can't be checked: it needs more than 192 MiB of memory; make it" in problem["message"]


async def test_of_many_problems_the_first_are_told_and_how_many_more_there_are(
    tmp_path: Path,
) -> None:
    # given: 40 files with 30 mistakes each
    tasks = "".join(f"  - {{id: t{number}, type: Nope}}\n" for number in range(30))
    bad = {
        f"f{number:02}.yaml": f"id: f{number}\nnamespace: n\ntasks:\n{tasks}".encode()
        for number in range(40)
    }
    given = Given(tmp_path, FakeGit(files=bad))
    # when
    await given.synced()
    # then
    problems = given.status["problems"]
    assert given.status["failed"] == 40
    assert len(problems) == 100
    assert problems[19]["message"] == "and 11 more problems"
    told = 4 * 30 + 19
    assert problems[99] == {
        "path": "f04.yaml",
        "line": problems[99]["line"],
        "message": f"and {40 * 30 - told} more problems",
    }
    assert given.ready[1].endswith(f"and {40 * 30 - 9} more problems")


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


async def test_a_push_has_the_remote_asked_at_once_and_nothing_fetched_that_is_there(
    tmp_path: Path,
) -> None:
    # given: a commit that was taken in, of a source that is asked once a day
    given = Given(tmp_path, FakeGit(files={"one.yaml": flow()}), interval="24h")

    async def push(number: int) -> None:
        patch = {"metadata": {"annotations": {PUSH_ANNOTATION: f"push {number}"}}}
        await given.server.api.patch(GIT_SOURCES, NAMESPACE, "source", patch)

    async with given.controller.running():
        await until(lambda: given.status.get("appliedCommit") == "c0ffee")
        fetched, asked = len(given.git.asked), given.git.looks
        # when: somebody says so, and there is nothing new
        await push(1)
        await until(lambda: given.git.looks > asked)
        # then
        assert len(given.git.asked) == fetched
        # and with a new commit
        given.git.commit, given.git.files = "c0ffee2", {"two.yaml": flow("two")}
        await push(2)
        await until(lambda: given.flows == ["company.team.two"])
