"""What triggers start: one Execution for each firing, with what the firing carries."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cluster.firings import execution_name
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.triggers.starter import Starter
from penstock.flow.document import Trigger
from penstock.kubernetes.api.client import EVENTS, EXECUTIONS, FLOWS, TRIGGER_STATES, Object
from penstock.triggers.firing import Firing, failed_firing
from tests.fixtures.apiserver import ApiServer
from tests.fixtures.controller import NAMESPACE, Controller, flow, until

YEARLY = """
id: report
namespace: company.team
labels: {team: sales}
inputs:
  - {id: day, type: STRING}
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: "{{ inputs.day }}"}
triggers:
  - id: yearly
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "@yearly"
"""
PINNED = "report-yearly-dbb1556d-20260101-000000"
"""Names must stay as they were: an upgrade at a due time would start its execution once more."""


def trigger(name: str = "events") -> Trigger:
    return Trigger(id=name, type="com.company.Events")


def last_looked_at(body: Object, date: datetime, schedule: str) -> Object:
    """A Flow whose schedules were dealt with up to a date."""
    told = {"id": "yearly", "type": "…", "lastDate": date.isoformat(), "schedule": schedule}
    return body | {"status": {"observedGeneration": 1, "triggers": [told]}}


# --- from a Flow to its Execution ---------------------------------------------------------------


def some_execution(controller: Controller) -> bool:
    return bool(controller.server.all(EXECUTIONS))


async def started(
    tmp_path: Path, text: str, until_all: Callable[[Controller], object] = some_execution
) -> tuple[Controller, Object]:
    """The one Execution that is due of a flow which was last looked at on 2025-12-31."""
    controller = Controller(tmp_path)
    before = datetime(2025, 12, 31, tzinfo=UTC)
    controller.server.put(FLOWS, last_looked_at(flow(text), before, "@yearly UTC"))
    async with controller.running():
        await until(lambda: until_all(controller))
    (body,) = controller.server.all(EXECUTIONS)
    return controller, body


async def test_a_due_time_becomes_an_execution(tmp_path: Path) -> None:
    # given
    text = YEARLY + "    inputs: {day: \"{{ trigger.date | date('yyyy-MM-dd') }}\"}\n"
    # when
    _, body = await started(tmp_path, text)
    # then
    meta, spec = body["metadata"], body["spec"]
    assert meta["name"] == PINNED
    assert meta["labels"]["penstock.dev/flow"] == "report"
    assert meta["annotations"] == {"argocd.argoproj.io/ignore-resource-updates": "true"}
    assert spec["flow"] == {"name": "report"}
    assert spec["inputs"] == {"day": "2026-01-01"}
    assert "labels" not in spec
    assert spec["trigger"] == {
        "id": "yearly",
        "type": "io.kestra.plugin.core.trigger.Schedule",
        "variables": {
            "date": "2026-01-01T00:00:00.000+00:00",
            "next": "2027-01-01T00:00:00.000+00:00",
            "previous": "2025-01-01T00:00:00.000+00:00",
        },
    }


async def test_a_date_whose_condition_cannot_be_told_has_an_execution_that_is_failed(
    tmp_path: Path,
) -> None:
    # given
    text = YEARLY + "    when: \"{{ kv('open') }}\"\n"
    # when
    controller, body = await started(
        tmp_path, text, until_all=lambda controller: has_labels(controller, PINNED)
    )
    # then it never began, and says why; the trigger goes on
    assert body["metadata"]["name"] == PINNED
    status = status_of(controller, PINNED)
    assert (status["state"], status["refusal"]) == ("FAILED", "TriggerFailed")
    assert "whether 2026-01-01" in status["message"]
    assert "kv('open')" in status["message"]
    state = controller.server.get(TRIGGER_STATES, NAMESPACE, "report.yearly") or {}
    assert state["status"]["state"] == "Armed"
    assert any("FAILED" in note for note in scheduled(controller))


async def test_labels_of_a_schedule_are_added_to_those_of_the_flow(tmp_path: Path) -> None:
    # given
    text = YEARLY + (
        "    inputs: {day: today}\n"
        "    labels: {year: \"{{ trigger.date | date('yyyy') }}\", wrong: '{{ vars.none }}'}\n"
    )
    # when
    controller, body = await started(
        tmp_path,
        text,
        until_all=lambda controller: scheduled(controller) and has_labels(controller, PINNED),
    )
    # then
    assert body["spec"]["labels"] == {"year": "2026"}
    labels = status_of(controller, PINNED)["labels"]
    assert (labels["team"], labels["year"]) == ("sales", "2026")
    assert [note for note in scheduled(controller) if "its label wrong is left out" in note]


def scheduled(controller: Controller) -> list[str]:
    """What Events tell of due times that started an Execution."""
    told = [event for event in controller.server.all(EVENTS) if event["reason"] == "Scheduled"]
    return [event["note"] for event in told]


def has_labels(controller: Controller, name: str) -> bool:
    return bool(status_of(controller, name).get("labels"))


def status_of(controller: Controller, name: str) -> dict[str, Any]:
    body = controller.server.get(EXECUTIONS, NAMESPACE, name) or {}
    status: dict[str, Any] = body.get("status") or {}
    return status


async def test_a_controller_that_was_killed_after_the_creation_finds_the_execution(
    tmp_path: Path,
) -> None:
    """The record of the due time is lost with it: the Flow says that nothing was dealt with."""
    # given
    first, made = await started(tmp_path / "first", YEARLY)
    server = first.server
    before = datetime(2025, 12, 31, tzinfo=UTC)
    server.remove(FLOWS, NAMESPACE, "report")
    server.put(FLOWS, last_looked_at(flow(YEARLY), before, "@yearly UTC"))
    # when
    second = Controller(tmp_path / "second", server=server)
    async with second.running():
        await until(lambda: handled(second) == datetime(2026, 1, 1, tzinfo=UTC))
    # then
    assert [body["metadata"]["uid"] for body in server.all(EXECUTIONS)] == [made["metadata"]["uid"]]


def handled(controller: Controller) -> datetime | None:
    body = controller.server.get(TRIGGER_STATES, NAMESPACE, "report.yearly") or {}
    text = (body.get("status") or {}).get("lastDate")
    return None if text is None else datetime.fromisoformat(text)


async def test_other_triggers_start_nothing_and_say_so(tmp_path: Path) -> None:
    # given
    text = YEARLY.replace('    cron: "@yearly"\n', "    bucket: orders\n").replace(
        "core.trigger.Schedule", "debezium.postgres.Trigger"
    )
    controller = Controller(tmp_path)
    controller.server.put(FLOWS, flow(text))

    def told() -> list[dict[str, Any]]:
        body = controller.server.get(FLOWS, NAMESPACE, "report") or {}
        triggers = (body.get("status") or {}).get("triggers") or ()
        return [item for item in triggers if item.get("message")]

    # when
    async with controller.running():
        await until(told)
    # then
    assert [
        (item["served"], item["message"].endswith("are not served yet")) for item in told()
    ] == [(False, True)]
    assert controller.server.all(EXECUTIONS) == []


# --- from a firing to its Execution -------------------------------------------------------------


def firing(key: str) -> Firing:
    return Firing(key, {"offset": 7}, {"row": {"id": 1}}, {"topic": "orders"})


async def test_a_firing_that_is_told_twice_makes_one_execution() -> None:
    # given
    server, seen = ApiServer(), ObjectStore()
    starter = Starter(server.api, seen)
    # when
    names = [
        await starter.start(flow(YEARLY), "report", trigger(), firing(key))
        for key in ("orders/0/7", "orders/0/7", "orders/0/8")
    ]
    # then
    bodies = server.all(EXECUTIONS)
    assert names[1] is None
    assert [body["metadata"]["name"] for body in bodies] == [names[0], names[2]]
    assert bodies[0]["spec"] == {
        "flow": {"name": "report"},
        "inputs": {"row": {"id": 1}},
        "labels": {"topic": "orders"},
        "trigger": {"id": "events", "type": "com.company.Events", "variables": {"offset": 7}},
    }
    assert {body["metadata"]["name"] for body in seen} == {names[0], names[2]}


@pytest.mark.parametrize("failures", [("why", None), (None, "why"), ("why", "why else")])
async def test_a_condition_that_can_be_told_at_the_second_look_makes_no_second_execution(
    failures: tuple[str | None, str | None],
) -> None:
    # given
    server = ApiServer()
    starter = Starter(server.api, ObjectStore())
    made = Firing(key="7", variables={"offset": 7}, inputs={"row": 1})
    looks = [made if why is None else failed_firing(made, why) for why in failures]
    # when
    names = [await starter.start(flow(YEARLY), "report", trigger(), look) for look in looks]
    # then the first look counts
    assert names[1] is None
    (body,) = server.all(EXECUTIONS)
    assert body["spec"]["trigger"].get("failure") == failures[0]


KEYS = st.one_of(st.text(max_size=80), st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True))


@given(KEYS, KEYS)
def test_every_key_has_a_name_of_its_own(one: str, other: str) -> None:
    names = [execution_name("report", "report", "events", key) for key in (one, other)]
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) for name in names)
    assert max(map(len, names)) <= 102
    assert (names[0] == names[1]) is (one == other)


@pytest.mark.parametrize(
    ("flow_name", "flow_id", "trigger_id"),
    [("other", "report", "yearly"), ("report", "report", "weekly")],
)
def test_two_flows_or_triggers_never_share_a_name(
    flow_name: str, flow_id: str, trigger_id: str
) -> None:
    assert execution_name(flow_name, flow_id, trigger_id, "20260101-000000") != PINNED
    assert execution_name("report", "report", "yearly", "20260101-000000") == PINNED
