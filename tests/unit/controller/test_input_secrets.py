"""Taking texts out of specs, when the API server answers what it may."""

from __future__ import annotations

from typing import Any, cast

import pytest

from penstock.controller.executions.inputsecrets import InputSecrets
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.recorder import Recorder
from penstock.engine.interface.actions import Report
from penstock.kubernetes.api.client import Api, ApiError

GIVEN = {"key": {"secretKeyRef": {"name": "s", "key": "key"}}}
BODY: dict[str, Any] = {
    "metadata": {"name": "run", "namespace": "team", "uid": "u", "resourceVersion": "1"},
    "spec": {"inputs": {"key": "hunter2"}},
    "status": {"givenInputs": GIVEN},
}
CHANGED = {**BODY, "spec": {"inputs": GIVEN}}


class Server:
    """Answers patches, and listens to Events."""

    def __init__(self, refusal: ApiError | None = None) -> None:
        self.refusal = refusal
        self.patches: list[Any] = []
        self.seen: list[Any] = []
        self.reports: list[Report] = []

    async def patch(self, resource: Any, namespace: str, name: str, body: Any) -> Any:
        self.patches.append(body["spec"])
        if self.refusal is not None:
            raise self.refusal
        return CHANGED

    def record(self, body: Any, report: Report) -> None:
        self.reports.append(report)

    def hiding(self) -> InputSecrets:
        return InputSecrets(
            cast(Api, self), ExecutionMemories(), cast(Recorder, self), self.seen.append
        )


async def test_it_goes_on_with_the_execution_as_it_is_then() -> None:
    server = Server()
    assert await server.hiding().hide(BODY) is CHANGED
    assert server.patches == [{"inputs": GIVEN}]
    assert server.seen == [CHANGED]


async def test_where_nothing_is_shown_nobody_is_asked() -> None:
    server = Server()
    assert await server.hiding().hide(CHANGED) is CHANGED
    assert server.patches == []


async def test_a_refusal_is_told_once_and_holds_nothing_up() -> None:
    server = Server(ApiError(422, "Invalid", "hunter2 is wrong"))
    hiding = server.hiding()
    assert await hiding.hide(BODY) is BODY
    assert await hiding.hide(BODY) is BODY
    assert len(server.patches) == 1
    (report,) = server.reports
    assert (report.reason, report.warning) == ("SecretNotHidden", True)
    assert "hunter2" not in report.message


@pytest.mark.parametrize("status", [0, 404, 409, 429, 500])
async def test_what_may_succeed_later_is_tried_again(status: int) -> None:
    server = Server(ApiError(status, "Later", ""))
    with pytest.raises(ApiError):
        await server.hiding().hide(BODY)
    assert server.reports == []
