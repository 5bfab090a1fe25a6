"""`onMiss` on a cluster: a window that ended without what a Flow trigger waits for has an Execution
that is FAILED, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.fixtures.controller import Controller
from tests.fixtures.triggers import armed, change, looked, status
from tests.unit.controller.triggers.test_flow_triggers import again, started

HOURLY = """
id: report
namespace: company.team
tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: hello}]
triggers:
  - id: after
    type: io.kestra.plugin.core.trigger.Flow
    dependsOn: [{namespace: company.team, flowId: load}]
    window: {every: PT1H}
    onMiss:
      labels: {sla: miss, of: "{{ trigger.deadline | date('mm') }}"}
"""


def waiting_for(controller: Controller, hours: float) -> None:
    """Let the trigger have been armed so long ago."""
    ago = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    memory = {**status(controller, "after")["memory"], "since": ago, "checked": ago}
    change(controller, "status", "after", memory=memory)


async def test_a_window_that_was_missed_has_one_execution_that_fails(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, HOURLY)
    assert started(controller) == []
    before = status(controller, "after")["memory"]
    # when
    waiting_for(controller, hours=3)
    await looked(controller)
    # then
    (made,) = started(controller)
    assert "was not met by" in made["spec"]["trigger"]["failure"]
    assert made["spec"]["labels"] == {"sla": "miss", "of": "00"}
    # when a controller ended before it could write that down
    waiting_for(controller, hours=3)
    await looked(again(controller, tmp_path))
    assert started(controller) == [made]
    assert status(controller, "after")["memory"]["checked"] > before["checked"][:10]


async def test_a_window_that_passed_while_it_was_disabled_is_not_missed(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    await armed(controller, HOURLY)
    waiting_for(controller, hours=3)
    change(controller, "spec", "after", disabled=True)
    await looked(controller)
    change(controller, "spec", "after", disabled=False)
    await looked(controller)
    assert started(controller) == []


async def test_it_is_looked_at_when_no_more_of_the_window_can_become_known(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    await armed(controller, HOURLY)
    seconds = await controller.reconcile("TriggerState", "report.after")
    assert seconds is not None
    looks = datetime.now(UTC) + timedelta(seconds=seconds)
    past = looks - looks.replace(minute=0, second=0, microsecond=0)
    assert timedelta(seconds=119) < past < timedelta(seconds=121)
