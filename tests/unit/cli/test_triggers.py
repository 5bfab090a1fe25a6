"""`penstock trigger`: what is listed, what is asked of triggers, and what would start now."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.kubernetes.api.client import EXECUTIONS, TRIGGER_STATES, Object
from penstock.resources.execution import ExecutionSpec, FlowReference, TriggerReference
from penstock.resources.new_execution import new_execution
from penstock.resources.trigger_state import new_trigger_state
from penstock.triggers.flow_trigger.groups import groups_of
from penstock.triggers.flow_trigger.memory import GroupMemory, Memory, Met
from penstock.triggers.flow_trigger.model import FlowTrigger
from tests.unit.cli.conftest import Call, PlayedCluster

SCHEDULE = "io.kestra.plugin.core.trigger.Schedule"
NIGHTLY = f"""\
id: nightly
namespace: dev
tasks:
  - {{id: greet, type: io.kestra.plugin.core.log.Log, message: hello}}
triggers:
  - id: daily
    type: {SCHEDULE}
    cron: "0 6 * * *"
    inputs: {{limit: "{{{{ kv('limit') }}}}"}}
  - {{id: hook, type: io.kestra.plugin.debezium.postgres.Trigger, database: orders}}
  - {{id: called, type: io.kestra.plugin.core.trigger.Webhook, key: abc}}
"""
DAILY = ("dev", "nightly", "daily")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the controller, which is not there."""
    monkeypatch.setattr("penstock.cli.triggers.control._PATIENCE", 0.05)


def arm(played: PlayedCluster, flow: Object, trigger: str, **status: Any) -> Object:
    """Let a trigger have its TriggerState, as the controller makes it."""
    state = new_trigger_state(flow, trigger, disabled=False)
    return played.server.put(TRIGGER_STATES, {**state, "status": status})


@pytest.fixture
def nightly(played: PlayedCluster) -> Object:
    """A flow with a schedule that was last served two days ago, and a trigger without state."""
    flow = played.flow(NIGHTLY)
    last = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    arm(played, flow, "daily", state="Armed", lastDate=last, plan="0 6 * * * Z")
    return flow


def state_of(played: PlayedCluster) -> Object:
    (state,) = played.server.all(TRIGGER_STATES)
    return state


@pytest.mark.usefixtures("nightly")
def test_triggers_are_listed_with_how_they_are(call: Call) -> None:
    header, daily, hook, _ = call("trigger", "list", "dev", "nightly").out.splitlines()

    assert header.split() == ["NAMESPACE", "FLOW", "TRIGGER", "TYPE", "STATE", "LAST", "NEXT"]
    assert daily.split()[:5] == ["dev", "nightly", "daily", "Schedule", "Armed"]
    assert hook.split() == ["dev", "nightly", "hook", "Trigger"]
    assert "0 6 * * *" in call("trigger", "list", "-o", "wide").out
    assert json.loads(call("trigger", "list", "-o", "json").out)["items"][0]["kind"] == (
        "TriggerState"
    )
    assert call("trigger", "list", "prod").out.splitlines()[1:] == []


@pytest.mark.usefixtures("nightly")
def test_a_trigger_is_disabled_and_enabled(call: Call, played: PlayedCluster) -> None:
    assert call("trigger", "disable", *DAILY).out == "dev.nightly daily disabled\n"
    assert state_of(played)["spec"]["disabled"] is True

    call("trigger", "enable", *DAILY)
    assert state_of(played)["spec"]["disabled"] is False


@pytest.mark.usefixtures("nightly")
def test_a_trigger_that_is_not_there_is_told(call: Call) -> None:
    near = call("trigger", "disable", "dev", "nightly", "dailly")
    unarmed = call("trigger", "disable", "dev", "nightly", "hook")

    assert (near.code, "did you mean `daily`?" in near.err) == (1, True)
    assert (unarmed.code, "has no TriggerState yet" in unarmed.err) == (1, True)


