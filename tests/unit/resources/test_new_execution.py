"""Every Execution that Penstock makes has the same labels, owners and annotations."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.resources.execution import (
    ExecutionSpec,
    FlowReference,
    ParentReference,
    TriggerReference,
)
from penstock.resources.labels import FLOW, PARENT_UID, TRIGGER
from penstock.resources.names import execution_prefix
from penstock.resources.new_execution import new_execution

BY_NAME = FlowReference(name="company.team.report")
BY_ID = FlowReference(namespace="company.team", id="report")
HOURLY = TriggerReference(id="hourly", type="io.kestra.plugin.core.trigger.Schedule")
OF_PARENT = ParentReference(execution="parent", task_run="r", attempt=1)


def made(
    flow: FlowReference = BY_NAME,
    trigger: TriggerReference | None = None,
    parent: ParentReference | None = None,
    maker: dict[str, Any] | None = None,
) -> dict[str, Any]:
    spec = ExecutionSpec(flow=flow, trigger=trigger, parent=parent)
    return new_execution("data", "report-1", spec, maker)


def execution(name: str, **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "data", "uid": f"uid-{name}", **meta}}


def test_whoever_makes_it_the_object_says_that_penstock_did() -> None:
    body = made()

    assert (body["apiVersion"], body["kind"]) == ("penstock.dev/v1alpha1", "Execution")
    meta = body["metadata"]
    assert (meta["name"], meta["namespace"]) == ("report-1", "data")
    assert meta["labels"]["app.kubernetes.io/managed-by"] == "penstock"
    assert meta["annotations"] == {"argocd.argoproj.io/ignore-resource-updates": "true"}
    assert meta["ownerReferences"] == []


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        ({"flow": BY_ID}, set()),
        ({"flow": BY_NAME}, {FLOW}),
        ({"flow": BY_NAME, "trigger": HOURLY}, {FLOW, TRIGGER}),
        ({"parent": OF_PARENT, "maker": execution("parent")}, {FLOW, PARENT_UID}),
        ({"parent": OF_PARENT, "maker": execution("sibling")}, {FLOW}),
        ({"maker": execution("parent")}, {FLOW}),
    ],
)
def test_labels_say_flow_trigger_and_parent_where_they_are_known(
    given: dict[str, Any], labels: set[str]
) -> None:
    found = set(made(**given)["metadata"]["labels"])

    assert found == {"app.kubernetes.io/managed-by", *labels}


def test_two_triggers_are_told_apart_and_one_is_found_again() -> None:
    daily = HOURLY.model_copy(update={"id": "daily " * 30})

    labels = [made(trigger=trigger)["metadata"]["labels"] for trigger in (HOURLY, HOURLY, daily)]

    assert labels[0][TRIGGER] == labels[1][TRIGGER] != labels[2][TRIGGER]
    assert all(len(found[TRIGGER]) == 16 for found in labels)


def test_labels_of_other_tools_are_not_copied_from_whoever_makes_it() -> None:
    maker = execution(
        "first",
        labels={PARENT_UID: "uid-parent", "argocd.argoproj.io/instance": "shop"},
        ownerReferences=[{"kind": "Execution", "name": "parent", "uid": "uid-parent"}],
    )

    meta = made(parent=OF_PARENT, maker=maker)["metadata"]

    assert meta["labels"][PARENT_UID] == "uid-parent"
    assert "argocd.argoproj.io/instance" not in meta["labels"]
    assert [owner["uid"] for owner in meta["ownerReferences"]] == ["uid-parent"]


@pytest.mark.parametrize(
    ("flow_id", "prefix"),
    [("Daily_Report", "daily-report"), ("___", "flow"), ("a" * 60, "a" * 50)],
)
def test_names_of_executions_begin_as_their_flow_is_called(flow_id: str, prefix: str) -> None:
    assert execution_prefix(flow_id) == prefix


def test_a_priority_that_is_asked_for_is_kept_though_it_is_zero() -> None:
    spec = ExecutionSpec(flow=FlowReference(name="flow"), priority=0)
    assert new_execution("ns", "run", spec)["spec"]["priority"] == 0
    assert "priority" not in new_execution("ns", "run", ExecutionSpec(flow=spec.flow))["spec"]
