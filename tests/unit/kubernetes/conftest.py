"""Fixtures of the tests of Jobs and results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.engine.interface.actions import StartAttempt
from penstock.flow.task import RunnableTask
from penstock.resources.execution import Attempt, State, TaskRun

Starter = Callable[..., StartAttempt]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def starting() -> Starter:
    """Makes what the engine asks for: one attempt of a task."""

    def start(
        task_type: str,
        properties: Mapping[str, Any],
        *,
        timeout: timedelta | None = None,
        value: str | None = None,
        attempt: int = 1,
        rendered: Mapping[str, Any] | None = None,
    ) -> StartAttempt:
        run = TaskRun(id="run1", task_id="hello", state=State.CREATED, start_date=NOW, value=value)
        made = Attempt(number=attempt, state=State.CREATED, created_date=NOW)
        task = RunnableTask(id="hello", type=task_type, properties=dict(properties))
        return StartAttempt(run, made, task, rendered or properties, timeout)

    return start
