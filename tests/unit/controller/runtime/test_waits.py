"""Whatever the API server says: nothing is tried in a hot loop, and every wait says why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.runtime import outcomes
from penstock.kubernetes.api.client import (
    CONFIG_MAPS,
    CONTROLLER_REVISIONS,
    EVENTS,
    EXECUTIONS,
    FLOWS,
    JOBS,
    PODS,
    Object,
    Resource,
)
from penstock.kubernetes.api.configmap_store import digest, encode, kept_name
from tests.fixtures.apiserver import ApiServer, Refused
from tests.fixtures.controller import NAMESPACE, Controller, conditions, execution, flow, until
from tests.fixtures.pods import ended, pod_of

CHAIN = """
    id: flow
    namespace: company.team
    tasks:
      - {id: first, type: io.kestra.plugin.core.debug.Return, format: large}
      - {id: second, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.first.value }}"}
"""
LARGE = {"value": "x" * 3_000}
"""More than stands in a status."""


class Story:
    """A controller at work on a chain of two tasks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = ApiServer()

    @asynccontextmanager
    async def controller(self, **settings: Any) -> AsyncIterator[Controller]:
        """A controller that has just started, of what the server has."""
        controller = Controller(self.folder, server=self.server, **settings)
        async with controller.running():
            yield controller

    def begin(self, text: str = CHAIN) -> None:
        self.server.put(FLOWS, flow(text))
        self.server.put(EXECUTIONS, execution())

    @property
    def execution(self) -> Object:
        body = self.server.get(EXECUTIONS, NAMESPACE, "run")
        assert body is not None
        return body

    @property
    def state(self) -> str | None:
        return (self.execution.get("status") or {}).get("state")

    async def job(self, task: str) -> Object:
        """The Job of a task, once it is there."""

        def found() -> list[Object]:
            jobs = self.server.all(JOBS)
            return [job for job in jobs if job["metadata"]["name"].startswith(f"run-{task}-")]

        await until(found)
        (job,) = found()
        return job

    async def end(self, task: str, outputs: dict[str, Any] | None = None) -> None:
        """Let the pod of a task end."""
        self.server.put(PODS, {**pod_of(await self.job(task)), "status": ended(0, outputs)})

    def events(self) -> dict[str, str]:
        return {event["reason"]: event["note"] for event in self.server.all(EVENTS)}

    async def most_in(self, seconds: float, verb: str, resource: Resource) -> int:
        """How often something is asked from now on, in so many seconds."""
        before = self.server.count(verb, resource)
        await asyncio.sleep(seconds)
        return self.server.count(verb, resource) - before


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


async def test_a_config_map_with_outputs_that_somebody_deleted_stalls_the_execution(
    story: Story,
) -> None:
    # given: an execution that goes on by outputs that stand in a ConfigMap
    async with story.controller():
        story.begin()
        await story.end("first", LARGE)
        await story.job("second")
    (kept,) = story.server.all(CONFIG_MAPS)
    name = kept["metadata"]["name"]
    story.server.remove(CONFIG_MAPS, NAMESPACE, name)
    # when: the controller starts anew
    async with story.controller():
        tries = await story.most_in(1, "GET", CONFIG_MAPS)
        # then
        assert 1 <= tries <= 5
        reason, message = conditions(story.execution)["Stalled"]
        assert reason == "ValueGone"
        assert name in message
        assert "outputs of the task `first`" in message
        assert "put it back, or delete the Execution" in message
        assert story.events()["ValueGone"] == message
        # and when it is put back, and the execution is looked at again
        story.server.put(CONFIG_MAPS, kept)
        story.server.put(EXECUTIONS, story.execution)
        await story.end("second", {"value": "y"})
        await until(lambda: story.state == "SUCCESS")
        assert "Stalled" not in conditions(story.execution)


async def test_a_config_map_with_outputs_that_somebody_changed_stalls_the_execution(
    story: Story,
) -> None:
    async with story.controller():
        story.begin()
        await story.end("first", LARGE)
        await story.job("second")
    (kept,) = story.server.all(CONFIG_MAPS)
    story.server.put(CONFIG_MAPS, kept | {"binaryData": {"outputs.json.gz": "bm90IGd6aXA="}})
    async with story.controller():
        assert await story.most_in(1, "GET", CONFIG_MAPS) <= 6
        assert conditions(story.execution)["Stalled"][0] == "ValueChanged"


