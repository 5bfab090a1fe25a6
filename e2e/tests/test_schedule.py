"""Schedules on a real cluster. That each due time has one Execution, whatever happens to the
controller meanwhile, is shown on the API server alone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from e2e.fixtures.scenario import Scenario

pytestmark = pytest.mark.cluster

EVERY_FOUR_SECONDS = """
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


def test_other_triggers_are_accepted_and_say_that_they_are_not_served(scenario: Scenario) -> None:
    flow = scenario.flow("""
        id: hooked
        namespace: company.team
        tasks:
          - {id: a, type: io.kestra.plugin.core.debug.Return, format: x}
        triggers:
          - {id: poll, type: io.kestra.plugin.debezium.postgres.Trigger, database: orders}
    """)

    def told() -> str | None:
        (trigger,) = flow.body["status"]["triggers"]
        message: str | None = trigger.get("message")
        return None if trigger["served"] else message

    scenario.eventually("a word that it is not served", told)
    assert "not served" in (told() or "")


def test_a_task_disables_a_schedule_and_enables_it_again(scenario: Scenario) -> None:
    ticking = scenario.flow(EVERY_FOUR_SECONDS)
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
    scenario.eventually("an execution", scenario.executions)
    first = scenario.executions()[0].ends("SUCCESS")
    date = datetime.fromisoformat(first.body["spec"]["trigger"]["variables"]["date"])
    assert date.utcoffset() in (timedelta(hours=1), timedelta(hours=2))
    assert datetime.fromisoformat(first.outputs("a")["value"]) == date

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
