"""Asks for what an attempt is done by: a Job with the rendered properties, or the controller."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from penstock.engine.interface.actions import Perform, StartAttempt, Workspace
from penstock.engine.interface.command_task import CommandTask
from penstock.engine.interface.secrets import NO_SECRETS, Secrets
from penstock.engine.kinds.flowables.working_directory import WorkingDirectory
from penstock.engine.rendering.evaluation import Evaluation
from penstock.engine.rendering.evaluators import AttemptEvaluator
from penstock.engine.state.task_run_index import TaskRunIndex
from penstock.engine.state.tree import FlowTree
from penstock.flow.model import parse_duration
from penstock.flow.task import RunnableTask, Task
from penstock.resources.execution import State, TaskRun


class AttemptRequests:
    """Renders tasks into what the last attempts of their task runs are done by."""

    def __init__(self, tree: FlowTree, run_index: TaskRunIndex, evaluation: Evaluation) -> None:
        self._tree = tree
        self._run_index = run_index
        self._evaluation = evaluation

    def action(self, run: TaskRun, task: Task) -> StartAttempt | Perform:
        """Give what is asked for. Raises ``ExpressionError``, ``FlowableError`` and ``ValueError``
        where the task can't be rendered."""
        evaluator = self._evaluation.of_task_run(run, task)
        attempt = run.attempts[-1]
        if isinstance(task, CommandTask):
            handing = self._evaluation.of_request(run, task, {})
            return Perform(run, attempt, task.command(handing))
        if isinstance(task, WorkingDirectory):
            workspace, secrets = self._directory(run, task)
            properties = workspace.properties
            return StartAttempt(run, attempt, task, properties, None, workspace, secrets)
        assert isinstance(task, RunnableTask)
        timeout = task.timeout
        if isinstance(timeout, str):
            timeout = parse_duration(evaluator.render(timeout))
        given = self._evaluation.of_attempt(run, task)
        properties = _rendered(task, given)
        around, secrets = self._workspace(run)
        secrets = given.secrets.beside(secrets)
        return StartAttempt(run, attempt, task, properties, timeout, around, secrets)

    def _workspace(self, run: TaskRun) -> tuple[Workspace | None, Secrets]:
        """Find the directory of the WorkingDirectory around a task run, and the secrets in it."""
        around = self._run_index[run.parent] if run.parent is not None else None
        task = self._tree[around.task_id].task if around is not None else None
        if around is None or not isinstance(task, WorkingDirectory):
            return None, NO_SECRETS
        return self._directory(around, task)

    def _directory(self, run: TaskRun, task: WorkingDirectory) -> tuple[Workspace, Secrets]:
        given = self._evaluation.of_attempt(run, task, "w")
        workspace = self._used(task.workspace(run, given))
        return workspace, given.secrets

    def _used(self, workspace: Workspace) -> Workspace:
        """Note in the directory which attempts were in it."""
        inside = self._run_index.children(workspace.id)
        before = [
            (run.task_id, run.id, attempt.number)
            for run in inside
            for attempt in run.attempts
            if attempt.state.terminated
        ]
        failed = any(run.state in (State.FAILED, State.KILLED) for run in inside)
        entered = any(attempt.start_date is not None for run in inside for attempt in run.attempts)
        left = tuple(reversed(before))
        return replace(workspace, left_by=left, failed=failed, entered=entered)


def _rendered(task: RunnableTask, evaluator: AttemptEvaluator) -> dict[str, Any]:
    """Render the task's own properties, each as its type wants it."""
    apart = task.typed | task.unrendered
    shared = {name: value for name, value in task.properties.items() if name not in apart}
    rendered: dict[str, Any] = evaluator.render_tree(shared)
    for name in apart & task.properties.keys():
        value = task.properties[name]
        if name in task.typed:
            is_text = isinstance(value, str)
            value = evaluator.evaluate(value) if is_text else evaluator.render_tree(value)
        rendered[name] = value
    return rendered
