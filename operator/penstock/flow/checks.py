"""Rules over a flow as a whole, which a single property can't break."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from penstock.flow.document import Flow
from penstock.flow.input_defaults import refused_defaults
from penstock.flow.limits import check_triggers
from penstock.flow.model import Expression, is_expression
from penstock.flow.named_types import unknown_types
from penstock.flow.priority import (
    GREATEST_PRIORITY,
    LEAST_PRIORITY,
    PRIORITY_LABEL,
    read_priority,
)
from penstock.flow.problems import Location, Problem
from penstock.flow.task import RunnableTask, Task
from penstock.flow.types import TaskTypes

_NOT_SERVED = {
    "listeners": "`listeners` are not served; use a trigger of type Flow",
}

_NOT_SERVED_OF_TASKS = {
    "assets": "`assets` are not served: nothing keeps a lineage of data",
    "worker_selector": "`workerSelector` has no effect: a pod is placed by its `taskRunner`",
}

_MOST_CYCLES = 50

_SUBFLOWS = frozenset(
    {
        "io.kestra.plugin.core.flow.subflow",
        "io.kestra.plugin.core.flow.flow",
        "io.kestra.core.tasks.flows.subflow",
        "io.kestra.core.tasks.flows.flow",
    }
)


def check_flow(flow: Flow, types: TaskTypes) -> list[Problem]:
    """All problems of a flow whose single properties are valid."""
    located = list(walk_tasks(flow))
    return [
        *_duplicates("task", [(task.id, at) for at, task in located]),
        *_duplicates(
            "trigger", [(item.id, ("triggers", i)) for i, item in enumerate(flow.triggers)]
        ),
        *check_triggers(flow.triggers),
        *_duplicates("input", [(item.id, ("inputs", i)) for i, item in enumerate(flow.inputs)]),
        *_duplicates("output", [(item.id, ("outputs", i)) for i, item in enumerate(flow.outputs)]),
        *_input_dependencies(flow),
        *islice(_input_cycles(flow), _MOST_CYCLES),
        *_system_labels(flow),
        *_priority_label(flow),
        *unknown_types(flow, located),
        *_task_warnings(located, types),
        *_without_effect(located, types),
        *_not_served(flow),
        *refused_defaults(flow, located),
    ]


def recursions(document: Mapping[str, Any]) -> Iterator[Problem]:
    """A problem for each Subflow that calls the flow in which it stands: it would never end."""
    own = (document.get("namespace"), document.get("id"))

    def walk(value: Any, at: Location) -> Iterator[Problem]:
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from walk(item, (*at, index))
        elif isinstance(value, Mapping):
            called = (value.get("namespace"), value.get("flowId"))
            if str(value.get("type")).lower() in _SUBFLOWS and called == own:
                message = f"Recursive call to flow [{own[0]}.{own[1]}]"
                yield Problem((*at, "flowId"), message, code="recursive")
            for key, item in value.items():
                yield from walk(item, (*at, str(key)))

    for holder in ("tasks", "errors", "finally", "afterExecution"):
        yield from walk(document.get(holder), (holder,))


def walk_tasks(flow: Flow) -> Iterator[tuple[Location, Task]]:
    """Every task of the flow with its place, parents before children."""
    for name, tasks in flow.child_lists():
        for index, task in enumerate(tasks):
            yield from _walk(task, (*name, index))


def _walk(task: Task, at: Location) -> Iterator[tuple[Location, Task]]:
    yield at, task
    for place, child in task.children():
        yield from _walk(child, (*at, *place))


def _duplicates(kind: str, named: list[tuple[str, Location]]) -> list[Problem]:
    counts = Counter(name for name, _ in named)
    seen: set[str] = set()
    problems = []
    for name, at in named:
        if name and counts[name] > 1 and name in seen:
            problems.append(
                Problem((*at, "id"), f"Duplicate {kind} id with name [{name}]", code="duplicate_id")
            )
        seen.add(name)
    return problems


def _input_dependencies(flow: Flow) -> list[Problem]:
    known = {item.id for item in flow.inputs}
    return [
        Problem(
            ("inputs", index, "dependsOn", "inputs"),
            f"Input with id '{item.id}' depends on a non-existent input '{other}'.",
            code="unknown_input",
        )
        for index, item in enumerate(flow.inputs)
        if item.depends_on is not None
        for other in item.depends_on.inputs
        if other not in known
    ]


def _input_cycles(flow: Flow) -> Iterator[Problem]:
    """A problem for each input that depends on itself, directly or through others."""
    needs = {item.id: item.depends_on.inputs if item.depends_on else [] for item in flow.inputs}
    in_cycles = _in_cycles(needs)
    for index, item in enumerate(flow.inputs):
        if item.id in in_cycles:
            yield Problem(
                ("inputs", index, "dependsOn", "inputs"),
                f"Cycle dependency detected for input with id '{item.id}': "
                f"[{', '.join(needs[item.id])}]",
                code="input_cycle",
            )


def _in_cycles(needs: Mapping[str, Sequence[str]]) -> set[str]:
    """The nodes of a graph that can be reached from themselves.

    They are its strongly connected components of two and more (Tarjan's algorithm, with a list in
    place of calls), and the nodes that need themselves: one walk, however the graph was made.
    """
    found = {name for name, others in needs.items() if name in others}
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_nodes: dict[str, None] = {}
    for root in needs:
        walk = [] if root in numbers else [(root, iter(needs[root]))]
        while walk:
            name, others = walk[-1]
            if name not in numbers:
                numbers[name] = lowest[name] = len(numbers)
                open_nodes[name] = None
            for other in others:
                if other not in numbers and other in needs:
                    walk.append((other, iter(needs[other])))
                    break
                if other in open_nodes:
                    lowest[name] = min(lowest[name], numbers[other])
            else:
                walk.pop()
                if walk:
                    parent = walk[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[name])
                if lowest[name] == numbers[name]:
                    component: list[str] = []
                    while not component or component[-1] != name:
                        component.append(open_nodes.popitem()[0])
                    found.update(component if len(component) > 1 else ())
    return found


def _system_labels(flow: Flow) -> list[Problem]:
    return [
        Problem(
            ("labels", key),
            f"System labels can only be set by Kestra itself, offending label: {key}={value}",
            code="system_label",
        )
        for key, value in flow.labels.items()
        if key.startswith("system.") and key != "system.readOnly"
    ]


def _priority_label(flow: Flow) -> Iterator[Problem]:
    given = flow.labels.get(PRIORITY_LABEL)
    if given is not None and read_priority(given) is None:
        bounds = f"an integer from {LEAST_PRIORITY} to {GREATEST_PRIORITY}"
        message = f"the priority of the flow's executions is {bounds}, not `{given}`"
        yield Problem(("labels", PRIORITY_LABEL), message, code="priority")


def _task_warnings(located: list[tuple[Location, Task]], types: TaskTypes) -> Iterator[Problem]:
    for at, task in located:
        task_type = types.find(task.type)
        if task_type is not None and task_type.deprecated is not None:
            reason = f"deprecated; {task_type.deprecated}"
            yield Problem((*at, "type"), reason, code="deprecated", warning=True)
        if task_type is None:
            continue
        properties = task.properties if isinstance(task, RunnableTask) else {}
        tell = task_type.warnings
        for name, reason in tell(properties) if tell is not None else ():
            yield Problem((*at, *name.split(".")), reason, code="no_effect", warning=True)


def _without_effect(located: list[tuple[Location, Task]], types: TaskTypes) -> Iterator[Problem]:
    """A warning for each property of a task that is read and has no effect."""
    for at, task in located:
        task_type = types.find(task.type)
        if task.log_level is not None and task_type is not None and task_type.plain_log:
            message = "`logLevel` has no effect: what a program prints has no levels"
            yield Problem((*at, "logLevel"), message, code="no_effect", warning=True)
        for name, reason in _NOT_SERVED_OF_TASKS.items():
            if getattr(task, name) is not None:
                alias = type(task).model_fields[name].alias or name
                yield Problem((*at, alias), reason, code="not_served", warning=True)
        for name, field in type(task).model_fields.items():
            value = getattr(task, name)
            if isinstance(value, Expression) and not is_expression(value):
                message = f"`{value}` is not an ISO-8601 duration such as PT5M: the task will fail"
                yield Problem((*at, field.alias or name), message, code="duration", warning=True)
        if task.timeout is not None and not task.uses_timeout:
            message = "`timeout` has no effect on a task that holds others"
            yield Problem((*at, "timeout"), message, code="no_effect", warning=True)
        if task.task_cache is not None and not isinstance(task, RunnableTask):
            message = "`taskCache` has no effect on a task that holds others"
            yield Problem((*at, "taskCache"), message, code="no_effect", warning=True)


def _not_served(flow: Flow) -> Iterator[Problem]:
    for name, reason in _NOT_SERVED.items():
        if getattr(flow, name):
            field = Flow.model_fields[name]
            yield Problem((field.alias or name,), reason, code="not_served", warning=True)
