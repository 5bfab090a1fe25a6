"""Some news of an execution are written at once, others later."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.controller.executions.write_policy import decides
from penstock.resources.execution import (
    Attempt,
    ControlResult,
    ExecutionStatus,
    State,
    TaskRun,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ATTEMPT = Attempt(number=1, state=State.CREATED, created_date=NOW)
RUN = TaskRun(id="r", task_id="a", state=State.CREATED, start_date=NOW, attempts=[ATTEMPT])
BEFORE = ExecutionStatus(state=State.RUNNING, task_runs=[RUN], progress="0/1")


def changed(**changes: Any) -> ExecutionStatus:
    return BEFORE.model_copy(update={"task_runs": [RUN.model_copy(update=changes)]})


def test_that_a_task_runs_may_wait_for_the_next_write() -> None:
    running = ATTEMPT.model_copy(update={"state": State.RUNNING, "start_date": NOW})
    after = changed(state=State.RUNNING, attempts=[running])
    assert not decides(BEFORE, after.model_copy(update={"progress": "0/2"}))


@pytest.mark.parametrize(
    "after",
    [
        changed(state=State.SUCCESS),
        changed(state=State.PAUSED),
        changed(attempts=[ATTEMPT, ATTEMPT]),
        changed(next_attempt=NOW),
        BEFORE.model_copy(update={"state": State.PAUSED}),
        BEFORE.model_copy(update={"paused": True}),
        BEFORE.model_copy(update={"labels": {"a": "b"}}),
        BEFORE.model_copy(update={"controls": [ControlResult(id="a", date=NOW, done=True)]}),
        BEFORE.model_copy(update={"after_execution": State.RUNNING}),
    ],
)
def test_what_was_decided_is_written_at_once(after: ExecutionStatus) -> None:
    assert decides(BEFORE, after)
