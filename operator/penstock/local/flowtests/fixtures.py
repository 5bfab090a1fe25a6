"""How fixtures take effect: tasks that are not run, files and inputs that exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any

from penstock.engine.interface.actions import Observation, StartAttempt
from penstock.engine.state.tree import FlowTree
from penstock.expressions import Expressions, Host
from penstock.flow.document import Flow
from penstock.flow.loading import SourceDocument
from penstock.flow.model import did_you_mean
from penstock.flow.task import RunnableTask, Task
from penstock.flow.types import TaskType, TaskTypes
from penstock.local.flowtests.model import Fixtures, TaskFixture
from penstock.resources.execution import State, TaskRun
from penstock.storage.execution import NamespaceFiles

FIXTURE = "penstock.tests.Fixture"
"""The type of a task that is not run."""

_KEPT = frozenset(Task.property_names()) - {"type", "workerGroup"}
_LISTS_OF_TASKS = ("tasks", "errors", "finally", "afterExecution")


class InvalidFixture(Exception):
    """A fixture does not fit the flow; the text tells why."""


def with_fixture_type(types: TaskTypes) -> TaskTypes:
    """The types of tasks, and the one for tasks that are not run."""
    more = TaskTypes()
    for known in types:
        more.register(known)
    more.register(TaskType(FIXTURE))
    return more


def replace_tasks(document: SourceDocument, fixtures: Iterable[TaskFixture]) -> SourceDocument:
    """The flow with the tasks replaced that are never run; tasks inside of them are gone.

    A task stays where only single iterations of it are fixtures. Raises :class:`InvalidFixture`
    where there is no such task.
    """
    fixtures = list(fixtures)
    ids = list(_task_ids([document.value.get(key) for key in _LISTS_OF_TASKS]))
    for fixture in fixtures:
        if fixture.id not in ids:
            hint = did_you_mean(fixture.id, ids)
            raise InvalidFixture(f"the flow has no task `{fixture.id}`{hint}")
    replaced = {fixture.id for fixture in fixtures if fixture.value is None}
    value = {
        key: _replaced(item, replaced) if key in _LISTS_OF_TASKS else item
        for key, item in document.value.items()
    }
    return SourceDocument(value, document.lines)


def _replaced(value: Any, ids: set[str]) -> Any:
    if isinstance(value, list):
        return [_replaced(item, ids) for item in value]
    if not isinstance(value, dict):
        return value
    if _is_task(value) and value["id"] in ids:
        kept = {key: item for key, item in value.items() if key in _KEPT}
        return {**kept, "type": FIXTURE}
    return {key: _replaced(item, ids) for key, item in value.items()}


def _is_task(value: Mapping[str, Any]) -> bool:
    """Whether a map is a task, and not an input or a label: types of tasks have dots."""
    return "id" in value and "." in str(value.get("type", ""))


def _task_ids(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _task_ids(item)
    elif isinstance(value, dict):
        if _is_task(value):
            yield str(value["id"])
        for item in value.values():
            yield from _task_ids(item)


def check_fixtures(flow: Flow, fixtures: Fixtures) -> None:
    """Refuse fixtures that name something which the flow does not have. Raises
    :class:`InvalidFixture`."""
    tree = FlowTree(flow)
    for fixture in fixtures.tasks:
        if fixture.id not in tree:
            raise InvalidFixture(f"the task `{fixture.id}` stands in another that has a fixture")
        if fixture.value is not None and not isinstance(tree[fixture.id].task, RunnableTask):
            raise InvalidFixture(
                f"the fixture of `{fixture.id}` has a `value`: that is for tasks that do not hold "
                "others; leave `value` out"
            )
    known = [item.id for item in flow.inputs]
    for name in fixtures.inputs:
        if name not in known:
            raise InvalidFixture(f"the flow has no input `{name}`{did_you_mean(name, known)}")
    trigger = fixtures.trigger
    if trigger is not None and all(item.id != trigger.id for item in flow.triggers):
        hint = did_you_mean(trigger.id, (item.id for item in flow.triggers))
        raise InvalidFixture(f"the flow has no trigger `{trigger.id}`{hint}")


class Rendering:
    """Renders the expressions of fixtures, which see `files` and the functions of the flow."""

    def __init__(self, expressions: Expressions, variables: Mapping[str, Any], host: Host) -> None:
        self._expressions = expressions
        self._variables = variables
        self._host = host

    def tree(self, value: Any) -> Any:
        """Render every text of a value; a single expression keeps its type. Raises
        ``ExpressionError``."""
        return self._expressions.evaluate_tree(value, self._variables, self._host)


def store_files(files: NamespaceFiles, fixtures: Fixtures) -> dict[str, str]:
    """Store the files of fixtures where the execution finds them, and give their URIs by name."""
    return {
        name: files.put(name.lstrip("/"), BytesIO(content.encode()))
        for name, content in fixtures.files.items()
    }


class FixedTasks:
    """Gives the ends of tasks that are not run."""

    def __init__(self, fixtures: Iterable[TaskFixture], rendering: Rendering) -> None:
        """Render the fixtures. Raises ``ExpressionError``."""
        self._fixed = [
            fixture.model_copy(update={"outputs": rendering.tree(fixture.outputs)})
            for fixture in fixtures
        ]

    def end_of(self, start: StartAttempt) -> Observation | None:
        """The end of an attempt; None where the task is really run."""
        fixture = self._of(start.task_run)
        if fixture is None:
            return None
        failed = fixture.state in ("FAILED", "KILLED")
        return Observation(
            State(fixture.state),
            exit_code=int(failed),
            reason="Fixture" if failed else None,
            message=f"the fixture says {fixture.state}" if failed else None,
            outputs=fixture.outputs,
        )

    def _of(self, run: TaskRun) -> TaskFixture | None:
        mine = [fixture for fixture in self._fixed if fixture.id == run.task_id]
        for fixture in mine:
            if fixture.value is not None and _as_text(fixture.value) == run.value:
                return fixture
        return next((fixture for fixture in mine if fixture.value is None), None)


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
