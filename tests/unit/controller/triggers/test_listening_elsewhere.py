"""Flow triggers that listen to executions of another Kubernetes namespace: both sides allow it, or
nothing is started, shown or told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock.controller.runtime.queue import Key
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, TRIGGER_STATES, Object
from penstock.resources.flow_leave import OUTPUTS_TO, TRIGGERS_FROM
from tests.fixtures.controller import NAMESPACE, Controller, flow
from tests.fixtures.triggers import armed, looked, state, status
from tests.unit.controller.triggers.test_flow_triggers import again, came, happens, started

SHOP = "shop"
REPORT = """
id: report
namespace: company.finance
tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: hello}]
triggers:
  - id: after
    type: io.kestra.plugin.core.trigger.Flow
    kubernetesNamespaces: [shop]
    states: [SUCCESS]
    inputs: {rows: "{{ trigger.outputs.rows ?? 'none' }}"}
    labels: {of: "{{ trigger.kubernetesNamespace }}/{{ trigger.executionId }}"}
    conditions:
      - {type: io.kestra.plugin.core.condition.ExecutionFlow, namespace: company.team, flowId: load}
"""
LOAD = """
id: load
namespace: company.team
tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: hello}]
"""
NAMED = {TRIGGERS_FROM: f"other, {NAMESPACE}"}


def load(namespace: str = SHOP, **annotations: str) -> Object:
    """The Flow `load` of a Kubernetes namespace, with annotations."""
    body = flow(LOAD)
    body["metadata"] |= {"namespace": namespace, "annotations": annotations, "uid": namespace}
    return body


def in_shop(body: Object) -> Object:
    body["metadata"]["namespace"] = SHOP
    return body


def loaded(name: str, *states: str, **more: Any) -> Object:
    """An execution of `load` in the shop that came into states now."""
    return in_shop(came(name, "load", *(states or ("SUCCESS",)), **more))


async def listening(controller: Controller, text: str = REPORT, **annotations: str) -> None:
    controller.server.put(FLOWS, load(**annotations))
    await armed(controller, text)


async def test_both_sides_allow_it_and_it_fires_once(tmp_path: Path) -> None:
    # given
    controller = Controller(tmp_path)
    await listening(controller, **NAMED, **{OUTPUTS_TO: NAMESPACE})
    # when
    await happens(controller, loaded("first", outputs={"rows": 7}))
    await looked(again(controller, tmp_path))
    # then it sees what the flow lets it see
    (made,) = started(controller)
    assert made["metadata"]["namespace"] == NAMESPACE
    assert made["spec"]["inputs"] == {"rows": 7}
    assert made["spec"]["labels"] == {"of": "shop/first"}
    assert made["spec"]["trigger"]["variables"]["kubernetesNamespace"] == SHOP


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        {OUTPUTS_TO: NAMESPACE},
        {TRIGGERS_FROM: ""},
        {TRIGGERS_FROM: "team2, te, eam,TEAM"},
        {TRIGGERS_FROM: "te*"},
    ],
    ids=str,
)
async def test_without_leave_nothing_is_started_or_told(
    tmp_path: Path, annotations: dict[str, str]
) -> None:
    # given what a trigger knows where there is no such namespace at all
    controller = Controller(tmp_path)
    await armed(controller, REPORT)
    nothing = {key: status(controller, "after")[key] for key in ("state", "conditions")}
    # when the namespace, its flow and its executions are there
    await listening(controller, **annotations)
    controller.queued()
    controller.server.put(EXECUTIONS, loaded("first", outputs={"rows": 7}))
    controller.watch()
    # then news of them does not even have the trigger looked at
    assert Key("TriggerState", NAMESPACE, "report.after") not in controller.queued()
    await looked(controller)
    await looked(again(controller, tmp_path))
    assert started(controller) == []
    told = status(controller, "after")
    assert {key: told[key] for key in ("state", "conditions")} == nothing
    assert "message" not in told
    assert told["memory"].get("seen", {}) == {}


async def test_a_trigger_that_names_no_namespace_hears_its_own_alone(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    text = REPORT.replace("kubernetesNamespaces: [shop]", "allowConcurrent: true")
    await listening(controller, text, **{TRIGGERS_FROM: "*"})
    await happens(controller, loaded("first"))
    assert started(controller) == []


async def test_its_own_namespace_is_heard_where_it_is_named_too(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    text = REPORT.replace("[shop]", f"[shop, {NAMESPACE}]").replace(
        "{{ trigger.kubernetesNamespace }}", "{{ trigger.kubernetesNamespace ?? 'here' }}"
    )
    await listening(controller, text, **NAMED)
    # when two executions of one name come into the state at the same instant
    there = loaded("first")
    here = came("first", "load", "SUCCESS")
    here["status"] = there["status"]
    here["metadata"]["uid"] = "here"
    await happens(controller, there, here)
    # then they are two
    labels = sorted(body["spec"]["labels"]["of"] for body in started(controller))
    assert labels == ["here/first", "shop/first"]


async def test_outputs_are_not_seen_without_leave_for_them(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    await listening(controller, **NAMED)
    await happens(controller, loaded("first", outputs={"rows": "classified"}))
    (made,) = started(controller)
    assert made["spec"]["inputs"] == {"rows": "none"}
    assert "classified" not in str(made)


@pytest.mark.parametrize(
    "condition",
    [
        "{type: io.kestra.plugin.core.condition.ExecutionOutputs,"
        " expression: \"{{ trigger.outputs.rows != 'x' }}\"}",
        "{type: io.kestra.plugin.core.condition.Expression,"
        " expression: \"{{ outputs.say.value != 'x' }}\"}",
    ],
)
async def test_conditions_cannot_ask_for_outputs_without_leave(
    tmp_path: Path, condition: str
) -> None:
    controller = Controller(tmp_path)
    await listening(controller, REPORT.rstrip() + f"\n      - {condition}\n", **NAMED)
    run = {"id": "say", "taskId": "say", "state": "SUCCESS", "startDate": "2026-01-01T00:00:00Z"}
    runs = [{**run, "outputs": {"value": "classified"}}]
    body = loaded("first", outputs={"rows": "classified"}, taskRuns=runs)
    await happens(controller, body)
    assert started(controller) == []
    message = status(controller, "after").get("message", "")
    assert "classified" not in message
    assert not message or OUTPUTS_TO in message  # it says what to do


async def test_earlier_executions_give_no_outputs_without_leave(tmp_path: Path) -> None:
    # given a trigger that waits for two flows of the shop, of which one withholds its outputs
    text = """
