"""Pause: wait for a person, or for some time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from penstock.engine.interface.flowable import (
    Child,
    Evaluator,
    Flowable,
    FlowableError,
    Going,
    Hold,
    Lane,
    Opening,
    Plan,
    enabled,
)
from penstock.engine.interface.secrets import AskedSecrets
from penstock.flow.inputs import Input
from penstock.flow.model import DurationProperty, parse_duration
from penstock.flow.problems import Location
from penstock.flow.task import AnyTask, Task
from penstock.resources.execution import ResumeRequest, State, TaskRun

PauseBehavior = Literal["RESUME", "WARN", "FAIL", "CANCEL"]


class Holding(Flowable):
    """A flowable that waits for a person."""

    uses_timeout = True
    answers: ClassVar[str] = "onResume"
    """The output in which stands what the person gave."""

    @property
    def asked(self) -> list[Input]:
        """The inputs for which the person is asked."""
        raise NotImplementedError

    @property
    def asked_secrets(self) -> AskedSecrets:
        """The inputs of type SECRET for which the person is asked."""
        ids = frozenset(item.id for item in self.asked if item.type == "SECRET")
        return AskedSecrets(self.answers, ids)

    def resumed(self, run: TaskRun, asked: ResumeRequest, inputs: dict[str, Any]) -> Going:
        """Say how the flowable goes on when a person says so. Raises ``FlowableError``."""
        raise NotImplementedError


def hold(evaluator: Evaluator, *durations: timedelta | str | None) -> Hold:
    """Hold for the first duration that is given, or for ever. Raises ``FlowableError``."""
    written = next((item for item in durations if item is not None), None)
    if isinstance(written, str):
        try:
            written = parse_duration(evaluator.render(written))
        except ValueError as error:
            raise FlowableError(str(error)) from None
    return Hold(written)


class Pause(Holding):
    """Waits until it is resumed, or until its time is up; then runs what follows.

    Outputs: `onResume`, what the person gave; `resumed`, by whom and when.

    ```yaml
    id: gate
    type: io.kestra.plugin.core.flow.Pause
    pauseDuration: P1D
    behavior: CANCEL
    onResume:
      - id: reason
        type: STRING
    ```
    """

    pause_duration: DurationProperty | None = None
    """After which it goes on by itself, as `behavior` says; for ever where it is not given.
    Rendered."""
    delay: DurationProperty | None = None
    """The older name of `pauseDuration`. Rendered."""
    behavior: PauseBehavior = "RESUME"
    """What follows when `pauseDuration` has passed."""
    on_pause: AnyTask | None = None
    """A task that runs when the pause begins, to tell somebody."""
    on_resume: list[Input] = []
    """What is asked of the person who resumes it; seen as the output `onResume`."""
    tasks: list[AnyTask] = []
    """Deprecated: tasks that run when it is resumed. Put them after it."""

    @property
    def asked(self) -> list[Input]:
        return self.on_resume

    def open(self, evaluator: Evaluator) -> Opening:
        durations = (self.pause_duration, self.delay, self.timeout)
        return Opening(hold=hold(evaluator, *durations))

    def plan(self, run: TaskRun) -> Plan:
        tasks = [self.on_pause] if self.on_pause is not None else []
        if run.state is not State.PAUSED:
            tasks = [*tasks, *self.tasks]
        return Plan([Lane(tuple(Child(task) for task in enabled(tasks)))])

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        if self.on_pause is not None:
            yield ("onPause",), [self.on_pause]
        yield ("tasks",), self.tasks

    def children(self) -> Iterator[tuple[Location, Task]]:
        for at, task in super().children():
            yield (("onPause",) if at[0] == "onPause" else at), task

    def expire(self, run: TaskRun, now: datetime) -> Going:
        if self.pause_duration is None and self.delay is None:
            return Going(verdict=State.FAILED, message="nobody resumed it before its timeout")
        message = f"nobody resumed it before its time was up ({self.behavior})"
        match self.behavior:
            case "WARN":
                return Going(verdict=State.WARNING, message=message)
            case "FAIL":
                return Going(verdict=State.FAILED, message=message)
            case "CANCEL":
                return Going(exit=State.CANCELLED, message=message)
        return Going()

    def resumed(self, run: TaskRun, asked: ResumeRequest, inputs: dict[str, Any]) -> Going:
        return Going(outputs={**(run.outputs or {}), self.answers: inputs})
