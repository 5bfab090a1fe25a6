"""Executions that Executions make: whose they are, and which one is not taken for one of ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from penstock.engine.interface.actions import StartExecution
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.status.child_executions import build_execution, is_left_over, is_meant
from penstock.resources.execution import (
    ExecutionSpec,
    FlowReference,
    ParentReference,
    RetryReference,
)
from penstock.resources.labels import PARENT_UID

FLOW = FlowReference(namespace="team", id="child")
PARENT = ParentReference(execution="parent", task_run="r", attempt=1)
RETRY = RetryReference(original="child", attempt=2, first_date=datetime(2030, 1, 1, tzinfo=UTC))


def execution(name: str, uid: str, **meta: Any) -> Object:
    return {"metadata": {"name": name, "namespace": "ns", "uid": uid, **meta}}


def child(uid: str = "u1", parent: ParentReference = PARENT) -> Object:
    spec = ExecutionSpec(flow=FLOW, inputs={"n": None}, parent=parent)
    return build_execution(execution("parent", uid), StartExecution("child", spec))


def test_a_child_belongs_to_its_parent_and_says_so() -> None:
    meta = child()["metadata"]
    (owner,) = meta["ownerReferences"]
    assert (owner["name"], owner["uid"]) == ("parent", "u1")
    assert (owner["controller"], owner["blockOwnerDeletion"]) == (False, False)
    assert meta["labels"][PARENT_UID] == "u1"


def test_its_spec_says_what_was_asked_for_and_nothing_else() -> None:
    assert child()["spec"] == {
        "flow": {"namespace": "team", "id": "child"},
        "inputs": {"n": None},
        "parent": {"execution": "parent", "taskRun": "r", "attempt": 1, "depth": 1},
    }


def test_the_retry_of_a_child_belongs_to_the_same_parent() -> None:
    made = child()["metadata"]
    maker = execution("child", "u2", labels=made["labels"], ownerReferences=made["ownerReferences"])
    spec = ExecutionSpec(flow=FLOW, parent=PARENT, retry=RETRY)
    meta = build_execution(maker, StartExecution("child-2", spec))["metadata"]
    assert meta["ownerReferences"] == made["ownerReferences"]
    assert meta["labels"][PARENT_UID] == "u1"


def test_the_retry_of_an_execution_of_its_own_has_no_owner() -> None:
    spec = ExecutionSpec(flow=FLOW, retry=RETRY)
    meta = build_execution(execution("first", "u"), StartExecution("retry", spec))["metadata"]
    assert meta["ownerReferences"] == []


def test_one_that_is_there_is_ours_if_it_was_made_for_the_same() -> None:
    other_run = PARENT.model_copy(update={"task_run": "other"})
    own = child() | {"spec": child()["spec"] | {"kill": True}}
    assert is_meant(own, child())
    assert is_meant(own, child(parent=PARENT.model_copy(update={"attempt": 2})))
    assert not is_meant(child(parent=other_run), child())
    assert not is_meant(child(uid="namesake"), child())
    assert not is_meant({"metadata": {}, "spec": {"flow": {"name": "x"}}}, child())
    assert not is_meant({"metadata": {}, "spec": {"flow": 5}}, child())


def test_the_child_of_a_deleted_namesake_is_only_left_over() -> None:
    assert is_left_over(child(uid="namesake"), child())
    assert is_left_over(execution("child", "u9", deletionTimestamp="now"), child())
    assert not is_left_over(execution("child", "u9"), child())
