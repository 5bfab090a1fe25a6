"""Taking texts out of the spec of an Execution that are in its Secrets."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from penstock.engine.interface.actions import StartExecution
from penstock.engine.interface.identity import control_secret, inputs_secret
from penstock.engine.interface.secrets import SecretReference, Secrets
from penstock.kubernetes.secrets.locations import SecretKey, SecretPlaces
from penstock.kubernetes.secrets.redaction import LAST_APPLIED, hiding
from penstock.kubernetes.status.child_executions import build_execution
from penstock.resources.execution import ExecutionSpec, FlowReference
from penstock.tasks.contract.task import TaskFailure

TEXT = "hunter2-plain"
INPUTS = inputs_secret("run", "u-1")
CONTROL = control_secret("run", "u-1", "go")
GIVEN = {"password": {"secretKeyRef": {"name": INPUTS, "key": "password"}}, "n": 1, "x": None}
RESUME = {"task": "wait", "inputs": {"key": TEXT, "note": "n"}, "by": "ada"}


def execution(
    spec: dict[str, Any], status: dict[str, Any], applied: str | None = None
) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": "run", "uid": "u-1", "resourceVersion": "7"}
    if applied is not None:
        meta["annotations"] = {LAST_APPLIED: applied, "other": "stays"}
    return {"metadata": meta, "spec": {"flow": {"id": "f"}, **spec}, "status": status}


def patched(body: dict[str, Any]) -> dict[str, Any]:
    """The object after the patch, as a JSON merge patch does it."""

    def merge(target: Any, patch: Any) -> Any:
        if not isinstance(patch, dict):
            return patch
        result = dict(target) if isinstance(target, dict) else {}
        for key, value in patch.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = merge(result.get(key), value)
        return result

    result: dict[str, Any] = merge(copy.deepcopy(body), hiding(body))
    assert hiding(result) is None, "done once, there is nothing more to do"
    return result


def test_inputs_become_what_the_status_says() -> None:
    spec = {"inputs": {"password": TEXT, "n": 1, "x": None}}
    body = execution(spec, {"givenInputs": GIVEN})
    assert hiding(body) == {
        "metadata": {"resourceVersion": "7"},
        "spec": {"inputs": {"password": GIVEN["password"]}},
    }
    assert patched(body)["spec"]["inputs"] == GIVEN


@pytest.mark.parametrize(
    "status",
    [{}, {"state": "RUNNING", "controls": [{"id": "go", "done": True}]}, {"givenInputs": GIVEN}],
)
def test_where_nothing_is_kept_nothing_changes(status: dict[str, Any]) -> None:
    spec = {"inputs": GIVEN, "controls": [{"id": "go", "resume": RESUME}]}
    assert hiding(execution(spec, status)) is None


@pytest.mark.parametrize("wish", ["resume", "replay"])
def test_controls_lose_the_texts_that_they_gave(wish: str) -> None:
    others = [{"id": "before", "pause": True}, {"id": "new", "resume": RESUME}]
    controls = [others[0], {"id": "go", wish: RESUME}, others[1]]
    results = [{"id": "before"}, {"id": "go", "secretInputs": ["key", "left_out"]}]
    body = execution({"controls": controls}, {"controls": results})
    reference = {"secretKeyRef": {"name": CONTROL, "key": "key"}}
    assert patched(body)["spec"]["controls"] == [
        others[0],
        {"id": "go", wish: {**RESUME, "inputs": {"key": reference, "note": "n"}}, "hidden": True},
        others[1],
    ]


def test_what_kubectl_applied_is_written_anew() -> None:
    spec = {"inputs": {"password": TEXT, "n": 1}, "controls": [{"id": "go", "resume": RESUME}]}
    applied = {"apiVersion": "penstock.dev/v1alpha1", "spec": {"flow": {"id": "f"}, **spec}}
    status = {"givenInputs": GIVEN, "controls": [{"id": "go", "secretInputs": ["key"]}]}
    result = patched(execution(spec, status, json.dumps(applied)))
    annotations = result["metadata"]["annotations"]
    assert TEXT not in json.dumps(result)
    assert annotations["other"] == "stays"
    assert json.loads(annotations[LAST_APPLIED]) == {
        "apiVersion": "penstock.dev/v1alpha1",
        "spec": {
            "flow": {"id": "f"},
            "inputs": {"password": GIVEN["password"], "n": 1},
            "controls": [{"id": "go", "resume": result["spec"]["controls"][0]["resume"]}],
        },
    }


@pytest.mark.parametrize("applied", [f"not json {TEXT}", "[]", "{}", '{"spec": 1}', "null"])
def test_what_can_not_be_read_of_it_is_taken_away(applied: str) -> None:
    body = execution({"inputs": {"password": TEXT}}, {"givenInputs": GIVEN}, applied)
    assert patched(body)["metadata"]["annotations"] == {"other": "stays"}


def test_the_child_is_given_the_place_of_the_secret_in_the_flow_of_its_parent() -> None:
    plain = {
        "(t:1)": SecretReference("DB"),
        "(t:2)": SecretReference("OTHER"),
        "(t:3)": SecretReference("key", kept="mine"),
    }
    secrets = Secrets("(t:", "a.b", plain, needed=tuple(plain.values()))
    inputs = {"a": "(t:1)", "b": "(t:2)", "c": "(t:3)", "d": "text", "e": [1]}
    spec = ExecutionSpec(flow=FlowReference(), inputs=inputs)
    places = SecretPlaces(mapped={"DB": SecretKey("postgres", "password")})
    maker = {"metadata": {"name": "run", "uid": "u-1", "namespace": "n"}}
    built = build_execution(maker, StartExecution("child", spec, secrets), places)
    assert built["spec"]["inputs"] == {
        "a": {"secretKeyRef": {"name": "postgres", "key": "password"}},
        "b": {"secretKeyRef": {"name": "penstock-secrets", "key": "OTHER"}},
        "c": {"secretKeyRef": {"name": "mine", "key": "key"}},
        "d": "text",
        "e": [1],
    }


def test_a_secret_that_has_no_place_is_told() -> None:
    reference = SecretReference("DB", namespace="other")
    secrets = Secrets("(t:", "a.b", {"(t:1)": reference}, needed=(reference,))
    spec = ExecutionSpec(flow=FlowReference(), inputs={"a": "(t:1)"})
    maker = {"metadata": {"name": "run", "uid": "u-1", "namespace": "n"}}
    with pytest.raises(TaskFailure, match="say where this one is"):
        build_execution(maker, StartExecution("child", spec, secrets), SecretPlaces())