async def test_a_foreign_config_map_of_that_name_stalls_the_execution(story: Story) -> None:
    async with story.controller():
        # given
        story.begin()
        await story.job("first")
        (run,) = story.execution["status"]["taskRuns"]
        sha256 = digest(encode(LARGE))
        name = kept_name(story.execution, f"outputs-{run['id']}", sha256)
        story.server.put(CONFIG_MAPS, {"metadata": {"name": name, "namespace": NAMESPACE}})
        # when
        await story.end("first", LARGE)
        tries = await story.most_in(1, "POST", CONFIG_MAPS)
        # then
        assert 1 <= tries <= 5
        reason, message = conditions(story.execution)["Stalled"]
        assert reason == "NameClash"
        assert name in message
        # and when it is gone
        story.server.remove(CONFIG_MAPS, NAMESPACE, name)
        story.server.put(EXECUTIONS, story.execution)
        await story.end("second", {"value": "y"})
        await until(lambda: story.state == "SUCCESS")
        assert "Stalled" not in conditions(story.execution)


REFUSALS = {
    "a conflict that lasts": (Refused(409, "Conflict"), "Conflict"),
    "no such path": (Refused(404, "404"), "404"),
    "no right": (Refused(403, "Forbidden", "not you"), "Forbidden"),
    "invalid": (Refused(422, "Invalid", "run is invalid: x"), "Invalid"),
    "too large": (Refused(413, "RequestEntityTooLarge"), "RequestEntityTooLarge"),
    "overloaded": (Refused(503, "ServiceUnavailable"), "ServiceUnavailable"),
    "lost": (OSError("connection reset"), "Unreachable"),
    "late": (TimeoutError(), "Unreachable"),
}


@pytest.mark.parametrize(("refusal", "reason"), REFUSALS.values(), ids=REFUSALS)
async def test_a_status_that_cannot_be_written_is_tried_seldom_and_told_of(
    story: Story, refusal: Exception, reason: str
) -> None:
    async with story.controller():
        # given
        story.begin()
        await story.job("first")
        end = story.server.refuse("PUT", EXECUTIONS, refusal, part="status")
        # when
        await story.end("first", {"value": "x"})
        tries = await story.most_in(1.2, "PUT", EXECUTIONS)
        # then: of each try the status itself, and why it waits
        assert 2 <= tries <= 10
        assert reason in story.events()
        # and when it can be written again
        end()
        story.server.put(EXECUTIONS, story.execution)
        await story.end("second", {"value": "y"})
        await until(lambda: story.state == "SUCCESS")
        assert len(story.server.all(JOBS)) == 2, "each attempt has one Job"


async def test_who_is_asked_to_wait_waits(story: Story) -> None:
    async with story.controller():
        story.begin()
        await story.job("first")
        refusal = Refused(429, "TooManyRequests", "later", {"Retry-After": "30"})
        story.server.refuse("PUT", EXECUTIONS, refusal, part="status")
        await story.end("first", {"value": "x"})
        assert await story.most_in(1.5, "PUT", EXECUTIONS) <= 2


TERMINATING = Refused(403, "Forbidden", "it can't be made because it is being terminated")


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (TERMINATING, "NamespaceTerminating"),
        (Refused(404, "NotFound", 'namespaces "team" not found'), "NotFound"),
        (Refused(409, "Conflict", "resourcequotas: the object has been modified"), "Conflict"),
        (Refused(403, "Forbidden", "exceeded quota: few"), "QuotaExceeded"),
    ],
    ids=["terminating", "no namespace", "quota changed meanwhile", "over quota"],
)
async def test_a_job_that_cannot_be_made_now_is_tried_seldom_and_made_once_it_can(
    story: Story, refusal: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "FIRST_STALLED", 0.3)
    async with story.controller():
        # given
        end = story.server.refuse("POST", JOBS, refusal)
        story.begin()
        # when
        tries = await story.most_in(2, "POST", JOBS)
        # then
        assert 1 <= tries <= 7
        if tries >= 3:
            assert conditions(story.execution)["Reconciling"][0] == "ProgressingWithRetry"
            assert reason in conditions(story.execution)["Reconciling"][1]
            assert reason in story.events()
        # and when it can be made
        end()
        story.server.put(EXECUTIONS, story.execution)
        await story.end("first", {"value": "x"})
        await story.end("second", {"value": "y"})
        await until(lambda: story.state == "SUCCESS")
        assert "ProgressingWithRetry" not in str(story.execution["status"]["conditions"])


