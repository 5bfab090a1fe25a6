"""Functions that look into the variables."""

from __future__ import annotations

from typing import Any

from penstock.expressions.errors import ExpressionError
from penstock.expressions.registry import register_function
from penstock.expressions.rendering import Rendering
from penstock.expressions.truth import kind
from penstock.expressions.values import is_map, need_text


@register_function("printContext", "fetchContext")
def print_context(run: Rendering) -> dict[str, Any]:
    """All variables as a map, to see what there is.

    {{ printContext() | keys | sort | slice(0, 3) }} → ["envs","flow","inputs"]
    """
    result = {name: run.variables[name] for name in run.variables}
    for scope in run.scopes:
        result.update(scope)
    return result


@register_function("currentEachOutput")
def current_each_output(run: Rendering, outputs: Any) -> Any:
    """The outputs of a task for the values of the loops around this task, outermost first; null
    where the task has none for these values, so that `??` can replace them.

    {{ currentEachOutput(outputs.measure).value }} → 4
    {{ currentEachOutput({'Lima': {'value': '5'}}).value ?? 'none' }} → none
    """
    if not is_map(outputs):
        raise ExpressionError("expects the outputs of a task: `currentEachOutput(outputs.task)`")
    parents = run.optional("parents") or []
    values = [_value(parent.get("taskrun")) for parent in reversed(parents) if is_map(parent)]
    for value in [item for item in values if item is not None]:
        outputs = outputs.get(value)
        if outputs is None:
            return None
        if not is_map(outputs):
            raise ExpressionError(
                f"the task has no outputs for each value of its loops: `{value}` is {kind(outputs)}"
            )
    own = _value(run.optional("taskrun"))
    return outputs.get(own)


def _value(taskrun: Any) -> Any:
    return taskrun.get("value") if is_map(taskrun) else None


@register_function("env")
def env(run: Rendering, name: Any, default: Any = None) -> Any:
    """A variable of the environment, as in `envs`: one that begins with the administrator's prefix,
    named in lower case and without the prefix. The default, or null, where it is missing or empty.

    {{ env('stage') }} → test
    {{ env('region', 'eu') }} → eu
    """
    variables = run.optional("envs")
    value = variables.get(need_text(name, "name")) if is_map(variables) else None
    return default if value is None or value == "" else value


@register_function("tasksWithState")
def tasks_with_state(run: Rendering, state: Any) -> list[dict[str, Any]]:
    """The tasks in a state, in upper or lower case.

    {{ tasksWithState('FAILED') }} → [{"taskId":"load","state":"FAILED"}]
    """
    wanted = need_text(state, "state").upper()
    tasks = run.optional("tasks")
    if not is_map(tasks):
        return []
    found: list[dict[str, Any]] = []
    for task_id, item in tasks.items():
        found.extend(_in_state(task_id, item, wanted))
    return found


def _in_state(task_id: str, item: Any, wanted: str) -> list[dict[str, Any]]:
    """The entries of a task in a state: one, or one for each value of the loop around it."""
    if not is_map(item):
        return []
    state = item.get("state")
    if isinstance(state, str) or (state is not None and not is_map(state)):
        name = getattr(state, "name", state)
        return [{"taskId": task_id, **item}] if str(name).upper() == wanted else []
    found: list[dict[str, Any]] = []
    for value, inner in item.items():
        entries = _in_state(task_id, inner, wanted)
        found.extend({"taskId": task_id, "value": value, **entry} for entry in entries)
    return found