@pytest.mark.usefixtures("nightly")
def test_a_backfill_is_asked_for_and_steered(call: Call, played: PlayedCluster) -> None:
    dates = ("--start", "2026-01-01", "--end", "2026-01-05T06:00:00+01:00")

    began = call("trigger", "backfill", *DAILY, *dates, "-i", "limit=1", "--label", "a=b")

    assert began.out == "backfill of dev.nightly daily requested\n"
    assert state_of(played)["spec"]["backfill"] == {
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-01-05T06:00:00+01:00",
        "inputs": {"limit": "1"},
        "labels": {"a": "b"},
        "paused": False,
    }
    call("trigger", "backfill", *DAILY, "--pause")
    assert state_of(played)["spec"]["backfill"]["paused"] is True
    call("trigger", "backfill", *DAILY, "--resume")
    assert state_of(played)["spec"]["backfill"]["paused"] is False
    call("trigger", "backfill", *DAILY, "--cancel")
    assert "backfill" not in state_of(played)["spec"]


def test_a_backfill_is_not_begun_while_another_runs(
    call: Call, played: PlayedCluster, nightly: Object
) -> None:
    # given
    dates = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-09T00:00:00Z"}
    running = {"id": "1", "state": "Running", "started": 3, "failed": 1, **dates}
    arm(played, nightly, "daily", state="Armed", backfill=running)

    # when
    refused = call("trigger", "backfill", *DAILY, "--start", "2026-02-01")
    shown = call("trigger", "list", "dev", "nightly", "-o", "wide")

    # then
    assert refused.code == 1
    assert "goes through the dates from 2026-01-01T00:00:00+00:00" in refused.err
    assert "Running: 3 started, 1 failed" in shown.out


def test_a_backfill_that_the_controller_refuses_is_told(
    call: Call, played: PlayedCluster, nightly: Object
) -> None:
    dates = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-09T00:00:00Z"}
    refused = {"id": "1", "state": "Refused", "message": "it has no such dates", **dates}
    arm(played, nightly, "daily", observedGeneration=2, backfill=refused)

    called = call("trigger", "backfill", *DAILY, "--start", "2026-01-01")

    assert called.code == 1
    assert "the trigger `daily` can't be backfilled: it has no such dates" in called.err


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ([], 2, "--start: say from when on"),
        (["--start", "yesterday"], 2, "--start `yesterday`: write a date"),
        (["--start", "2026-01-02", "--end", "2026-01-01"], 2, "is before --start"),
        (["--start", "2026-01-02", "--pause"], 2, "--pause: it is for a backfill that runs"),
        (["--pause"], 1, "the trigger `daily` has no backfill"),
    ],
)
@pytest.mark.usefixtures("nightly")
def test_a_backfill_that_is_not_clear_asks_nothing(
    call: Call, played: PlayedCluster, options: list[str], code: int, words: str
) -> None:
    called = call("trigger", "backfill", *DAILY, *options)

    assert (called.code, words in called.err) == (code, True), called.err
    assert "backfill" not in state_of(played)["spec"]


# test


@pytest.mark.usefixtures("nightly")
def test_what_is_due_is_told_with_its_inputs(call: Call, played: PlayedCluster) -> None:
    call("kv", "set", "dev", "limit", "3")

    told = call("trigger", "test", *DAILY)
    data = json.loads(call("trigger", "test", *DAILY, "-o", "json").out)

    assert told.out.startswith("it would start an execution: the date ")
    assert (data["starts"], data["inputs"]) == (True, {"limit": "3"})
    assert data["variables"]["date"].endswith("06:00:00.000+00:00")
    assert played.executions() == []


def test_why_nothing_starts_is_told(call: Call, played: PlayedCluster, nightly: Object) -> None:
    call("kv", "set", "dev", "limit", "3")

    def told(trigger: str = "daily") -> str:
        called = call("trigger", "test", "dev", "nightly", trigger)
        assert called.code == 0, called.err
        return called.out

    assert "are not served yet" in told("hook")
    assert "for each request to its address" in told("called")
    assert "/api/v1/data/executions/webhook/dev/nightly/abc" in told("called")
    running = ExecutionSpec(
        flow=FlowReference(name=nightly["metadata"]["name"]),
        trigger=TriggerReference(id="daily", type=SCHEDULE),
    )
    body = new_execution("data", "nightly-1", running)
    played.server.put(EXECUTIONS, {**body, "status": {"state": "RUNNING"}})
    assert "and waits: the Execution nightly-1 has not ended" in told()
    played.server.put(EXECUTIONS, {**body, "status": {"state": "SUCCESS"}})
    assert "it would start an execution" in told()
    arm(played, nightly, "daily", state="Armed", lastDate=datetime.now(UTC).isoformat())
    assert "it would start nothing: no date is due" in told()
    call("trigger", "disable", *DAILY)
    assert "`penstock trigger enable` lets it start again" in told()


