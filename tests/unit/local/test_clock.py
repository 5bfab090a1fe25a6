"""The triggers that fire at dates, by a clock of the test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from penstock.flow.loading import load_documents
from penstock.local.clock import LocalClock
from penstock.local.execution import LocalExecution
from penstock.local.flow_triggers import FlowTriggers
from penstock.local.flows import LocalFlows
from penstock.local.surroundings import Surroundings
from penstock.resources.execution import State
from penstock.types import flow_parser

FLOW = """
id: ticking
namespace: company.team
tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: hello}]
triggers:
  - id: often
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "*/5 * * * *"
    inputs: {day: "{{ trigger.date | date('HH:mm') }}"}
"""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Run:
    """A run whose executions end as the test says."""

    def __init__(self, text: str = FLOW, enabled: bool | None = None) -> None:
        flows = LocalFlows()
        flows.add(flow_parser().parse(load_documents(text)[0]).flow)
        self.told: list[str] = []
        self.enabled = enabled
        self._executions: dict[str, Any] = {}
        self.clock = LocalClock(
            flows,
            cast("dict[str, LocalExecution]", self._executions),
            Surroundings(),
            lambda namespace, flow, trigger: self.enabled,
            self.told.append,
            NOON,
        )

    def at(self, minutes: int) -> list[str]:
        """The inputs of the executions that are started so many minutes later."""
        found = list(self.clock.due(NOON + timedelta(minutes=minutes)))
        for action in found:
            status = SimpleNamespace(state=State.RUNNING)
            execution = SimpleNamespace(name=action.name, finished=False, status=status)
            self._executions[action.name] = execution
        return [str(action.spec.inputs.get("day")) for action in found]

    def end(self, state: State = State.SUCCESS) -> None:
        for execution in self._executions.values():
            execution.finished, execution.status.state = True, state


def test_each_date_starts_an_execution_when_it_comes() -> None:
    run = Run()
    assert run.clock.next_date == NOON + timedelta(minutes=5)
    assert run.at(4) == []
    assert run.at(5) == ["12:05"]
    run.end()
    assert run.at(9) == []
    assert run.at(10) == ["12:10"]


def test_a_date_waits_for_the_last_execution_and_is_made_up_for() -> None:
    run = Run()
    assert run.at(5) == ["12:05"]
    assert run.at(11) == []
    assert run.clock.next_date is None
    run.end()
    assert run.at(16) == ["12:10"]
    run.end()
    assert run.at(16) == ["12:15"]


def test_several_run_at_once_where_that_is_allowed() -> None:
    run = Run(FLOW + "    allowConcurrent: true\n")
    assert run.at(16) == ["12:05", "12:10", "12:15"]


def test_a_trigger_stops_after_the_states_that_it_names() -> None:
    run = Run(FLOW + "    stopAfter: [FAILED]\n")
    assert run.at(5) == ["12:05"]
    run.end(State.FAILED)
    assert run.at(10) == []
    assert run.clock.next_date is None
    assert ["stopped by `stopAfter`" in text for text in run.told] == [True]


@pytest.mark.parametrize(
    ("more", "toggled", "starts"),
    [
        ("", None, True), ("", False, False),
        ("    disabled: true\n", None, False), ("    disabled: true\n", True, True),
    ],
)  # fmt: skip
def test_flows_and_toggle_tasks_disable_triggers(
    more: str, toggled: bool | None, starts: bool
) -> None:
    assert bool(Run(FLOW + more, toggled).at(5)) is starts


def test_what_cannot_be_told_fails_the_execution_of_its_date_and_the_next_one_comes() -> None:
    run = Run(FLOW + "    allowConcurrent: true\n    when: '{{ vars.none }}'\n")
    (action,) = run.clock.due(NOON + timedelta(minutes=5))
    assert action.spec.trigger is not None
    assert "Unable to find `none`" in str(action.spec.trigger.failure)
    assert run.clock.next_date == NOON + timedelta(minutes=10)
    assert len(run.told) == 1
    assert "trigger often" in run.told[0]


WAITING = """
id: waiting
namespace: company.team
tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: hello}]
triggers:
  - id: both
    type: io.kestra.plugin.core.trigger.Flow
    dependsOn: [{flowId: load}]
    window: {every: PT1H}
    onMiss: {labels: {sla: miss}}
"""


def test_a_flow_trigger_that_waited_in_vain_starts_one_that_fails() -> None:
    # given
    flows = LocalFlows()
    flows.add(flow_parser().parse(load_documents(WAITING)[0]).flow)
    triggers = FlowTriggers(flows, {}, Surroundings(), lambda *named: None, NOON)
    hour = NOON + timedelta(hours=1)
    assert triggers.next_deadline(NOON) == hour
    # when
    assert list(triggers.missed(hour - timedelta(seconds=1))) == []
    (action,) = triggers.missed(hour)
    # then
    assert action.spec.trigger is not None
    assert "was not met by" in str(action.spec.trigger.failure)
    assert action.spec.labels == {"sla": "miss"}
    assert list(triggers.missed(hour)) == []
