"""Backfills: an execution for each date of a range that passed, beside what is due."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock.kubernetes.api.client import EXECUTIONS, TRIGGER_STATES
from tests.fixtures.apiserver import Refused
from tests.fixtures.controller import NAMESPACE, Controller, until
from tests.fixtures.triggers import LONG_AGO, armed, change, end, looked, started, state, status

DAILY = """
id: report
namespace: company.team
inputs: [{id: day, type: STRING, defaults: none}, {id: why, type: STRING, defaults: none}]
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hello}
triggers:
  - id: yearly
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "0 6 * * *"
    inputs: {day: "{{ trigger.date | date('yyyy-MM-dd') }}", why: due}
"""
RANGE = {"start": "2026-03-01T06:00:00Z", "end": "2026-03-03T06:00:00Z"}


def backfill(controller: Controller) -> dict[str, Any]:
    found: dict[str, Any] = status(controller).get("backfill") or {}
    return found


def days(controller: Controller) -> list[str]:
    """The dates for which executions were started, as their inputs say."""
    return [body["spec"]["inputs"]["day"] for body in controller.server.all(EXECUTIONS)]


def running(controller: Controller) -> list[str]:
    return [
        body["metadata"]["name"]
        for body in controller.server.all(EXECUTIONS)
        if (body.get("status") or {}).get("state") != "SUCCESS"
    ]


async def asked(tmp_path: Path, text: str = DAILY, **wanted: Any) -> Controller:
    """A controller that was asked for a backfill, and has looked at it."""
    controller = Controller(tmp_path)
    await armed(controller, text)
    change(controller, "spec", backfill={**RANGE, **wanted})
    await looked(controller)
    return controller


async def test_each_date_of_the_range_has_an_execution_one_after_the_other(
    tmp_path: Path,
) -> None:
    # given
    controller = await asked(tmp_path, labels={"reason": "outage"}, inputs={"why": "once more"})
    # when
    for expected in (["2026-03-01"], ["2026-03-01", "2026-03-02"]):
        assert days(controller) == expected
        (name,) = running(controller)
        end(controller, name)
        await looked(controller)
    # then
    assert days(controller) == ["2026-03-01", "2026-03-02", "2026-03-03"]
    told = backfill(controller)
    assert (told["state"], told["started"]) == ("Running", 3)
    assert told["currentDate"] == "2026-03-03T06:00:00Z"
    # and
    end(controller, *running(controller))
    await looked(controller)
    assert (backfill(controller)["state"], len(days(controller))) == ("Finished", 3)
    # and
    body = controller.server.all(EXECUTIONS)[0]
    assert body["metadata"]["labels"]["penstock.dev/backfill"] == told["id"]
    assert told["id"] in body["metadata"]["name"]
    assert body["spec"]["labels"] == {"reason": "outage", "backfill": "true"}
    assert body["spec"]["inputs"] == {"day": "2026-03-01", "why": "once more"}
    assert body["spec"]["trigger"]["variables"]["date"] == "2026-03-01T06:00:00.000+00:00"


async def test_the_schedule_keeps_its_dates_meanwhile(tmp_path: Path) -> None:
    # given
    text = DAILY.replace("0 6 * * *", "0 6 1 1 *")
    controller = await asked(
        tmp_path, text, start="2020-01-01T06:00:00Z", end="2021-01-01T06:00:00Z"
    )
    assert days(controller) == ["2020-01-01"]
    # when
    change(controller, "status", lastDate=LONG_AGO)
    await looked(controller)
    # then
    assert days(controller) == ["2020-01-01", "2026-01-01"]
    assert status(controller)["lastDate"] == "2026-01-01T06:00:00Z"


async def test_several_run_at_once_where_the_trigger_allows_it(tmp_path: Path) -> None:
    # given, when
    text = DAILY + "    allowConcurrent: true\n"
    controller = await asked(tmp_path, text, end="2026-03-31T06:00:00Z")
    # then
    assert len(started(controller)) == 10
    # and
    for name in running(controller):
        end(controller, name)
    await looked(controller)
    assert len(started(controller)) == 20
    assert len(set(days(controller))) == 20


async def test_it_is_paused_continued_and_cancelled(tmp_path: Path) -> None:
    # given
    controller = await asked(tmp_path, paused=True)
    assert (backfill(controller)["state"], started(controller)) == ("Paused", [])
    # when
    change(controller, "spec", backfill=RANGE)
    await looked(controller)
    # then
    assert (backfill(controller)["state"], len(started(controller))) == ("Running", 1)
    # and
    change(controller, "spec", backfill=RANGE | {"paused": True})
    end(controller, *running(controller))
    await looked(controller)
    assert (backfill(controller)["state"], len(started(controller))) == ("Paused", 1)
    # and
    first = backfill(controller)["id"]
    change(controller, "spec", backfill=None)
    await looked(controller)
    assert (backfill(controller)["state"], len(started(controller))) == ("Cancelled", 1)
    # and once more is another one
    change(controller, "spec", backfill=RANGE)
    await looked(controller)
    assert backfill(controller)["id"] != first
    assert days(controller) == ["2026-03-01", "2026-03-01"]


async def test_one_that_has_ended_stays_in_the_status(tmp_path: Path) -> None:
    # given
    controller = await asked(tmp_path, end=RANGE["start"])
    end(controller, *running(controller))
    await looked(controller)
    # when
    change(controller, "spec", backfill=None)
    await looked(controller)
    # then
    assert (backfill(controller)["state"], backfill(controller)["started"]) == ("Finished", 1)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_controller_that_ends_at_a_write_starts_nothing_twice(
    tmp_path: Path, times: int
) -> None:
    # given
    controller = Controller(tmp_path)
    await armed(controller, DAILY)
    change(controller, "spec", backfill=RANGE)
    await controller.list()
    for _ in range(times - 1):
        await controller.reconcile("TriggerState", "report.yearly")
    # when
    away = Refused(503, "ServiceUnavailable")
    back = controller.server.refuse("PUT", TRIGGER_STATES, away, part="status")
    with pytest.raises(Exception, match="ServiceUnavailable"):
        await controller.reconcile("TriggerState", "report.yearly")
    back()
    # then
    again = Controller(tmp_path / "again", server=controller.server)
    await looked(again)
    assert (days(again), backfill(again)["started"]) == (["2026-03-01"], 1)


async def test_an_end_in_the_future_is_the_present_time(tmp_path: Path) -> None:
    controller = await asked(tmp_path, end="2999-01-01T00:00:00Z")
    assert backfill(controller)["end"] < "2999"


async def test_it_goes_on_by_itself_when_an_execution_ends(tmp_path: Path) -> None:
    # given
    controller = await asked(tmp_path)
    # when
    async with controller.running():
        controller.server.remove(EXECUTIONS, NAMESPACE, *running(controller))
        # then
        await until(lambda: days(controller) == ["2026-03-02"])


async def test_a_trigger_without_dates_of_its_own_has_none(tmp_path: Path) -> None:
    # given
    text = DAILY.replace("trigger.Schedule", "trigger.ScheduleOnDates").replace(
        'cron: "0 6 * * *"', 'dates: ["2999-01-01T00:00:00Z"]'
    )
    # when
    controller = await asked(tmp_path, text)
    # then
    assert (backfill(controller)["state"], started(controller)) == ("Refused", [])
    assert state(controller)["spec"]["backfill"]["start"] == RANGE["start"]
