"""The flowable tasks, one file each."""

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.engine.flowable import Flowable
from penstock.engine.flowables.allow_failure import AllowFailure
from penstock.engine.flowables.approval import Approval
from penstock.engine.flowables.dag import Dag
from penstock.engine.flowables.each import EachParallel, EachSequential
from penstock.engine.flowables.for_each import ForEach
from penstock.engine.flowables.for_each_item import ForEachItem
from penstock.engine.flowables.if_ import If
from penstock.engine.flowables.loop import Loop
from penstock.engine.flowables.loop_until import LoopUntil, WaitFor
from penstock.engine.flowables.parallel import Parallel
from penstock.engine.flowables.pause import Pause
from penstock.engine.flowables.sequential import Sequential
from penstock.engine.flowables.switch import Switch
from penstock.engine.flowables.working_directory import WorkingDirectory
from penstock.flow.types import TaskType, TaskTypes

_NEW = "io.kestra.plugin.core.flow."
_OLD = "io.kestra.core.tasks.flows."
_WITH_OLD_NAME: tuple[type[Flowable], ...] = (
    AllowFailure,
    Dag,
    EachParallel,
    EachSequential,
    If,
    Parallel,
    Pause,
    Sequential,
    Switch,
)
_NEW_ONLY: tuple[type[Flowable], ...] = (Approval, ForEach, ForEachItem, Loop, LoopUntil)
_DEPRECATED: dict[type[Flowable], str] = {
    EachParallel: "use ForEach",
    EachSequential: "use ForEach",
}


def register(types: TaskTypes) -> None:
    """Make the flowable tasks known."""
    for model in _WITH_OLD_NAME:
        name = model.__name__
        deprecated = _DEPRECATED.get(model)
        types.register(TaskType(_NEW + name, (_OLD + name,), model, deprecated=deprecated))
    for model in _NEW_ONLY:
        needs_storage = _needs_storage if model is ForEachItem else None
        types.register(TaskType(_NEW + model.__name__, model=model, not_served=needs_storage))
    types.register(TaskType(_NEW + "WaitFor", model=WaitFor, deprecated="use LoopUntil"))
    worker = (_OLD + "WorkingDirectory", _OLD + "Worker")
    types.register(TaskType(_NEW + "WorkingDirectory", worker, WorkingDirectory))


def _needs_storage(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield (
        "type",
        "needs the internal storage, which is not served on a cluster yet: the task fails there, "
        "and runs with `penstock run`",
    )
