"""WorkingDirectory: tasks that share a directory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from penstock.engine.interface.actions import DIRECTORY_LOST, Workspace
from penstock.engine.interface.command_task import CommandTask
from penstock.engine.interface.flowable import Child, Evaluator, Flowable, Lane, Plan, enabled
from penstock.flow.model import Document, Duration
from penstock.flow.problems import Location
from penstock.flow.task import AnyTask, RunnableTask, Task
from penstock.resources.execution import Attempt, TaskRun


class Cache(Document):
    """Files that are kept from one execution to the next."""

    patterns: list[str]
    """Globs of the files, from the directory."""
    ttl: Duration | None = None
    """How long the files are kept."""


class WorkingDirectory(Flowable):
    """Runs its tasks one after the other, in one directory.

    Outputs: `outputFiles`, the URI of each file by its name.

    ```yaml
    id: here
    type: io.kestra.plugin.core.flow.WorkingDirectory
    inputFiles:
      greeting.txt: hello
    tasks:
      - id: read
        type: io.kestra.plugin.scripts.shell.Commands
        commands:
          - cat greeting.txt
    ```
    """

    shares = True

    tasks: list[AnyTask]
    """The tasks. Each must be runnable: it can't hold others."""
    input_files: dict[str, Any] | str | None = None
    """Files that stand in the directory at first: content or URI by name. Rendered."""
    output_files: list[str] | str | None = None
    """Globs of the files that are kept at the end, as outputs. Rendered."""
    namespace_files: dict[str, Any] | None = None
    """Which files of the namespace stand in the directory at first. Rendered."""
    cache: Cache | None = None
    """Files that are kept from one execution to the next."""
    output_directory: bool | None = None
    """Deprecated: use `outputFiles`."""

    @field_validator("tasks")
    @classmethod
    def _only_runnable(cls, tasks: list[Task]) -> list[Task]:
        if not tasks:
            raise PydanticCustomError("empty_tasks", "The 'tasks' property cannot be empty")
        message = "Only runnable tasks are allowed as children of a WorkingDirectory task"
        errors = [
            InitErrorDetails(
                type=PydanticCustomError("runnable_only", "{reason}", {"reason": message}),
                loc=(index,),
                input=task.type,
            )
            for index, task in enumerate(tasks)
            if not isinstance(task, RunnableTask | CommandTask)
        ]
        if errors:
            raise ValidationError.from_exception_data("WorkingDirectory", errors)
        return tasks

    def plan(self, run: TaskRun) -> Plan:
        # In a new directory everything is done anew: what runs then is not what ran before.
        lost = len(lost_directories(run)) or None
        return Plan([Lane(tuple(Child(task, run.value, lost) for task in enabled(self.tasks)))])

    def branches(self) -> Iterator[tuple[Location, list[Task]]]:
        yield ("tasks",), self.tasks

    def closes(self, run: TaskRun) -> bool:
        return bool(self.output_files) or self.cache is not None

    def workspace(self, run: TaskRun, evaluator: Evaluator) -> Workspace:
        """Describe the directory that the tasks share. Raises ``ExpressionError``."""
        written: dict[str, Any] = {
            "inputFiles": self.input_files,
            "outputFiles": self.output_files,
            "namespaceFiles": self.namespace_files,
        }
        properties = {
            name: evaluator.render(value)
            if isinstance(value, str)
            else evaluator.render_tree(value)
            for name, value in written.items()
            if value is not None
        }
        if self.cache is not None:
            ttl = self.cache.ttl
            properties["cache"] = {
                "patterns": evaluator.render_tree(self.cache.patterns),
                "ttl": None if ttl is None else ttl.total_seconds(),
            }
        return Workspace(
            run.id,
            properties,
            task=self.id,
            attempt=len(lost_directories(run)) + 1,
            tasks=tuple(enabled(self.tasks)),
        )


def lost_directories(run: TaskRun) -> list[Attempt]:
    """Find the attempts of a WorkingDirectory of which all that was made is gone."""
    return [attempt for attempt in run.attempts if attempt.reason == DIRECTORY_LOST]
