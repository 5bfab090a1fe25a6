"""The task `TemplatedTask`, whose text is rendered to a task when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.tasks.contract.core_types import core_type
from penstock.tasks.contract.task import Context, TaskFailure
from penstock.tasks.contract.texts import Text

TEMPLATED = "io.kestra.plugin.core.templating.TemplatedTask"


@dataclass(frozen=True)
class TemplatedTask:
    """Runs the task that a text describes.

    ```yaml
    id: inner
    type: io.kestra.plugin.core.templating.TemplatedTask
    spec: |
      id: tell
      type: io.kestra.plugin.core.log.Log
      message: "{{ inputs.name }}"
    ```
    """

    spec: Text
    """The task in YAML: its `type` and the properties of that type, all rendered already."""

    def run(self, context: Context) -> None:
        """Refuse to run: whatever runs attempts replaces this task by the inner one before."""
        _ = context.services
        raise TaskFailure("a templated task can't be run here")


def inner_task(spec: str) -> tuple[str, dict[str, Any]]:
    """The type and the properties of the described task. Raises :class:`TaskFailure`.

    Properties that all tasks have, such as `retry` and `timeout`, are ignored: the outer task's
    count.
    """
    from penstock.flow.loading import load_document
    from penstock.flow.problems import InvalidFlow
    from penstock.flow.task import RunnableTask

    try:
        value = load_document(spec).value
    except InvalidFlow as error:
        raise TaskFailure(f"property `spec`: must be a task in YAML: {error}") from None
    task_type = value.get("type") if isinstance(value, Mapping) else None
    if not isinstance(task_type, str):
        raise TaskFailure("property `spec`: must be a task with a `type`, in YAML")
    core = core_type(task_type)
    if core is not None and core.name == TEMPLATED:
        raise TaskFailure("property `spec`: a templated task can't describe another")
    shared = RunnableTask.shared_names()
    return task_type, {name: item for name, item in value.items() if name not in shared}
