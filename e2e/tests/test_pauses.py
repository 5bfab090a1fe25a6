"""Waiting for people while a task runs. What needs no pod is tested in `e2e/apiserver`."""

from __future__ import annotations

import pytest

from e2e.fixtures.scenario import Scenario

pytestmark = pytest.mark.cluster


def test_an_execution_is_paused_and_resumed_by_people(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: two
        namespace: company.team
        tasks:
          - {id: sleep, type: io.kestra.plugin.core.flow.Sleep, duration: PT3S}
          - {id: after, type: io.kestra.plugin.core.execution.Labels, labels: {after: "1"}}
    """)
    execution = scenario.execution(flow).reaches("RUNNING")

    execution.is_told(pause=True).reaches("PAUSED")
    scenario.eventually("the task done", lambda: execution.states() == {"sleep": "SUCCESS"})
    assert execution.status["state"] == "PAUSED"
    execution.is_told(resume={})

    execution.ends("SUCCESS")
    assert execution.status["labels"]["after"] == "1"
