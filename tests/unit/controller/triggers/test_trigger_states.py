"""TriggerStates: one for each trigger of a Flow, by which it is served, shown and disabled."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.controller.executions.task_failed import ClusterTaskFailed
from penstock.controller.executions.toggle_task import ToggleTasks, TriggerNotThere
from penstock.controller.runtime.outcomes import NotListed
from penstock.engine.interface.actions import ToggleTrigger
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, TRIGGER_STATES, Object
from penstock.resources.trigger_state import new_trigger_state, trigger_state_name
from tests.fixtures.apiserver import Refused, names
from tests.fixtures.controller import (
    NAMESPACE,
    Controller,
    conditions,
    execution,
    flow,
    until,
)
from tests.fixtures.triggers import LONG_AGO, armed, change, looked, started, state, status

TWO = """
id: report
namespace: company.team
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hello}
triggers:
  - {id: yearly, type: io.kestra.plugin.core.trigger.Schedule, cron: "@yearly"}
  - {id: other, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 0 1 2 *", disabled: true}
"""
ONE = TWO[: TWO.index("  - {id: other")]
READS_KEY = """
id: report
namespace: company.team
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hello}
triggers:
  - id: yearly
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "@yearly"
    inputs:
      greeting: "{{ kv('greeting', errorOnMissing=false) ?? 'no such key' }}"
