"""Doing again what was done: restart, replay, and marking a task run (kestra-engine, section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from penstock.engine.board import Board
from penstock.engine.flowable import Flowable
from penstock.engine.flowables.working_directory import WorkingDirectory
from penstock.engine.tree import FlowTree, Role
from penstock.resources.execution import ExecutionStatus, ReplayReference, State, TaskRun

_AGAIN = frozenset({State.FAILED, State.KILLED, State.CANCELLED, State.RETRIED})
"""States of task runs that a restart does again."""


def restart(tree: FlowTree, board: Board, now: datetime) -> int:
    """Reset what failed, and what is around it. How many task runs are done again."""
    _remove_handlers(tree, board)
    again = [run for run in board if _led_to_the_end(board, run)]
    for run in again:
        around = list(board.ancestors(run)) if run.id in board else []
        if run.id in board:
            _do_again(tree, board, run, now)
        for outer in around:
            _open(board, outer)
    return len(again)


def _led_to_the_end(board: Board, run: TaskRun) -> bool:
    """Not a failure that was allowed further out."""
    return run.state in _AGAIN and all(outer.state in _AGAIN for outer in board.ancestors(run))


def _do_again(tree: FlowTree, board: Board, run: TaskRun, now: datetime) -> None:
    task = tree[run.task_id].task
    if not isinstance(task, Flowable):
        board.change(run, state=State.RESTARTED, end_date=None, next_attempt=now, message=None)
    elif isinstance(task, WorkingDirectory):
        # Its directory is gone, and what its tasks left there.
        board.remove(run)
    elif any(child.state in _AGAIN for child in board.children(run.id)):
        _open(board, run)
    else:
        # It failed by its own rules: a loop without values, a limit that was reached.
        board.remove(run)


def mark(tree: FlowTree, board: Board, run: TaskRun, state: State) -> None:
    """Give a task run another end state, and open what is around it."""
    _remove_handlers(tree, board)
    board.change(run, state=state, message=f"marked as {state}")
    for around in board.ancestors(run):
        _open(board, around)


def kept_for_replay(
    tree: FlowTree, source: ExecutionStatus, asked: ReplayReference
) -> list[TaskRun] | None:
    """The task runs that a replay starts with: what ran before the one from which it goes on,
    with what is around that one open again. None where there is no such task run."""
    if asked.task is None and asked.task_run is None:
        return []
    board = Board(source.task_runs, tree.traits)
    _remove_handlers(tree, board)
    meant = next((run for run in board if _is_meant(run, asked)), None)
    if meant is None:
        return None
    around = [run.id for run in board.ancestors(meant)]
    after = False
    for run in board:
        after = after or run.id == meant.id
        if run.id not in board:
            continue
        if run.id in around:
            _open(board, run)
        elif after or not run.state.terminated or run.task_id not in tree:
            board.remove(run)
    return list(board)


def _is_meant(run: TaskRun, asked: ReplayReference) -> bool:
    return (
        (asked.task_run is None or run.id == asked.task_run)
        and (asked.task is None or run.task_id == asked.task)
        and (asked.value is None or run.value == asked.value)
    )


def _open(board: Board, run: TaskRun) -> None:
    board.change(
        board[run.id],
        state=State.RUNNING,
        end_date=None,
        next_attempt=None,
        verdict=None,
        message=None,
    )


def _remove_handlers(tree: FlowTree, board: Board) -> None:
    for run in _handlers(tree, board):
        if run.id in board:
            board.remove(run)


def _handlers(tree: FlowTree, board: Board) -> Iterator[TaskRun]:
    """The task runs of `errors`, `finally` and `afterExecution`."""
    for run in board:
        if run.task_id in tree and tree[run.task_id].role is not Role.MAIN:
            yield run
