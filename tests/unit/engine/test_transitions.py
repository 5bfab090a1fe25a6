"""The tables of transitions: no state changes but by them, and another change is an error of the
engine's own, which ends one execution."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

import penstock
from penstock.engine.state.transitions import (
    ATTEMPT,
    EXECUTION,
    INITIAL,
    TASK_RUN,
    IllegalTransition,
    Table,
    move_attempt,
    move_execution,
    move_task_run,
)
from penstock.resources.conditions import EXECUTION as CONDITIONS
from penstock.resources.execution import (
    Attempt,
    ExecutionSpec,
    ExecutionStatus,
    FlowReference,
    ReplayReference,
    State,
    TaskRun,
)
from penstock.resources.reasons import Health
from tests.fixtures.engine import Given, Outcome
from tests.fixtures.faults import without
from tests.fixtures.world import START

Flow = Callable[[str], Given]

TABLES = [EXECUTION, TASK_RUN, ATTEMPT]
NAMES = ["execution", "task run", "attempt"]


def run(state: State = INITIAL) -> TaskRun:
    return TaskRun(id="run-9", task_id="load", state=state, start_date=START)


def attempt(state: State = INITIAL) -> Attempt:
    return Attempt(number=2, state=state, created_date=START)


def moved(table: Table, state: State, to: State) -> State:
    if table is EXECUTION:
        return move_execution(ExecutionStatus(state=state), to, START).state
    if table is TASK_RUN:
        return move_task_run(run(state), to).state
    return move_attempt(run(), attempt(state), to).state


# --- the tables -----------------------------------------------------------------------------------


def reached_from(table: Table, state: State) -> set[State]:
    """The states that may come after one, sooner or later."""
    found: set[State] = set()
    pending = [state]
    while pending:
        new = table[pending.pop()].keys() - found
        found |= new
        pending += new
    return found


@pytest.mark.parametrize("table", TABLES, ids=NAMES)
def test_every_state_is_reached_and_every_open_one_ends(table: Table) -> None:
    assert reached_from(table, INITIAL) | {INITIAL} == set(table)
    for state in table:
        ends = {after for after in reached_from(table, state) if after.terminated}
        assert state.terminated or ends, f"nothing ends what is {state}"


@pytest.mark.parametrize("table", TABLES, ids=NAMES)
def test_every_transition_says_what_leads_there(table: Table) -> None:
    for state, row in table.items():
        assert state.terminated or state not in row, "what stays as it is does not change"
        assert all(row.values())


def test_an_attempt_that_has_ended_stays_as_it_ended() -> None:
    assert all(not row for state, row in ATTEMPT.items() if state.terminated)


def test_an_execution_is_killed_by_way_of_killing_unless_a_person_says_so_later() -> None:
    before = {state for state, row in EXECUTION.items() if State.KILLED in row}
    assert {state for state in before if not state.terminated} == {State.KILLING}


def test_each_state_of_an_execution_is_a_reason_of_its_conditions() -> None:
    for state in EXECUTION:
        health = CONDITIONS.reasons[state.capitalize()].health
        assert (health is Health.PROGRESSING) is not state.terminated, state
        assert (health is Health.HEALTHY) is (state in (State.SUCCESS, State.WARNING)), state


@pytest.mark.parametrize("table", TABLES, ids=NAMES)
@for_all(state=st.sampled_from(State), to=st.sampled_from(State))
def test_what_the_table_has_is_done_and_nothing_else(table: Table, state: State, to: State) -> None:
    if state is to or to in table.get(state, {}):
        assert moved(table, state, to) is to
    else:
        with pytest.raises(IllegalTransition, match=f"is {state} and can't become {to}"):
            moved(table, state, to)


def test_an_illegal_transition_names_what_it_happened_to() -> None:
    with pytest.raises(IllegalTransition, match="attempt 2 of the task run run-9 of the task load"):
        move_attempt(run(), attempt(State.FAILED), State.RUNNING)


def test_the_history_tells_a_change_and_nothing_else() -> None:
    queued = move_execution(ExecutionStatus(), State.QUEUED, START)
    assert [item.state for item in queued.history] == [State.QUEUED]
    assert move_execution(queued, State.QUEUED, START) is queued


# --- nothing else sets a state --------------------------------------------------------------------

ROOT = Path(penstock.__file__).parent
VIEWS = {
    "engine/decision/children.py": "a child that is being retried is seen as one that runs",
    "controller/executions/related.py": "a child that can't be made is seen as one that failed",
    "controller/executions/status_store.py": "a child without its outputs is seen so too",
    "cli/executions/follow.py": "what is shown of a task run that is not in the status yet",
    "controller/triggers/backfills.py": "the state of a backfill",
    "controller/triggers/reconciler.py": "the state of a trigger",
    "triggers/backfill.py": "the state of a backfill",
}
"""What one execution sees of another, which nobody writes; and states of other things."""


def sets_a_state(call: ast.Call) -> bool:
    """Whether a call makes or copies an execution's status, a task run or an attempt with a state
    of its own choice."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = {item.arg: item.value for item in call.keywords}
    if name == "model_copy":
        copied = [node for node in ast.walk(call) if isinstance(node, ast.Dict)]
        keys = [key.value for node in copied for key in node.keys if isinstance(key, ast.Constant)]
        return "state" in keys
    if name in ("change", "Attempt", "TaskRun", "ExecutionStatus") and "state" in given:
        return getattr(given["state"], "id", "") != "INITIAL"
    return False