"""
NEW_YEAR = "report-yearly-dbb1556d-20260101-000000"


# --- which there are ----------------------------------------------------------------------------


async def test_each_trigger_has_a_state_that_the_flow_owns(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    # when
    await armed(controller, TWO)
    # then
    assert names(controller.server.all(TRIGGER_STATES)) == ["report.other", "report.yearly"]
    body, owner = state(controller), controller.server.get(FLOWS, NAMESPACE, "report") or {}
    assert body["spec"] == {"flow": "report", "trigger": "yearly"}
    (reference,) = body["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["uid"]) == ("Flow", owner["metadata"]["uid"])
    assert reference["controller"] is True
    # and
    assert (status(controller)["state"], status(controller)["plan"]) == ("Armed", "@yearly UTC")
    assert status(controller)["nextDate"].endswith("-01-01T00:00:00Z")
    assert status(controller, "other")["state"] == "Disabled"
    assert "nextDate" not in status(controller, "other")
    assert owner["status"]["nextDate"] == status(controller)["nextDate"]


async def test_a_trigger_that_leaves_the_flow_takes_its_state_with_it(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, TWO)
    # when
    await armed(controller, ONE)
    # then
    assert names(controller.server.all(TRIGGER_STATES)) == ["report.yearly"]


async def test_a_flow_that_is_not_accepted_keeps_its_states_and_starts_nothing(
    tmp_path: Path,
) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, TWO)
    change(controller, "spec", disabled=False)
    change(controller, "status", lastDate=LONG_AGO)
    # when
    await armed(controller, TWO.replace("@yearly", "never"))
    # then
    assert status(controller)["state"] == "NotServed"
    assert "not accepted" in status(controller)["message"]
    assert started(controller) == []
    # and, once it is accepted again, what passed does not count
    await armed(controller, TWO)
    assert status(controller)["state"] == "Armed"
    assert state(controller)["spec"]["disabled"] is False
    assert started(controller) == []


@pytest.mark.parametrize("owner", [[], [{"kind": "Flow", "uid": "of-old", "controller": True}]])
async def test_one_that_somebody_else_made_counts_for_nothing(
    tmp_path: Path, owner: list[Object]
) -> None:
    # given
    controller = Controller(tmp_path)
    forged = new_trigger_state(controller.server.put(FLOWS, flow(ONE)), "yearly", disabled=True)
    forged["metadata"] |= {"ownerReferences": owner, "uid": "forged"}
    forged["status"] = {"lastDate": LONG_AGO, "plan": "@yearly UTC", "state": "Armed"}
    controller.server.put(TRIGGER_STATES, forged)
    # when
    await looked(controller)
    # then
    assert state(controller)["metadata"]["uid"] != "forged"
    assert (status(controller)["state"], started(controller)) == ("Armed", [])


async def test_a_spec_that_cannot_be_read_is_told_and_no_date_is_lost_for_it(
    tmp_path: Path,
) -> None:
    # given: what the API server takes for a date
    controller = Controller(tmp_path)
    await armed(controller, ONE)
    change(controller, "status", lastDate=LONG_AGO)
    change(controller, "spec", backfill={"start": ["2026-01-01T00:00:00Z"]})
    async with controller.running():
        # when
        await until(lambda: "Stalled" in conditions(state(controller)))
        # then
        reason, message = conditions(state(controller))["Stalled"]
        assert (reason, message) == (
            "InvalidSpec",
            "spec.backfill.start: Input should be a valid datetime",
        )
        assert started(controller) == []
        # and once it can be read
        change(controller, "spec", backfill=None)
        await until(lambda: started(controller) == [NEW_YEAR])
        await until(lambda: "Stalled" not in conditions(state(controller)))


async def test_one_of_another_name_is_told_that_it_counts_for_nothing(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, ONE)
    copy = state(controller)
    copy["metadata"] = {**copy["metadata"], "name": "copy", "uid": "copied"}
    copy["status"] = {**copy["status"], "lastDate": LONG_AGO}
    controller.server.put(TRIGGER_STATES, copy)
    # when
    await looked(controller)
    # then
    told = (controller.server.get(TRIGGER_STATES, NAMESPACE, "copy") or {})["status"]
    assert (told["state"], "counts for nothing" in told["message"]) == ("NotServed", True)
    assert started(controller) == []


async def test_one_that_is_deleted_comes_back_and_nothing_starts_twice(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, ONE)
    change(controller, "status", lastDate=LONG_AGO)
    await looked(controller)
    # when
    async with controller.running():
        first = state(controller)["metadata"]["uid"]
        controller.server.remove(TRIGGER_STATES, NAMESPACE, "report.yearly")
        await until(lambda: status(controller).get("state") == "Armed")
    # then
    assert state(controller)["metadata"]["uid"] != first
    assert started(controller) == [NEW_YEAR]


async def test_a_trigger_that_reads_a_key_starts_nothing_until_all_keys_are_known(
    tmp_path: Path,
) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, READS_KEY)
    change(controller, "status", lastDate=LONG_AGO)
    # when: a new controller has not listed them
    controller.operator.keyvalues.index.is_listed = False
    await controller.list(TRIGGER_STATES)
    # then
    with pytest.raises(NotListed):
        await controller.reconcile("TriggerState", "report.yearly")
    assert started(controller) == []
    # and when it has
    await looked(controller)
    # then
    assert started(controller) == [NEW_YEAR]
    (made,) = controller.server.all(EXECUTIONS)
    assert made["spec"]["inputs"] == {"greeting": "no such key"}


@pytest.mark.parametrize(
    ("flow_name", "trigger"),
    [("a", "b.c"), ("a.b", "c"), ("a.b", "C"), ("a-b", "c"), ("a", "x" * 256), ("a" * 250, "x")],
)
def test_names_are_those_of_one_trigger_alone(flow_name: str, trigger: str) -> None:
    others = [("a", "b_c"), ("a.b", "c_"), ("a.b", "_c"), ("a", "x" * 255), ("a" * 249, "x")]
    made = trigger_state_name(flow_name, trigger)
    assert len(made) <= 253
    assert made not in [trigger_state_name(*other) for other in others]


# --- what they start ----------------------------------------------------------------------------


async def test_the_execution_is_there_before_the_status_says_so(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, ONE)
    change(controller, "status", lastDate=LONG_AGO)
    await controller.list()
    # when the controller dies between the two
    away = Refused(503, "ServiceUnavailable")
    back = controller.server.refuse("PUT", TRIGGER_STATES, away, part="status")
    with pytest.raises(Exception, match="ServiceUnavailable"):
        await controller.reconcile("TriggerState", "report.yearly")
    back()
    # then
    assert (started(controller), status(controller)["lastDate"]) == ([NEW_YEAR], LONG_AGO)
    # and
    again = Controller(tmp_path / "again", server=controller.server)
    await looked(again)
    assert started(again) == [NEW_YEAR]
    assert status(again)["lastDate"] == "2026-01-01T00:00:00Z"


async def test_a_firing_writes_each_status_once(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, ONE)
    change(controller, "status", lastDate=LONG_AGO)
    await controller.list()
    before = [controller.server.count("PUT", kind) for kind in (TRIGGER_STATES, FLOWS)]
    # when
    for _ in range(3):
        await controller.reconcile("TriggerState", "report.yearly")
        await controller.reconcile("Flow", "report")
    # then
    after = [controller.server.count("PUT", kind) for kind in (TRIGGER_STATES, FLOWS)]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 0]


async def test_the_next_date_waits_while_the_last_execution_runs(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, ONE)
    trigger = {"id": "yearly", "type": "io.kestra.plugin.core.trigger.Schedule"}
    controller.server.put(EXECUTIONS, execution("running", "report", spec={"trigger": trigger}))
    change(controller, "status", lastDate=LONG_AGO)
    # when
    await looked(controller)
    # then
    assert status(controller)["state"] == "Waiting"
    assert "running" in status(controller)["message"]
    assert status(controller)["lastDate"] == LONG_AGO
    assert started(controller) == ["running"]
    # and
    async with controller.running():
        controller.server.remove(EXECUTIONS, NAMESPACE, "running")
        await until(lambda: started(controller) == [NEW_YEAR])
        await until(lambda: status(controller)["state"] == "Armed")
    assert "message" not in status(controller)


async def test_a_date_for_which_nothing_can_be_started_is_told_of_until_the_next_one(
    tmp_path: Path,
) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, ONE)
    controller.server.put(EXECUTIONS, execution(NEW_YEAR, "report", spec={"inputs": {"a": 1}}))
    change(controller, "status", lastDate=LONG_AGO)
    # when
    await looked(controller)
    # then
    told = status(controller)
    assert (told["state"], told["failures"], told["lastDate"]) == (
        "Failing", 1, "2026-01-01T00:00:00Z",
    )  # fmt: skip
    assert NEW_YEAR in told["message"]


# --- who disables them --------------------------------------------------------------------------


async def test_a_person_disables_and_enables_a_trigger(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, TWO)
    # when
    change(controller, "spec", disabled=True)
    change(controller, "spec", "other", disabled=False)
    await looked(controller)
    # then
    assert (status(controller)["state"], status(controller, "other")["state"]) == (
        "Disabled", "Armed",
    )  # fmt: skip
    assert "spec.disabled" in status(controller)["message"]
    # and dates that passed meanwhile are not made up for
    change(controller, "status", lastDate=LONG_AGO)
    change(controller, "spec", disabled=None)
    await looked(controller)
    assert (status(controller)["state"], started(controller)) == ("Armed", [])


def toggling(controller: Controller) -> ToggleTasks:
    rooms, stores = controller.operator.rooms, controller.stores
    return ToggleTasks(
        controller.server.api,
        stores.flows,
        stores.triggers,
        rooms.flows.revisions,
        rooms.events.trigger_seen,
    )


async def test_a_task_disables_a_trigger_and_whoever_writes_last_counts(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, ONE)
    toggle, by = toggling(controller), execution("by-hand")
    off = ToggleTrigger("company.team", "report", "yearly", enabled=False)
    on = ToggleTrigger("company.team", "report", "yearly", enabled=True)
    # when it is done twice, as after a crash
    await toggle.toggle(by, off)
    await toggle.toggle(by, off)
    await looked(controller)
    # then
    assert status(controller)["state"] == "Disabled"
    assert status(controller)["disabledBy"] == "a Toggle task of the Execution by-hand"
    # and
    change(controller, "spec", disabled=False)
    await looked(controller)
    assert (status(controller)["state"], status(controller).get("disabledBy")) == ("Armed", None)
    # and
    change(controller, "spec", disabled=True)
    await looked(controller)
    await toggle.toggle(by, on)
    await looked(controller)
    assert status(controller)["state"] == "Armed"
    assert "disabled" not in state(controller)["spec"]


async def test_a_task_that_names_no_trigger_fails_and_one_that_comes_early_waits(
    tmp_path: Path,
) -> None:
    # given
    controller = Controller(tmp_path)
    controller.server.put(FLOWS, flow(ONE))
    await controller.list()
    toggle, by = toggling(controller), execution("by-hand")
    # when, then
    with pytest.raises(TriggerNotThere):
        await toggle.toggle(by, ToggleTrigger("company.team", "report", "yearly", enabled=True))
    with pytest.raises(ClusterTaskFailed, match="has no trigger `daily`"):
        await toggle.toggle(by, ToggleTrigger("company.team", "report", "daily", enabled=True))
    with pytest.raises(ClusterTaskFailed, match="there is no flow"):
        await toggle.toggle(by, ToggleTrigger("company.team", "none", "daily", enabled=True))


# --- what older versions wrote ------------------------------------------------------------------


async def test_dates_and_toggles_of_an_older_version_are_taken_over_once(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    told = [
        {"id": "yearly", "type": "…", "lastDate": LONG_AGO, "schedule": "@yearly UTC"},
        {"id": "other", "type": "…", "lastDate": LONG_AGO, "schedule": "0 0 1 2 * UTC"},
    ]
    older = {"observedGeneration": 1, "triggers": told, "disabledTriggers": ["other"]}
    text = TWO.replace(", disabled: true", "")
    controller.server.put(FLOWS, flow(text) | {"status": older})
    # when
    await looked(controller)
    # then
    assert started(controller) == [NEW_YEAR]
    assert status(controller, "other")["state"] == "Disabled"
    written = (controller.server.get(FLOWS, NAMESPACE, "report") or {})["status"]
    assert written["disabledTriggers"] == []
    assert [(item["id"], "lastDate" in item) for item in written["triggers"]] == [
        ("yearly", False), ("other", False),
    ]  # fmt: skip
    # and not a second time
    change(controller, "spec", "other", disabled=None)
    await looked(controller)
    assert status(controller, "other")["state"] == "Armed"
    assert started(controller) == [NEW_YEAR]


async def test_what_an_older_version_wrote_stays_until_the_trigger_was_looked_at(
    tmp_path: Path,
) -> None:
    # given
    controller = Controller(tmp_path)
    told = {"id": "yearly", "type": "…", "lastDate": LONG_AGO, "schedule": "@yearly UTC"}
    controller.server.put(FLOWS, flow(ONE) | {"status": {"triggers": [told]}})
    await controller.list()
    # when the controller dies before it has looked at the trigger
    await controller.reconcile("Flow", "report")
    again = Controller(tmp_path / "again", server=controller.server)
    # then
    await looked(again)
    assert started(again) == [NEW_YEAR]
    handled = datetime.fromisoformat(status(again)["lastDate"])
    assert handled == datetime(2026, 1, 1, tzinfo=UTC)
