"""Schedules: one Execution for each due time, whatever happens to the controller meanwhile."""

from __future__ import annotations

import itertools
import time
from datetime import datetime, timedelta

import pytest

from e2e.fixtures.controller import Controller
from e2e.fixtures.scenario import Scenario

pytestmark = pytest.mark.cluster

EVERY_THREE_SECONDS = """
    id: often
    namespace: company.team
    tasks:
      - {id: a, type: io.kestra.plugin.core.debug.Return, format: "{{ trigger.date }}"}
    triggers:
      - id: ticks
        type: io.kestra.plugin.core.trigger.Schedule
        cron: "*/4 * * * * *"
        withSeconds: true
        timezone: Europe/Paris
        allowConcurrent: true
"""


@pytest.mark.alone("kills the controller")
def test_each_due_time_has_one_execution_across_restarts(
    scenario: Scenario, controller: Controller
) -> None:
    flow = scenario.flow(EVERY_THREE_SECONDS)
    scenario.eventually("the next date", lambda: flow.body["status"].get("nextDate"))

    scenario.eventually("a first execution", scenario.executions)
    for _ in range(2):
        controller.kill()
        time.sleep(5)
        controller.is_ready()
    scenario.eventually("more executions", lambda: len(scenario.executions()) >= 6)

    patch = {"spec": {"disabled": True}}
    scenario.kubernetes.patch("flows", scenario.namespace, flow.name, patch)
    flow.is_ready()
    executions = scenario.executions()
    dates = sorted(
        datetime.fromisoformat(view.body["spec"]["trigger"]["variables"]["date"])
        for view in executions
    )
    steps = {later - earlier for earlier, later in itertools.pairwise(dates)}
    assert steps == {timedelta(seconds=4)}
    assert dates[0].utcoffset() in (timedelta(hours=1), timedelta(hours=2))


def test_other_triggers_are_accepted_and_say_that_they_are_not_served(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: hooked
        namespace: company.team
        tasks:
          - {id: a, type: io.kestra.plugin.core.debug.Return, format: x}
        triggers:
          - {id: poll, type: io.kestra.plugin.debezium.postgres.Trigger, hostname: orders}
    """)

    def told() -> str | None:
        (trigger,) = flow.body["status"]["triggers"]
        message: str | None = trigger.get("message")
        return None if trigger["served"] else message

    scenario.eventually("a word that it is not served", told)
    assert "not served" in (told() or "")


def test_a_task_disables_a_schedule_and_enables_it_again(scenario: Scenario) -> None:
    ticking = scenario.flow(EVERY_THREE_SECONDS)
    toggling = scenario.flow("""
        id: toggling
        namespace: company.team
        inputs: [{id: trigger, type: STRING}, {id: enabled, type: BOOLEAN}]
        tasks:
          - id: toggle
            type: io.kestra.plugin.core.trigger.Toggle
            flowId: often
            trigger: "{{ inputs.trigger }}"
            enabled: "{{ inputs.enabled }}"
    """)

    def state() -> str | None:
        (found,) = scenario.kubernetes.all("triggerstates", scenario.namespace)
        word: str | None = (found.get("status") or {}).get("state")
        return word

    scenario.eventually("an armed trigger", lambda: state() in ("Armed", "Waiting"))

    disabling = scenario.execution(toggling, {"trigger": "ticks", "enabled": False})
    disabling.ends("SUCCESS")
    scenario.eventually("a disabled trigger", lambda: state() == "Disabled")
    scenario.eventually("no next date", lambda: not ticking.body["status"].get("nextDate"))
    (found,) = scenario.kubernetes.all("triggerstates", scenario.namespace)
    assert disabling.name in found["status"]["disabledBy"]
    scenario.execution(toggling, {"trigger": "ticks", "enabled": True}).ends("SUCCESS")
    scenario.eventually("an armed trigger", lambda: state() in ("Armed", "Waiting"))

    failed = scenario.execution(toggling, {"trigger": "tocks", "enabled": True}).ends("FAILED")
    assert "tocks" in failed.status["message"]