def setters(text: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and sets_a_state(node):
            yield node.lineno


def test_nothing_but_the_tables_sets_a_state() -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in sorted(ROOT.rglob("*.py"))
        if "state" in (text := path.read_text()) and (lines := list(setters(text)))
    }
    assert found.pop("engine/state/transitions.py"), "this test finds nothing any more"
    assert found.keys() == VIEWS.keys(), found


@pytest.mark.parametrize(
    "text",
    [
        "run_index.change(run, state=State.FAILED)",
        "TaskRun(id='a', state=State.RUNNING)",
        "status.model_copy(update={'state': State.KILLED})",
        "status.model_copy(update=changes | {'state': state, 'message': None})",
    ],
)
def test_a_state_that_is_set_beside_the_tables_is_found(text: str) -> None:
    assert list(setters(text)) == [1]


# --- an error of the engine's own -----------------------------------------------------------------

BRANCHES = """
tasks:
  - id: both
    type: Parallel
    tasks:
      - {id: short, type: Work}
      - {id: long, type: Work}
"""


def test_an_error_of_the_engine_ends_the_execution_and_stops_what_runs(given: Flow) -> None:
    with without(TASK_RUN, State.RUNNING, State.SUCCESS):
        outcome = given(BRANCHES).when_tasks(seconds={"short": 2, "long": 60}).run()
    outcome.then.ended("FAILED").took(2).says("of the task short is RUNNING and can't become")
    outcome.states(short="CANCELLED", long="CANCELLED").reported("InternalError")


def test_a_control_that_leads_to_such_an_error_is_refused_and_never_tried_again(
    given: Flow,
) -> None:
    flow = given("tasks: [{id: a, type: Work}]").when_tasks(fail=["a"])
    with without(TASK_RUN, State.FAILED, State.RESTARTED):
        outcome = flow.when_it_is_over().control("again", restart={}).run()
    outcome.then.ended("FAILED").states(a="FAILED").reported("InternalError")
    assert [result.done for result in outcome.status.controls] == [False]
    assert "can't become RESTARTED" in str(outcome.status.controls[0].message)


def test_such_an_error_after_the_end_ends_only_what_runs_after_it(given: Flow) -> None:
    flow = given("""
        tasks: [{id: a, type: Work}]
        afterExecution: [{id: clean, type: Work}]
    """).when_tasks(seconds={"clean": 3}, states={"clean": State.WARNING})
    with without(TASK_RUN, State.RUNNING, State.WARNING):
        outcome = flow.run()
    outcome.then.ended("SUCCESS").states(a="SUCCESS", clean="CANCELLED")
    assert outcome.status.after_execution is State.FAILED


def test_such_an_error_of_a_replay_refuses_it(given: Flow) -> None:
    flow = given("tasks: [{id: s, type: Sequential, tasks: [{id: a, type: Work}]}]")
    source = flow.run().status
    with without(TASK_RUN, State.SUCCESS, State.RUNNING):
        world = flow.begin()
        spec = ExecutionSpec(
            flow=FlowReference(), replay=ReplayReference(execution="run-1", task="a")
        )
        step = world.engine.begin(world.identity, spec, START, source=source)
    assert (step.status.state, step.refusal) == (State.FAILED, "InternalError")


def test_what_such_an_error_ended_can_be_restarted(given: Flow) -> None:
    flow = given("tasks: [{id: a, type: Work}]").when_tasks(seconds={"a": 2})
    world = flow.when_it_is_over().control(restart={}).begin()
    with without(TASK_RUN, State.RUNNING, State.SUCCESS):
        while not world.status.finished:
            world.happen()
    assert world.status.state is State.FAILED
    Outcome(world.run()).ended("SUCCESS").attempts("a", "CANCELLED", "SUCCESS")


# --- what waited runs again before it ends --------------------------------------------------------


