"""Who reads which metrics over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from penstock.controller.app.metrics_endpoint import (
    AUDIENCE,
    PATH,
    TASKS_PATH,
    MetricsReaders,
    metrics_app,
)
from penstock.controller.runtime.metrics import Metrics
from penstock.kubernetes.api.client import Api, ApiError, Object, Resource
from penstock.resources.execution import (
    ExecutionStatus,
    Metric,
    PinnedFlow,
    State,
    TaskRun,
)

READER = "system:serviceaccount:monitoring:prometheus"
TENANT = "system:serviceaccount:hostile:default"
API_SERVER = "https://kubernetes.default.svc"


def token(user: str = READER, audience: str = API_SERVER, signature: str = "s") -> str:
    claims = json.dumps({"sub": user, "aud": [audience]}).encode()
    return f"head.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{signature}"


class Reviews(Api):
    """An API server that knows tokens by what they claim, if they are signed, and who may read."""

    def __init__(self) -> None:
        super().__init__(None)
        self.asked: list[tuple[str, Object]] = []
        self.error: ApiError | None = None
        self.forged_waits: asyncio.Event | None = None

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        assert namespace == ""
        self.asked.append((resource.plural, body["spec"]))
        if self.error is not None:
            raise self.error
        answer = self._token if resource.plural == "tokenreviews" else self._access
        return {"status": await answer(body["spec"])}

    async def _token(self, spec: Object) -> Object:
        if not spec["token"].endswith(".s"):
            if self.forged_waits is not None:
                await self.forged_waits.wait()
            return {"authenticated": False}
        claims = json.loads(base64.urlsafe_b64decode(spec["token"].split(".")[1] + "=="))
        audiences = [item for item in spec.get("audiences", [API_SERVER]) if item in claims["aud"]]
        if not audiences:
            return {"authenticated": False}
        user = {"username": claims["sub"], "uid": "u", "groups": ["g"], "extra": {"pod": ["p"]}}
        return {"authenticated": True, "user": user, "audiences": audiences}

    async def _access(self, spec: Object) -> Object:
        assert (spec["uid"], spec["groups"], spec["extra"]) == ("u", ["g"], {"pod": ["p"]})
        wanted = spec["nonResourceAttributes"] == {"path": "/metrics/tasks", "verb": "get"}
        return {"allowed": wanted and spec["user"] == READER}


def published(name: str) -> ExecutionStatus:
    """The status of an execution whose one task has published a metric."""
    date = datetime(2030, 1, 1, tzinfo=UTC)
    run = TaskRun(
        id="r",
        task_id="t",
        state=State.SUCCESS,
        start_date=date,
        metrics=[Metric.model_validate({"type": "counter", "name": name, "value": 42})],
    )
    flow = PinnedFlow(namespace="company.team", id="secret-project")
    return ExecutionStatus(
        state=State.SUCCESS, flow=flow, start_date=date, original_date=date, task_runs=[run]
    )


@pytest.fixture
def reviews() -> Reviews:
    return Reviews()


@pytest.fixture
async def client(reviews: Reviews) -> AsyncIterator[TestClient[Any, Any]]:
    metrics = Metrics()
    metrics.task_runs_ended("team", None, published("revenue"))
    server = TestServer(metrics_app(metrics, MetricsReaders(reviews)), handler_cancellation=True)
    async with TestClient(server) as client:
        yield client


async def got(client: TestClient[Any, Any], path: str, shown: str | None = None) -> tuple[int, str]:
    headers = {} if shown is None else {"Authorization": shown}
    async with client.get(path, headers=headers) as response:
        return response.status, await response.text()


async def test_anybody_reads_the_controllers_own_and_no_name_of_a_tenant(
    client: TestClient[Any, Any], reviews: Reviews
) -> None:
    status, text = await got(client, PATH)
    assert status == 200
    assert 'penstock_task_runs_ended_total{state="SUCCESS"} 1.0' in text
    for name in ("revenue", "secret-project", "company.team", '"team"'):
        assert name not in text
    assert reviews.asked == []


@pytest.mark.parametrize("audience", [API_SERVER, AUDIENCE])
async def test_who_may_get_the_path_reads_those_of_tasks(
    client: TestClient[Any, Any], audience: str
) -> None:
    status, text = await got(client, TASKS_PATH, f"Bearer {token(audience=audience)}")
    assert status == 200
    assert 'kubernetes_namespace="team"' in text
    assert 'metric="revenue"' in text
    assert "penstock_executions" not in text


@pytest.mark.parametrize(
    "shown",
    [
        None, "", "Bearer", "Bearer ", f"Basic {token()}", token(), "Bearer x", "Bearer a.b.c",
        f"Bearer {token(signature='forged')}", f"Bearer {token(audience='somebody-elses')}",
        f"Bearer {'x' * 8000}",
    ],
)  # fmt: skip
async def test_who_is_nobody_reads_nothing_of_tasks(
    client: TestClient[Any, Any], shown: str | None
) -> None:
    status, text = await got(client, TASKS_PATH, shown)
    assert status == 401
    assert "Authorization: Bearer TOKEN" in text
    assert "revenue" not in text


async def test_a_tenant_reads_nothing_of_tasks(client: TestClient[Any, Any]) -> None:
    status, text = await got(client, TASKS_PATH, f"Bearer {token(TENANT)}")
    assert status == 403
    assert f"{TENANT} may not get /metrics/tasks" in text
    assert "`penstock-metrics-reader`" in text
    assert "revenue" not in text


@pytest.mark.parametrize("code", [0, 403, 503])
async def test_while_the_api_server_does_not_say_nobody_reads_them(
    client: TestClient[Any, Any], reviews: Reviews, code: int
) -> None:
    reviews.error = ApiError(code, "x", "the token is hunter2")
    status, text = await got(client, TASKS_PATH, f"Bearer {token()}")
    assert status == 503
    assert "revenue" not in text
    assert "hunter2" not in text
    # and it is asked again
    reviews.error = None
    assert (await got(client, TASKS_PATH, f"Bearer {token()}"))[0] == 200


async def test_what_was_said_of_a_token_counts_for_a_minute(
    client: TestClient[Any, Any], reviews: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert (await got(client, TASKS_PATH, f"Bearer {token()}"))[0] == 200
    assert [plural for plural, _ in reviews.asked] == ["tokenreviews", "subjectaccessreviews"]
    # when
    monkeypatch.setattr("penstock.kubernetes.api.reviews.REMEMBERED", -1.0)
    for _ in range(2):
        await got(client, TASKS_PATH, f"Bearer {token(TENANT)}")
    # then
    assert len(reviews.asked) == 6


async def test_many_forged_tokens_keep_nobody_out_whose_token_is_known(
    client: TestClient[Any, Any], reviews: Reviews
) -> None:
    # given
    await got(client, TASKS_PATH, f"Bearer {token()}")
    reviews.forged_waits = asyncio.Event()
    forged = [
        asyncio.create_task(got(client, TASKS_PATH, f"Bearer {number}{token(signature='x')}"))
        for number in range(20)
    ]
    await asyncio.sleep(0.05)
    # then: the API server is asked about two of them at once, as they come from one address
    assert len(reviews.asked) == 2 + 2
    assert (await got(client, TASKS_PATH, f"Bearer {token()}"))[0] == 200
    # and those that hang up are not asked about any more
    for task in forged:
        task.cancel()
    await asyncio.gather(*forged, return_exceptions=True)
    reviews.forged_waits.set()
    await asyncio.sleep(0.05)
    assert len(reviews.asked) < 10
