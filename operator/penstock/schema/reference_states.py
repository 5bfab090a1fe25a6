"""The page on states: for executions, task runs and attempts a diagram of what may follow what, and
a table of what leads there, both made from the tables that the engine keeps to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from penstock.engine.state.transitions import ATTEMPT, EXECUTION, INITIAL, TASK_RUN, Table
from penstock.resources.execution import State
from penstock.schema.reference_pages import STATES_PAGE, page, relative

_ABOUT = {
    "Executions": (
        EXECUTION,
        "`KILLING` and `RESTARTED` are passed within one decision: they stand in `history` only.",
    ),
    "Task runs": (
        TASK_RUN,
        "A task run is moved by its attempts; that of a flowable by the task runs inside it.",
    ),
    "Attempts": (
        ATTEMPT,
        "An attempt that has ended never changes: what is done again is another attempt.",
    ),
}


def states_page() -> str:
    """The text of the page."""
    lines = [
        "What may follow what. The controller makes no other change: one that is not here is an",
        "error of its own, which ends that one Execution `FAILED`, with an Event `InternalError`.",
        f"What each state means: [Execution]({relative(STATES_PAGE, 'docs/execution.md')}#states).",
        "",
    ]
    for heading, (table, remark) in _ABOUT.items():
        lines += [f"## {heading}", "", remark, "", *_diagram(table), "", *_rows(table), ""]
    return page("States", lines)


def _diagram(table: Table) -> Iterator[str]:
    """The states and what may follow; ends after which the same may follow are drawn as one."""
    nodes = {state: name for name, states in _nodes(table).items() for state in states}
    yield from ("```mermaid", "stateDiagram-v2")
    for name, states in _nodes(table).items():
        if len(states) > 1:
            yield f'  state "{", ".join(states)}" as {name}'
    yield f"  [*] --> {nodes[INITIAL]}"
    edges = (
        f"  {nodes[state]} --> {nodes[after]}" for state, row in table.items() for after in row
    )
    yield from dict.fromkeys(edges)
    yield from dict.fromkeys(f"  {nodes[state]} --> [*]" for state in table if state.terminated)
    yield "```"


def _nodes(table: Table) -> Mapping[str, list[State]]:
    """The states by the node of the diagram that stands for them."""
    groups: list[list[State]] = []
    for state, row in table.items():
        like = (
            group
            for group in groups
            if state.terminated and group[0].terminated and table[group[0]] == row
        )
        group = next(like, None)
        if group is None:
            groups.append([state])
        else:
            group.append(state)
    return {
        str(group[0]) if len(group) == 1 else f"ended_{group[0].lower()}": group for group in groups
    }


def _rows(table: Table) -> Iterator[str]:
    yield from ("| from | to | when |", "|---|---|---|")
    for states in _nodes(table).values():
        by_reason: dict[str, list[State]] = {}
        for after, why in table[states[0]].items():
            by_reason.setdefault(why, []).append(after)
        for why, after_it in by_reason.items():
            yield f"| {_named(states)} | {_named(after_it)} | {why} |"


def _named(states: Iterable[State]) -> str:
    return ", ".join(f"`{state}`" for state in states)