id: report
namespace: company.finance
tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: hello}]
triggers:
  - id: after
    type: io.kestra.plugin.core.trigger.Flow
    kubernetesNamespaces: [shop]
    inputs: {all: "{{ trigger.outputs }}"}
    dependsOn:
      - {namespace: company.team, flowId: load, when: "{{ kubernetesNamespace == 'shop' }}"}
      - {namespace: company.team, flowId: clean}
"""
    controller = Controller(tmp_path)
    clean = load(**NAMED, **{OUTPUTS_TO: "*"})
    clean["metadata"] |= {"name": "clean", "uid": "clean"}
    clean["spec"]["id"] = "clean"
    controller.server.put(FLOWS, clean)
    await listening(controller, text, **NAMED)
    # when
    await happens(controller, loaded("load-1", outputs={"rows": "classified"}))
    await happens(controller, in_shop(came("clean-1", "clean", "SUCCESS", outputs={"rows": 2})))
    # then
    (made,) = started(controller)
    assert made["spec"]["inputs"]["all"]["clean"] == {"rows": 2}
    assert "classified" not in str(made)


async def test_leave_that_is_taken_away_ends_at_once(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    await listening(controller, **NAMED)
    await happens(controller, loaded("first"))
    controller.server.put(FLOWS, load(**{TRIGGERS_FROM: "other"}))
    await happens(controller, loaded("second"))
    assert len(started(controller)) == 1
    controller.server.remove(FLOWS, SHOP, "load")
    await happens(controller, loaded("third"))
    assert len(started(controller)) == 1


async def test_leave_that_becomes_known_after_the_execution_counts_for_it(tmp_path: Path) -> None:
    # given an execution that is seen before the annotation: two watches keep no order
    controller = Controller(tmp_path)
    await listening(controller)
    await happens(controller, loaded("first"))
    assert started(controller) == []
    controller.queued()
    # when
    controller.server.put(FLOWS, load(**NAMED))
    controller.watch()
    # then
    assert Key("TriggerState", NAMESPACE, "report.after") in controller.queued()
    await looked(controller)
    assert len(started(controller)) == 1


async def test_a_flow_of_the_same_name_elsewhere_is_another_one(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    text = REPORT.replace("namespace: company.team, flowId: load", "namespace: n, flowId: report")
    text = text.replace("namespace: company.finance", "namespace: n")
    theirs = load(**NAMED)
    theirs["spec"] |= {"id": "report", "namespace": "n"}
    controller.server.put(FLOWS, theirs)
    await armed(controller, text)
    body = in_shop(came("first", "load", "SUCCESS"))
    body["status"]["flow"] |= {"namespace": "n", "id": "report"}
    await happens(controller, body)
    assert [made["metadata"]["namespace"] for made in started(controller)] == [NAMESPACE]


async def test_namespaces_do_not_start_each_other_without_end(tmp_path: Path) -> None:
    # given a chain of executions that started each other, in turns here and there
    controller = Controller(tmp_path)
    ours = load(NAMESPACE, **{TRIGGERS_FROM: SHOP})
    controller.server.put(FLOWS, ours)
    await listening(controller, **NAMED)
    chain = []
    for number in range(20):
        there = number % 2 == 1
        body = came(f"run-{number}", "load", "SUCCESS")
        if there:
            in_shop(body)
        if number:
            before = {"kubernetesNamespace": NAMESPACE if there else SHOP}
            variables = {"executionId": f"run-{number - 1}", **before}
            reference = {"id": "t", "type": "io.kestra.plugin.core.trigger.Flow"}
            body["spec"]["trigger"] = {**reference, "variables": variables}
        chain.append(body)
    # when
    await happens(controller, *chain)
    # then all of the shop start one but the last
    assert len(started(controller)) == 9
    assert "without end" in status(controller, "after")["message"]


async def test_a_trigger_that_listens_no_more_is_not_told(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    await listening(controller, **NAMED)
    controller.server.remove(
        TRIGGER_STATES, NAMESPACE, state(controller, "after")["metadata"]["name"]
    )
    controller.watch()
    controller.queued()
    controller.server.put(EXECUTIONS, loaded("first"))
    controller.watch()
    assert Key("TriggerState", NAMESPACE, "report.after") not in controller.queued()


async def test_what_a_forged_execution_names_tells_nothing_of_another_namespace(
    tmp_path: Path,
) -> None:
    """Whoever writes an Execution says what started it; the chain before that one is known where it
    may be."""
    controller = Controller(tmp_path)
    text = REPORT.replace("kubernetesNamespaces: [shop]", "allowConcurrent: true").replace(
        "{{ trigger.kubernetesNamespace }}/", ""
    )
    await listening(controller, text)
    kind = {"id": "t", "type": "io.kestra.plugin.core.trigger.Flow"}
    for number in range(20):
        body = loaded(f"run-{number}")
        if number:
            body["spec"]["trigger"] = {**kind, "variables": {"executionId": f"run-{number - 1}"}}
        controller.server.put(EXECUTIONS, body)
    forged = came("forged", "load", "SUCCESS")
    variables = {"executionId": "run-19", "kubernetesNamespace": SHOP}
    forged["spec"]["trigger"] = {**kind, "variables": variables}
    await happens(controller, forged)
    assert len(started(controller)) == 1
