"""The task run indexes of open executions, kept from one decision to the next.

Only a saving: an index is used again if it is that of the very status that is decided upon, and is
made anew from the status otherwise. A decision that ends in an error keeps nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from cachetools import FIFOCache

from penstock.engine.state.task_run_index import TaskRunIndex, Traits
from penstock.resources.execution import TaskRun

_KEPT = 512


class TaskRunCache:
    """Keeps the task run index of each open execution by the uid of the execution."""

    def __init__(self, traits: Traits) -> None:
        self._traits = traits
        self._kept: FIFOCache[str, tuple[Sequence[TaskRun], TaskRunIndex]] = FIFOCache(_KEPT)

    def take(self, uid: str, task_runs: Sequence[TaskRun]) -> TaskRunIndex:
        """Take the index of these task runs, or make it; it is kept again once it is given back."""
        kept = self._kept.pop(uid, None)
        if kept is not None and _catch_up(*kept, task_runs):
            return kept[1]
        return TaskRunIndex(task_runs, self._traits)

    def give_back(self, uid: str, task_runs: Sequence[TaskRun], run_index: TaskRunIndex) -> None:
        """Keep an index, which holds exactly these task runs."""
        self._kept[uid] = (task_runs, run_index)


def _catch_up(
    known: Sequence[TaskRun], run_index: TaskRunIndex, task_runs: Sequence[TaskRun]
) -> bool:
    """Bring the index to task runs that others have completed meanwhile (the name of a Job, where
    outputs are kept). False where they are not the same task runs."""
    if known is task_runs:
        return True
    if len(known) != len(task_runs):
        return False
    changed = [(old, new) for old, new in zip(known, task_runs, strict=True) if old is not new]
    if any(old.id != new.id for old, new in changed):
        return False
    for _, run in changed:
        run_index.put(run)
    return True
