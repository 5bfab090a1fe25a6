"""The flowable tasks, one file each. Each is read when a flow names it."""

from penstock.flow.types import TaskType, TaskTypes

_NEW = "io.kestra.plugin.core.flow."
_OLD = "io.kestra.core.tasks.flows."
_FILES = {
    "AllowFailure": "allow_failure",
    "Approval": "approval",
    "Dag": "dag",
    "EachParallel": "each",
    "EachSequential": "each",
    "ForEach": "for_each",
    "ForEachItem": "for_each_item",
    "If": "if_",
    "Loop": "loop",
    "LoopUntil": "loop_until",
    "Parallel": "parallel",
    "Pause": "pause",
    "Sequential": "sequential",
    "Switch": "switch",
    "WaitFor": "loop_until",
    "WorkingDirectory": "working_directory",
}
_OLD_NAMES = {
    **{
        name: (_OLD + name,)
        for name in (
            "AllowFailure", "Dag", "EachParallel", "EachSequential", "ForEachItem", "If",
            "Parallel", "Pause", "Sequential", "Switch",
        )
    },
    "WorkingDirectory": (_OLD + "WorkingDirectory", _OLD + "Worker"),
}  # fmt: skip
_DEPRECATED = {
    "EachParallel": "use ForEach",
    "EachSequential": "use ForEach",
    "WaitFor": "use LoopUntil",
}


def register(types: TaskTypes) -> None:
    """Make the flowable tasks known."""
    for name, file in _FILES.items():
        model = f"{__name__}.{file}:{name}"
        old = _OLD_NAMES.get(name, ())
        types.register(TaskType(_NEW + name, old, model, deprecated=_DEPRECATED.get(name)))
