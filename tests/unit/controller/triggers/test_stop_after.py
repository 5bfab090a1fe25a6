"""`stopAfter`: a trigger disables itself after an execution that ended in such a state."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.kubernetes.api.client import EXECUTIONS, TRIGGER_STATES
from tests.fixtures.apiserver import Refused
from tests.fixtures.controller import NAMESPACE, Controller, execution
from tests.fixtures.triggers import armed, change, end, looked, state, status

STOPS = """
id: report
namespace: company.team
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hello}
triggers:
  - id: yearly
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "@yearly"
    stopAfter: [FAILED]
"""


def run(controller: Controller, name: str, state: str) -> None:
    """Let an execution of the trigger have ended just now."""
    trigger = {"id": "yearly", "type": "io.kestra.plugin.core.trigger.Schedule"}
    controller.server.put(EXECUTIONS, execution(name, "report", spec={"trigger": trigger}))
    end(controller, name, state)


async def test_it_stops_after_the_states_that_it_names_until_it_is_enabled(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, STOPS)
    run(controller, "well", "SUCCESS")
    await looked(controller)
    assert status(controller)["state"] == "Armed"
    # when
    run(controller, "badly", "FAILED")
    await looked(controller)
    # then
    told = status(controller)
    assert (told["state"], told["disabledBy"]) == (
        "Disabled", "`stopAfter`: the Execution badly ended FAILED",
    )  # fmt: skip
    assert state(controller)["spec"]["disabled"] is True
    # and what stopped it before does not stop it again
    change(controller, "spec", disabled=False)
    await looked(controller)
    assert status(controller)["state"] == "Armed"
    # but the next one does
    run(controller, "again", "FAILED")
    await looked(controller)
    assert "again" in status(controller)["disabledBy"]


async def test_what_ended_before_the_flow_said_so_does_not_stop_it(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, STOPS.replace("    stopAfter: [FAILED]\n", ""))
    run(controller, "badly", "FAILED")
    await looked(controller)
    # when
    await armed(controller, STOPS)
    # then
    assert status(controller)["state"] == "Armed"


@pytest.mark.parametrize("part", ["", "status"])
async def test_a_controller_that_ends_meanwhile_stops_it_all_the_same(
    tmp_path: Path, part: str
) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, STOPS)
    run(controller, "badly", "FAILED")
    await controller.list()
    # when one of the two writes is not made
    verb = "PUT" if part else "PATCH"
    away = Refused(503, "ServiceUnavailable")
    back = controller.server.refuse(verb, TRIGGER_STATES, away, part=part)
    with pytest.raises(Exception, match="ServiceUnavailable"):
        await controller.reconcile("TriggerState", "report.yearly")
    back()
    # then
    again = Controller(tmp_path / "again", server=controller.server)
    await looked(again)
    assert status(again)["state"] == "Disabled"
    assert "badly" in status(again)["disabledBy"]


async def test_executions_of_other_triggers_do_not_stop_it(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, STOPS)
    # when
    for name, spec in {
        "by-hand": {},
        "by-a-task": {"trigger": {"id": "yearly", "type": "x"}, "parent": {"execution": "other"}},
        "by-another": {"trigger": {"id": "weekly", "type": "x"}},
    }.items():
        controller.server.put(EXECUTIONS, execution(name, "report", spec=spec))
        end(controller, name, "FAILED")
    await looked(controller)
    # then
    assert status(controller)["state"] == "Armed"
    assert controller.server.get(TRIGGER_STATES, NAMESPACE, "report.yearly")
