"""Task types that exist only in Kestra's tests, as a plugin has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from penstock.engine.interface.actions import Observation
from penstock.engine.interface.executable import ChildrenSeen
from penstock.engine.interface.flowable import Again, Evaluator, FlowableError, Going
from penstock.engine.kinds.executables.subflow import Subflow
from penstock.engine.kinds.flowables.sequential import Sequential
from penstock.flow.types import TaskType, TaskTypes
from penstock.local.plugins import Plugins, task_type
from penstock.resources.execution import ExecutionStatus, TaskRun
from penstock.tasks.contract.task import Context, TaskFailure

_TASKS = "io.kestra.core.tasks.test."
_RUNNERS = "io.kestra.core.runners.test."


@dataclass(frozen=True)
class TaskWithAlias:
    message: str

    def run(self, context: Context) -> None:
        context.log(self.message)


@dataclass(frozen=True)
class NullOutputTask:
    def run(self, context: Context) -> Mapping[str, Any]:
        return {"value": None}


@dataclass(frozen=True)
class TaskThatFail:
    message: str

    def run(self, context: Context) -> None:
        raise TaskFailure(self.message, {"message": self.message})


@dataclass(frozen=True)
class Encrypted:
    """A value that a cluster encrypts: in a local run it is the plain text."""

    format: str

    def run(self, context: Context) -> Mapping[str, Any]:
        return {"value": self.format}


@dataclass(frozen=True)
class Read:
    path: str

    def run(self, context: Context) -> Mapping[str, Any]:
        file = context.services.directory / self.path.lstrip("/")
        if not file.is_file():
            raise TaskFailure(f"there is no file {self.path}")
        return {"value": file.read_text("utf-8")}


@dataclass(frozen=True)
class DynamicTask:
    """A task that ends as its child would: tasks make no task runs here."""

    fail: bool = False

    def run(self, context: Context) -> None:
        if self.fail:
            raise TaskFailure("the dynamic task failed")


class BadExecutable(Subflow):
    """A task whose result can't be made."""

    def conclude(
        self,
        names: Sequence[str],
        statuses: Sequence[ExecutionStatus | None],
        seen: ChildrenSeen,
    ) -> Observation | None:
        raise FlowableError("its result can't be made")


class BadSequential(Sequential):
    """A task whose state can't be told."""

    def proceed(self, run: TaskRun, evaluator: Evaluator, now: datetime) -> Going | Again:
        raise FlowableError("its state can't be told")


def register(types: TaskTypes) -> None:
    types.register(task_type(f"{_RUNNERS}TaskWithAlias", TaskWithAlias, f"{_RUNNERS}task.Alias"))
    types.register(task_type(f"{_RUNNERS}TaskThatFail", TaskThatFail))
    for task in (NullOutputTask, Encrypted, Read, DynamicTask):
        types.register(task_type(_TASKS + task.__name__, task))
    types.register(TaskType(f"{_TASKS}BadExecutable", model=BadExecutable))
    types.register(TaskType(f"{_TASKS}BadSequential", model=BadSequential))


@cache
def types_with_stubs() -> Plugins:
    return Plugins.of(["tests.conformance.stubs"])
