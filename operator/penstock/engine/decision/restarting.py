"""Doing again what was done: restart, replay, and marking a task run."""

from __future__ import annotations

from datetime import datetime

from penstock.engine.interface.flowable import Flowable
from penstock.engine.kinds.flowables.pause import Holding
from penstock.engine.kinds.flowables.working_directory import WorkingDirectory
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.tree import FlowTree, Role
from penstock.resources.execution import ExecutionStatus, ReplayReference, State, TaskRun

_AGAIN = frozenset({State.FAILED, State.KILLED, State.CANCELLED, State.RETRIED})
"""States of task runs that a restart does again."""


def to_do_again(tree: FlowTree, run_index: TaskRunIndex) -> list[TaskRun]:
    """Find the task runs that a restart resets."""
    anew = {run.id for run in handlers(tree, run_index)}
    return [
        run
        for run in run_index
        if run.task_id in tree and run.id not in anew and _led_to_the_end(run_index, run)
    ]


def restart(tree: FlowTree, run_index: TaskRunIndex, now: datetime) -> None:
    """Reset what failed, and what is around it."""
    again = to_do_again(tree, run_index)
    _remove_unknown(tree, run_index)
    _remove_handlers(tree, run_index)
    for run in again:
        around = list(run_index.ancestors(run)) if run.id in run_index else []
        if run.id in run_index:
            _do_again(tree, run_index, run, now)
        for outer in around:
            _open(tree, run_index, outer)


def _led_to_the_end(run_index: TaskRunIndex, run: TaskRun) -> bool:
    """Whether a failure counts: it was not allowed further out."""
    return run.state in _AGAIN and all(outer.state in _AGAIN for outer in run_index.ancestors(run))


def _do_again(tree: FlowTree, run_index: TaskRunIndex, run: TaskRun, now: datetime) -> None:
    task = tree[run.task_id].task
    if not isinstance(task, Flowable) and not run.attempts:
        # It failed before it began: its `runIf` is asked again.
        run_index.remove(run)
    elif not isinstance(task, Flowable):
        run_index.move(run, State.RESTARTED, end_date=None, next_attempt=now, message=None)
    elif isinstance(task, WorkingDirectory):
        # Its directory is gone, and what its tasks left there.
        run_index.remove(run)
    elif any(child.state in _AGAIN for child in run_index.children(run.id)):
        _open(tree, run_index, run)
    elif run.state is State.FAILED or isinstance(task, Holding):
        # It failed by its own rules: a loop without values, a limit that was reached. And who
        # was waited for is waited for again.
        run_index.remove(run)
    else:
        _open(tree, run_index, run)


def mark(tree: FlowTree, run_index: TaskRunIndex, run: TaskRun, state: State) -> None:
    """Give a task run another end state, and open what has ended around it."""
    _remove_unknown(tree, run_index)
    _remove_handlers(tree, run_index)
    run_index.move(run, state, message=f"marked as {state}")
    for around in run_index.ancestors(run):
        if around.state.terminated:
            _open(tree, run_index, around)


def kept_for_replay(
    tree: FlowTree, source: ExecutionStatus, asked: ReplayReference
) -> list[TaskRun] | None:
    """Give the task runs that a replay starts with: what was done before the one from which it goes
    on, with what is around that one open again. What failed beside it runs again, or the replay
    would end before it began. None where there is no such task run."""
    if asked.task is None and asked.task_run is None:
        return []
    run_index = TaskRunIndex(source.task_runs, tree.traits)
    _remove_unknown(tree, run_index)
    _remove_handlers(tree, run_index)
    meant = next((run for run in run_index if _is_meant(run, asked)), None)
    if meant is None:
        return None
    for outer in run_index.ancestors(meant):
        if isinstance(tree[outer.task_id].task, WorkingDirectory):
            # Its directory is gone, and what its tasks left there.
            meant = outer
    around = [run.id for run in run_index.ancestors(meant)]
    after = False
    for run in run_index:
        after = after or run.id == meant.id
        if run.id not in run_index:
            continue
        if run.id in around:
            _open(tree, run_index, run)
        elif after or run.state is State.FAILED or not _is_done(tree, run):
            run_index.remove(run)
    return list(run_index)


def _is_done(tree: FlowTree, run: TaskRun) -> bool:
    return run.state.terminated and run.task_id in tree


def _is_meant(run: TaskRun, asked: ReplayReference) -> bool:
    return (
        (asked.task_run is None or run.id == asked.task_run)
        and (asked.task is None or run.task_id == asked.task)
        and (asked.value is None or run.value == asked.value)
    )


def _open(tree: FlowTree, run_index: TaskRunIndex, run: TaskRun) -> None:
    task = tree[run.task_id].task
    assert isinstance(task, Flowable)
    run = run_index[run.id]
    run_index.move(
        run,
        State.RUNNING,
        outputs=task.reopened(run),
        end_date=None,
        next_attempt=None,
        verdict=None,
        message=None,
    )


def _remove_unknown(tree: FlowTree, run_index: TaskRunIndex) -> None:
    """Forget the task runs of tasks that this revision of the flow has not."""
    for run in run_index:
        if run.id in run_index and run.task_id not in tree:
            run_index.remove(run)


def _remove_handlers(tree: FlowTree, run_index: TaskRunIndex) -> None:
    for run in handlers(tree, run_index):
        if run.id in run_index:
            run_index.remove(run)


def handlers(tree: FlowTree, run_index: TaskRunIndex) -> list[TaskRun]:
    """Find the task runs of `errors`, `finally` and `afterExecution`, and all inside them."""

    def is_handler(run: TaskRun) -> bool:
        return run.task_id in tree and tree[run.task_id].role is not Role.MAIN

    return [
        run
        for run in run_index
        if is_handler(run) or any(map(is_handler, run_index.ancestors(run)))
    ]