WAITING = """\
id: waiting
namespace: dev
tasks:
  - {id: greet, type: io.kestra.plugin.core.log.Log, message: hello}
triggers:
  - id: both
    type: io.kestra.plugin.core.trigger.Flow
    kubernetesNamespaces: [data, shop]
    dependsOn: [{namespace: dev, flowId: load}, {namespace: dev, flowId: clean}]
  - id: any
    type: io.kestra.plugin.core.trigger.Flow
    states: [FAILED]
    when: "{{ state is defined }}"
  - id: polls
    type: io.kestra.plugin.core.http.Trigger
    uri: https://example.com
  - id: called
    type: io.kestra.plugin.core.trigger.Webhook
    key: abc
    signature: {scheme: GITHUB, secret: s}
    conditions:
      - type: io.kestra.plugin.core.condition.Expression
        expression: "{{ trigger.body.of == 'us' }}"
    when: "{{ trigger.parameters.mode[0] ?? 'on' == 'on' }}"
    inputs: {of: "{{ trigger.body.of }}"}
"""


def test_what_a_flow_trigger_waits_for_is_told(call: Call, played: PlayedCluster) -> None:
    # given a trigger of which one flow was seen
    flow = played.flow(WAITING)
    written = yaml.safe_load(WAITING)["triggers"][0]
    trigger = FlowTrigger.model_validate({"dependsOn": written["dependsOn"]})
    (group,) = groups_of(trigger)
    now = datetime.now(UTC)
    met = Met(execution="load-1", flow_id="load", date=now)
    groups = {group.key: GroupMemory(met={next(iter(group.entries)): met})}
    memory = Memory.armed(now).model_copy(update={"groups": groups}).to_json()
    arm(played, flow, "both", state="Armed", memory=memory)
    # when
    told = call("trigger", "test", "dev", "waiting", "both").out
    # then
    assert "it would start nothing: it waits until enough of these are met" in told
    assert "it listens to executions in data, shop" in told
    assert "whose Flows allow it" in told
    assert "dependsOn: 2 of 2 are needed" in told
    assert "  met: dev.load (SUCCESS, WARNING), by load-1 at " in told
    assert "  not met: dev.clean (SUCCESS, WARNING)" in told
    assert "comes into FAILED" in call("trigger", "test", "dev", "waiting", "any").out


def test_what_a_listener_reported_is_told(call: Call, played: PlayedCluster) -> None:
    flow = played.flow(WAITING)
    arm(played, flow, "polls", state="Failing", message="connection refused")
    told = call("trigger", "test", "dev", "waiting", "polls").out
    assert "its listener starts an execution" in told
    assert "it is Failing: connection refused" in told


def test_what_a_request_to_a_webhook_would_start_is_told(
    call: Call, played: PlayedCluster, tmp_path: Path
) -> None:
    played.flow(WAITING)
    named = ("trigger", "test", "dev", "waiting", "called")
    body = tmp_path / "body.json"
    body.write_text('{"of": "us"}')

    told = json.loads(call(*named, "--body", f"@{body}", "-o", "json").out)

    assert (told["starts"], told["inputs"]) == (True, {"of": "us"})
    assert "signed as GITHUB" in call(*named).out
    others = call(*named, "--body", '{"of": "them"}').out
    assert "the answer is 204: `conditions[0]`, Expression, is not met" in others
    off = call(*named, "--body", '{"of": "us"}', "--parameter", "mode=off").out
    assert "`when` is not true" in off
    assert "the answer is 204: Unable to find `of`" in call(*named, "--body", "{}").out
    refused = call("trigger", "test", "dev", "waiting", "both", "--body", "{}")
    assert "it takes no request" in refused.out
    assert call(*named, "--body", "@nowhere").code == 2
    assert played.executions() == []
