"""Executions without a cluster: in which order things run, how often, and how they end."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from penstock.engine.interface.actions import Observation, StartAttempt
from penstock.local.attempts import OnLog, Place, Started
from penstock.local.world import NothingLeft
from penstock.resources.execution import ExecutionStatus, State
from tests.unit.local.conftest import Hall, Recorded, Try

LOG = "type: io.kestra.plugin.core.log.Log"
FAIL = "type: io.kestra.plugin.core.execution.Fail"

ERRORS_AND_FINALLY = f"""
tasks:
  - {{id: before, {LOG}, message: before}}
  - {{id: boom, {FAIL}}}
  - {{id: never, {LOG}, message: never}}
errors:
  - {{id: on-error, {LOG}, message: error}}
finally:
  - {{id: at-last, {LOG}, message: finally}}
"""


class Gauge:
    """Runs tasks by waiting a moment, and counts how many run at once."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self.started: list[str] = []

    async def __call__(
        self, place: Place, start: StartAttempt, on_log: OnLog, started: Started
    ) -> Observation:
        self.now += 1
        self.most = max(self.most, self.now)
        self.started.append(start.task_run.task_id)
        await asyncio.sleep(0.01)
        self.now -= 1
        return Observation(State.SUCCESS)


def states(status: ExecutionStatus) -> dict[str, State]:
    return {run.task_id: run.state for run in status.task_runs}


async def test_errors_run_before_finally_and_nothing_after_the_failure(
    try_: Try, hall: Hall
) -> None:
    status = await try_(ERRORS_AND_FINALLY).run()

    assert status.state is State.FAILED
    assert [task for task, _ in hall.seen[0].lines] == ["before", "boom", "on-error", "at-last"]
    assert "never" not in states(status)
    assert status.message == "task boom: Task failure"


async def test_an_allowed_failure_is_not_given_as_the_reason(try_: Try) -> None:
    status = await try_(f"""
tasks:
  - id: tolerant
    type: io.kestra.plugin.core.flow.AllowFailure
    tasks: [{{id: harmless, {FAIL}, errorMessage: harmless}}]
  - {{id: boom, {FAIL}, errorMessage: the reason}}
""").run()

    assert status.message == "task boom: the reason"


@pytest.mark.parametrize("attempts", [1, 3])
async def test_a_retry_makes_exactly_the_attempts_it_may(
    try_: Try, hall: Hall, attempts: int
) -> None:
    status = await try_(f"""
tasks:
  - id: flaky
    {FAIL}
    retry: {{type: constant, interval: PT0.02S, maxAttempts: {attempts}}}
""").run()

    (run,) = status.task_runs
    assert status.state is State.FAILED
    assert [attempt.state for attempt in run.attempts] == [State.FAILED] * attempts
    assert len(hall.seen[0].lines) == attempts


async def test_an_execution_that_only_waits_for_a_retry_is_retrying(
    try_: Try,
) -> None:
    status = await try_(f"""
tasks:
  - id: second-time-lucky
    {FAIL}
    condition: "{{{{ taskrun.attemptsCount < 1 }}}}"
    retry: {{type: constant, interval: PT0.02S, maxAttempts: 5}}
""").run()

    assert status.state is State.SUCCESS
    assert State.RETRYING in [step.state for step in status.history]
    assert len(status.task_runs[0].attempts) == 2


@pytest.mark.parametrize(("limit", "expected"), [(1, 1), (3, 3), (0, 12)])
async def test_a_loop_keeps_to_its_limit(try_: Try, limit: int, expected: int) -> None:
    gauge = Gauge()
    tried = try_(
        f"""
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.ForEach
    values: {list(range(12))}
    concurrencyLimit: {limit}
    tasks: [{{id: inner, {LOG}, message: "{{{{ taskrun.value }}}}"}}]
""",
        run_task=gauge,
    )

    status = await tried.run()

    assert status.state is State.SUCCESS
    assert len(gauge.started) == 12
    assert gauge.most == expected


async def test_a_timeout_kills_what_runs(try_: Try) -> None:
    tried = try_("""
tasks:
  - {id: long, type: io.kestra.plugin.core.flow.Sleep, duration: PT1H}
finally:
  - {id: handler, type: io.kestra.plugin.core.log.Log, message: not run}
""")

    status = await asyncio.wait_for(tried.run(timedelta(seconds=0.1)), 5)

    assert status.state is State.KILLED
    assert [step.state for step in status.history][-2:] == [State.KILLING, State.KILLED]
    assert states(status) == {"long": State.KILLED}
    assert status.task_runs[0].attempts[0].state is State.KILLED
    assert status.message == "killed: it ran longer than the timeout of 0.1s"


async def test_a_timeout_ends_a_wait_for_a_retry(try_: Try) -> None:
    tried = try_(f"""
tasks:
  - id: flaky
    {FAIL}
    retry: {{type: constant, interval: PT1H, maxAttempts: 3}}
""")

    status = await asyncio.wait_for(tried.run(timedelta(seconds=0.1)), 5)

    assert status.state is State.KILLED
    assert status.task_runs[0].next_attempt is None


async def test_bad_inputs_are_refused_before_anything_runs(try_: Try) -> None:
    tried = try_(
        f"""
inputs: [{{id: count, type: INT}}]
tasks: [{{id: only, {LOG}, message: "{{{{ inputs.count }}}}"}}]
""",
        {"count": "many"},
    )

    status = await tried.run()

    assert status.state is State.FAILED
    assert tried.execution.refusal == "InvalidInputs"
    assert "count" in (status.message or "")
    assert status.task_runs == []


async def test_a_fault_in_a_task_fails_the_task_only(try_: Try) -> None:
    async def broken(
        place: Place, start: StartAttempt, on_log: OnLog, started: Started
    ) -> Observation:
        if start.task_run.task_id == "boom":
            raise RuntimeError("broken")
        return Observation(State.SUCCESS)

    status = await try_(ERRORS_AND_FINALLY, run_task=broken).run()

    assert status.state is State.FAILED
    assert status.message == "task boom: RuntimeError: broken"
    assert states(status)["at-last"] is State.SUCCESS


async def test_a_watcher_that_fails_ends_the_execution(
    try_: Try, hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Recorded, "logged", broken)

    with pytest.raises(BrokenPipeError):
        await asyncio.wait_for(try_(ERRORS_AND_FINALLY).run(), 5)


async def test_an_engine_that_waits_for_nothing_is_a_fault_and_not_a_hang(
    try_: Try, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = try_(f"tasks: [{{id: only, {LOG}, message: hello}}]")

    def forgetful(execution: object, action: object) -> None: ...

    monkeypatch.setattr(tried.world, "_act", forgetful)

    with pytest.raises(NothingLeft):
        await tried.run()


async def test_every_change_is_told(try_: Try, hall: Hall) -> None:
    await try_(f"tasks: [{{id: only, {LOG}, message: hello}}]").run()

    seen = [run.state for status in hall.seen[0].statuses for run in status.task_runs]
    assert list(dict.fromkeys(seen)) == [State.CREATED, State.RUNNING, State.SUCCESS]
    assert hall.seen[0].lines == [("only", "hello")]
