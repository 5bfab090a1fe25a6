"""What is told of the metrics that tasks publish, when the status of their execution is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.controller.executions.publisher import StatusPublisher
from penstock.controller.executions.status_store import LastStatus
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.task_metrics import MAX_OF_TENANT
from penstock.engine.interface.actions import Report, Step
from penstock.resources.execution import ExecutionStatus, Metric, PinnedFlow, State, TaskRun
from tests.fixtures.controller import execution

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Statuses:
    """A store of statuses that takes each."""

    async def write(self, body: Any, status: ExecutionStatus, before: Any) -> ExecutionStatus:
        return status


class Recorded:
    """The Events that were asked for."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def record(self, about: Any, report: Report) -> None:
        self.reasons.append(report.reason)


def ended(runs: int) -> ExecutionStatus:
    """A status of which so many task runs have ended, with a hundred metrics of their own each."""
    found = [
        TaskRun(
            id=f"r{number}",
            task_id="t",
            state=State.SUCCESS,
            start_date=NOW,
            metrics=[
                Metric.model_validate({"type": "gauge", "name": f"{number}-{n}", "value": 1})
                for n in range(100)
            ],
        )
        for number in range(runs)
    ]
    flow = PinnedFlow(namespace="company.team", id="f")
    return ExecutionStatus(
        state=State.RUNNING, flow=flow, start_date=NOW, original_date=NOW, task_runs=found
    )


async def test_a_tenant_gets_one_event_when_its_series_are_full() -> None:
    # given
    recorded, metrics = Recorded(), Metrics()
    publisher: Any = StatusPublisher(
        Statuses(),  # type: ignore[arg-type]
        recorded,  # type: ignore[arg-type]
        metrics,
        lambda body, status, now: status,
        lambda *_: None,
    )
    body = execution()
    full = MAX_OF_TENANT // 100
    # when
    told: list[list[str]] = []
    last: LastStatus | None = None
    for runs in range(1, full + 4):
        status = ended(runs)
        await publisher.store(body, last, Step(status), NOW + timedelta(seconds=runs))
        last = LastStatus(1, status)
        told.append(list(recorded.reasons))
    # then
    assert told[full - 1] == []
    assert told[full] == told[-1] == ["MetricsLimit"]