async def test_what_waited_says_so_no_longer_once_it_goes_on(story: Story) -> None:
    async with story.controller():
        end = story.server.refuse("POST", JOBS, Refused(503, "ServiceUnavailable"))
        story.begin()
        await until(lambda: "ProgressingWithRetry" in str(story.execution.get("status")))
        end()
        await story.job("first")
        await until(lambda: "ProgressingWithRetry" not in str(story.execution["status"]), 8)
        assert story.state == "RUNNING"


async def test_a_flow_whose_revision_cannot_be_kept_says_so(story: Story) -> None:
    async with story.controller():
        # given
        refusal = Refused(403, "Forbidden", "no revisions for you")
        end = story.server.refuse("POST", CONTROLLER_REVISIONS, refusal)
        # when
        story.server.put(FLOWS, flow(CHAIN))
        assert await story.most_in(1.5, "POST", CONTROLLER_REVISIONS) <= 6
        # then
        told = story.server.get(FLOWS, NAMESPACE, "flow")
        assert conditions(told)["Stalled"] == ("Forbidden", "no revisions for you")
        # and when it can be kept, and the Flow is looked at again
        end()
        assert told is not None
        story.server.put(FLOWS, {**told, "spec": {**told["spec"], "description": "another"}})
        await until(lambda: "Ready" in conditions(story.server.get(FLOWS, NAMESPACE, "flow")))
        assert "Stalled" not in conditions(story.server.get(FLOWS, NAMESPACE, "flow"))


async def test_what_passes_at_once_is_not_worth_a_word(story: Story) -> None:
    async with story.controller():
        story.server.refuse("POST", JOBS, Refused(503, "ServiceUnavailable"), times=1)
        story.server.refuse("PUT", EXECUTIONS, Refused(409, "Conflict"), part="status", times=1)
        story.begin()
        await story.end("first", {"value": "x"})
        await story.end("second", {"value": "y"})
        await until(lambda: story.state == "SUCCESS")
        assert not {"ServiceUnavailable", "Conflict"} & story.events().keys()


async def test_a_flow_that_cannot_keep_house_is_not_written_by_turns(story: Story) -> None:
    async with story.controller(executions={"keep": 1}):
        # given: two executions that ended, of which one may stay
        story.server.refuse("DELETE", EXECUTIONS, Refused(403, "Forbidden", "not yours"))
        story.server.put(FLOWS, flow(CHAIN))
        date = "2026-01-02T03:04:05Z"
        for name in ("a", "b"):
            status = {"state": "SUCCESS", "endDate": date, "startDate": date}
            story.server.put(EXECUTIONS, execution(name, status=status))
        # when
        await until(lambda: "Stalled" in conditions(story.server.get(FLOWS, NAMESPACE, "flow")))
        # then
        assert await story.most_in(2, "PUT", FLOWS) <= 3
        assert await story.most_in(1, "DELETE", EXECUTIONS) <= 2


async def test_a_config_map_of_a_deleted_namesake_is_waited_for(story: Story) -> None:
    async with story.controller():
        # given
        story.begin()
        await story.job("first")
        (run,) = story.execution["status"]["taskRuns"]
        owner = {"kind": "Execution", "name": "run", "uid": "the one before"}
        sha256 = digest(encode(LARGE))
        name = kept_name(story.execution, f"outputs-{run['id']}", sha256)
        meta = {"name": name, "namespace": NAMESPACE, "ownerReferences": [owner]}
        story.server.put(CONFIG_MAPS, {"metadata": meta})
        # when
        await story.end("first", LARGE)
        await asyncio.sleep(0.3)
        assert "Stalled" not in conditions(story.execution), "nobody has to do anything"
        # and when the garbage collector has come to it
        story.server.remove(CONFIG_MAPS, NAMESPACE, name)
        await story.end("second", {"value": "y"})
        await until(lambda: story.state == "SUCCESS")