def test_one_that_ends_from_a_breakpoint_ran_before(given: Flow) -> None:
    flow = given("tasks: [{id: a, type: Work}, {id: l, type: SetVariables, variables: {x: 1}}]")
    outcome = flow.breakpoints("l").when_it_is("BREAKPOINT").resume().run()
    outcome.then.ended("SUCCESS")
    outcome.history("CREATED", "RUNNING", "BREAKPOINT", "RUNNING", "SUCCESS")


def test_one_that_ends_with_a_retry_that_is_done_at_once_ran_before(given: Flow) -> None:
    outcome = given("""
        tasks:
          - id: never
            type: Assert
            conditions: ["{{ false }}"]
            retry: {type: constant, interval: PT5S, maxAttempts: 2}
    """).run()
    outcome.then.ended("FAILED").attempts("never", "FAILED", "FAILED")
    outcome.history("CREATED", "RUNNING", "RETRYING", "RUNNING", "FAILED")


# --- ways that are seldom gone --------------------------------------------------------------------

WORK = "tasks: [{id: a, type: Work}]"


def test_one_that_is_paused_before_its_turn_is_paused_when_it_comes(given: Flow) -> None:
    flow = given(WORK).among(holders=1).at(2).control(pause=True).at(5).free()
    outcome = flow.at(7).resume().run()
    outcome.then.ended("SUCCESS").took(8)
    outcome.history("CREATED", "QUEUED", "PAUSED", "RUNNING", "SUCCESS")


def test_one_that_is_paused_before_its_date_is_paused_when_it_comes(given: Flow) -> None:
    flow = given(WORK).scheduled(10).at(2).control(pause=True).at(12).resume()
    flow.run().ended("SUCCESS").history("CREATED", "PAUSED", "RUNNING", "SUCCESS")


def test_a_breakpoint_may_stop_the_first_task(given: Flow) -> None:
    outcome = given(WORK).breakpoints("a").when_it_is("BREAKPOINT").resume().run()
    outcome.then.ended("SUCCESS").history("CREATED", "BREAKPOINT", "RUNNING", "SUCCESS")


def test_one_at_a_breakpoint_may_be_paused_and_killed(given: Flow) -> None:
    flow = given(WORK).breakpoints("a").at(1).control(pause=True).at(2).kill()
    outcome = flow.run().ended("KILLED").without("a")
    outcome.history("CREATED", "BREAKPOINT", "PAUSED", "KILLING", "KILLED")


def test_one_that_waits_for_a_retry_may_be_killed(given: Flow) -> None:
    task = "{id: a, type: Work, retry: {type: constant, interval: PT1H}}"
    flow = given(f"tasks: [{task}]").when_tasks(fail=["a"]).when_it_is("RETRYING").kill()
    outcome = flow.run().ended("KILLED").states(a="KILLED")
    outcome.history("CREATED", "RUNNING", "RETRYING", "KILLING", "KILLED")


def test_a_flow_without_a_task_to_run_succeeds_when_its_turn_comes(given: Flow) -> None:
    flow = given("tasks: [{id: a, type: Work, disabled: true}]").among(holders=1).at(3).free()
    flow.run().ended("SUCCESS").history("CREATED", "QUEUED", "SUCCESS")


def test_a_restart_may_leave_nothing_and_stop_at_a_breakpoint(given: Flow) -> None:
    flow = given("""
        tasks:
          - {id: d, type: WorkingDirectory, tasks: [{id: a, type: Work}]}
    """).when_tasks(fail={"a": 1})
    flow = flow.breakpoints("d").when_it_is("BREAKPOINT").resume()
    outcome = flow.when_it_is_over().control(restart={}).rest()
    outcome.is_in("BREAKPOINT")
    outcome.history("CREATED", "BREAKPOINT", "RUNNING", "FAILED", "RESTARTED", "BREAKPOINT")


@pytest.mark.parametrize("state", ["WARNING", "FAILED", "KILLED", "CANCELLED"])
def test_whatever_its_end_a_person_may_change_it(given: Flow, state: str) -> None:
    flow = given(WORK).when_it_is_over().control(change_status={"state": state})
    outcome = flow.run().ended(state)
    outcome.history("CREATED", "RUNNING", "SUCCESS", state)


@pytest.mark.parametrize("state", ["SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED"])
def test_whatever_its_end_a_task_run_may_be_marked(given: Flow, state: str) -> None:
    flow = given("tasks: [{id: a, type: Work, runIf: 'false'}, {id: b, type: Work}]")
    flow = flow.when_tasks(fail={"b": 1})
    flow = flow.when_it_is_over().control(mark_as={"task": "a", "state": state})
    flow.run().answered("done").states(a=state)
