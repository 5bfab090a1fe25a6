"""Every constraint of the CRDs, each in one case that the real API server takes and one it refuses.

A schema that looks right may still allow anything, or refuse what people write: only the API server
knows. All requests but those of the fixtures are dry runs.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kubernetes import client, config

from e2e.apiserver.controlplane import ControlPlane

GROUP, VERSION = "penstock.dev", "v1alpha1"

FLOW: dict[str, Any] = {
    "id": "Hello_World",
    "namespace": "company.team",
    "tasks": [{"id": "say", "type": "io.kestra.plugin.core.log.Log", "message": "{{ inputs.x }}"}],
}
EXECUTION: dict[str, Any] = {"flow": {"namespace": "company.team", "id": "hello"}}
GIT_SOURCE: dict[str, Any] = {"url": "https://example.com/flows.git"}
KEY_VALUE: dict[str, Any] = {"namespace": "company.team", "key": "limit", "value": 1}
BACKFILL = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}
TRIGGER_STATE: dict[str, Any] = {"flow": "company.team.hello", "trigger": "nightly"}
SPECS = {
    "flows": FLOW,
    "executions": EXECUTION,
    "gitsources": GIT_SOURCE,
    "keyvalues": KEY_VALUE,
    "triggerstates": TRIGGER_STATE,
}
KINDS = {
    "flows": "Flow",
    "executions": "Execution",
    "gitsources": "GitSource",
    "keyvalues": "KeyValue",
    "triggerstates": "TriggerState",
}
WITH_STATUS = [plural for plural in SPECS if plural != "keyvalues"]

Object = dict[str, Any]


class Cluster:
    """The API server, as these tests use it: dry runs in a namespace of their own.

    It has the CRDs of `crds/`, and no controller.
    """

    def __init__(self, namespace: str, kubeconfig: Path) -> None:
        self.namespace = namespace
        self.client = config.new_client_from_config(str(kubeconfig))
        self.objects = client.CustomObjectsApi(self.client)

    def selected(self, plural: str, fields: str) -> list[str]:
        """The names of the objects that a selector of fields finds."""
        found = self.objects.list_namespaced_custom_object(
            GROUP, VERSION, self.namespace, plural, field_selector=fields
        )
        return [item["metadata"]["name"] for item in found["items"]]

    def create(self, plural: str, spec: object, *, dry_run: bool = True) -> Object:
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KINDS[plural],
            "metadata": {"generateName": "case-"},
            "spec": spec,
        }
        options = {"dry_run": "All"} if dry_run else {}
        created: Object = self.objects.create_namespaced_custom_object(
            GROUP, VERSION, self.namespace, plural, body, field_validation="Strict", **options
        )
        return created

    def replace(self, plural: str, body: Object) -> Object:
        return self._replace(self.objects.replace_namespaced_custom_object, plural, body)

    def replace_status(self, plural: str, body: Object) -> Object:
        return self._replace(self.objects.replace_namespaced_custom_object_status, plural, body)

    def write_status(self, plural: str, body: Object) -> None:
        """No dry run."""
        self._replace(
            self.objects.replace_namespaced_custom_object_status, plural, body, dry_run=False
        )

    def _replace(
        self, call: Callable[..., Object], plural: str, body: Object, dry_run: bool = True
    ) -> Object:
        """On the object as it is now, whatever was written since it was read."""
        where = (GROUP, VERSION, self.namespace, plural, body["metadata"]["name"])
        options = {"dry_run": "All"} if dry_run else {}
        meta = self.objects.get_namespaced_custom_object(*where)["metadata"]
        return call(*where, body | {"metadata": meta}, **options)


@pytest.fixture(scope="module")
def cluster(plane: ControlPlane) -> Iterator[Cluster]:
    cluster = Cluster(f"crds-{uuid4().hex[:8]}", plane.kubeconfig("of-crds"))
    core = client.CoreV1Api(cluster.client)
    core.create_namespace({"metadata": {"name": cluster.namespace}})
    yield cluster
    core.delete_namespace(cluster.namespace)


def refusal(error: pytest.ExceptionInfo[client.ApiException]) -> str:
    assert error.value.status in (400, 422), error.value
    message: str = json.loads(error.value.body)["message"]
    return message


def changed(spec: Mapping[str, Any], path: str, value: Any) -> Object:
    """The spec with one property set; `...` takes it away."""
    result = copy.deepcopy(dict(spec))
    place = result
    *parents, last = path.split(".")
    for name in parents:
        place = place.setdefault(name, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return result


TASK = FLOW["tasks"][0]
CONTROL: dict[str, Any] = {"id": "go", "resume": {"task": "wait", "inputs": {"n": 1}}}
HIDDEN: dict[str, Any] = {"id": "old", "resume": {"inputs": {"n": 1}}, "hidden": True}
REFERENCE = {"secretKeyRef": {"name": "a", "key": "b"}}

ACCEPTED: list[tuple[str, str, Any]] = [
    ("flows", "id", "a.b-c_D9"),
    ("flows", "id", "x" * 100),
    ("flows", "namespace", "n" * 150),
    ("flows", "namespace", "a_b.c-d"),
    ("flows", "description", None),
    ("flows", "description", "Zeilen\nmit Umläuten"),
    ("flows", "labels", {"team": "data", "tier": 1}),
    ("flows", "labels", [{"key": "team", "value": "data"}]),
    ("flows", "inputs", [{"id": "x", "type": "STRING", "defaults": 5}]),
    ("flows", "inputs", None),
    ("flows", "variables", {"a": {"b": [1, "two", None]}}),
    ("flows", "tasks", [TASK | {"tasks": [TASK | {"cases": {"true": [TASK]}}]}]),
    ("flows", "errors", [TASK]),
    ("flows", "finally", [TASK]),
    ("flows", "triggers", [{"id": "t", "type": "io.kestra.plugin.core.trigger.Schedule"}]),
    ("flows", "pluginDefaults", [{"type": "io.kestra", "values": {"level": "INFO"}}]),
    ("flows", "outputs", [{"id": "o", "type": "STRING", "value": "{{ 1 }}"}]),
    ("flows", "concurrency", {"limit": 1}),
    ("flows", "retry", {"type": "constant", "interval": "PT1S"}),
    ("flows", "timeout", "{{ inputs.timeout }}"),
    ("flows", "disabled", True),
    ("flows", "revision", 7),
    ("flows", "tsaks", ["unknown properties are the controller's to report"]),
    ("executions", "flow", {"name": "company.team.hello"}),
    ("executions", "flow.revision", 1),
    ("executions", "inputs", {"any": [1, {"thing": None}]}),
    ("executions", "labels", {"team": "data"}),
    ("executions", "trigger", {"id": "t", "type": "x", "variables": {"date": "today"}}),
    ("executions", "scheduleDate", "2030-01-01T00:00:00Z"),
    ("executions", "breakpoints", ["a", "b"]),
    ("executions", "priority", -1000),
    ("executions", "priority", 1000),
    ("executions", "replay", {"execution": "first", "task": "a"}),
    ("executions", "kill", True),
    ("executions", "controls", [CONTROL, {"id": "again", "restart": {"revision": 2}}]),
    ("executions", "controls", [{"id": f"c{number}", "pause": True} for number in range(100)]),
    ("executions", "controls", [{"id": "r", "resume": {"inputs": {"a": [1, {"b": None}]}}}]),
    ("executions", "controls", [{"id": "r", "replay": {"task": "a", "inputs": {"n": 1}}}]),
    ("executions", "controls", [{"id": "m", "markAs": {"task": "a", "state": "SUCCESS"}}]),
    ("executions", "controls", [{"id": "s", "changeStatus": {"state": "WARNING"}}]),
    ("executions", "controls", [{"id": "l", "labels": {"a": "b"}}]),
    ("executions", "controls", [{"id": "f", "forceRun": True}, {"id": "u", "unqueue": True}]),
    ("gitsources", "url", "http://git.example.com:8080/a/b"),
    ("gitsources", "ref", {"branch": "main"}),
    ("gitsources", "ref", {"tag": "v1.0"}),
    ("gitsources", "ref", {"commit": "a" * 40}),
    ("gitsources", "ref", {"commit": "b" * 64}),
    ("gitsources", "ref", {}),
    ("gitsources", "path", "flows/..hidden/team"),
    ("gitsources", "interval", "1h30m"),
    ("gitsources", "interval", "10s"),
    ("gitsources", "timeout", "500ms"),
    ("gitsources", "timeout", "9m60s"),
    ("gitsources", "suspend", True),
    ("gitsources", "prune", False),
    ("triggerstates", "flow", "f" * 253),
    ("triggerstates", "trigger", "A_b-9"),
    ("triggerstates", "disabled", True),
    ("triggerstates", "disabled", False),
    ("triggerstates", "backfill", {"start": "2026-01-01T00:00:00+01:00"}),
    ("triggerstates", "backfill", BACKFILL | {"paused": True, "labels": {"why": "{{ vars.x }}"}}),
    ("triggerstates", "backfill", BACKFILL | {"inputs": {"a": [1, {"b": "c"}]}}),
    ("triggerstates", "backfill", BACKFILL | {"end": BACKFILL["start"]}),
    ("keyvalues", "namespace", "a_b.c-d"),
    ("keyvalues", "namespace", "n" * 150),
    ("keyvalues", "key", "A.b-c_9"),
    ("keyvalues", "key", "k" * 200),
    ("keyvalues", "value", None),
    ("keyvalues", "value", "2030-01-01T00:00:00Z"),
    ("keyvalues", "value", [1.5, {"a": None, "b": [True]}]),
    ("keyvalues", "value", 2**63 - 1),
    ("keyvalues", "value", {}),
    ("keyvalues", "description", "d" * 1000),
    ("keyvalues", "expirationDate", "2030-01-01T00:00:00.123456+00:00"),
]

REFUSED: list[tuple[str, str, Any, str]] = [
    ("flows", "id", ..., "spec.id"),
    ("flows", "id", "-a", "spec.id"),
    ("flows", "id", "a b", "spec.id"),
    ("flows", "id", "x" * 101, "spec.id"),
    ("flows", "id", 5, "spec.id"),
    ("flows", "namespace", ..., "spec.namespace"),
    ("flows", "namespace", "Company", "spec.namespace"),
    ("flows", "namespace", "n" * 151, "spec.namespace"),
    ("flows", "tasks", ..., "spec.tasks"),
    ("flows", "tasks", [], "spec.tasks"),
    ("flows", "tasks", {"id": "a"}, "spec.tasks"),
    ("flows", "tasks", [{"id": "a"}], "spec.tasks[0].type"),
    ("flows", "tasks", [{"type": "a"}], "spec.tasks[0].id"),
    ("flows", "tasks", [TASK | {"id": 5}], "spec.tasks[0].id"),
    ("flows", "errors", [{"id": "a"}], "spec.errors[0].type"),
    ("flows", "finally", "x", "spec.finally"),
    ("flows", "inputs", {"x": "STRING"}, "spec.inputs"),
    ("flows", "inputs", ["x"], "spec.inputs[0]"),
    ("flows", "triggers", {"id": "x"}, "spec.triggers"),
    ("flows", "variables", ["x"], "spec.variables"),
    ("flows", "description", {"a": "b"}, "spec.description"),
    ("executions", "flow", ..., "spec.flow"),
    ("executions", "flow", {}, "name the flow by its `namespace` and `id`"),
    ("executions", "flow", {"id": "hello"}, "name the flow by its `namespace` and `id`"),
    ("executions", "flow", {"namespace": "a"}, "name the flow by its `namespace` and `id`"),
    ("executions", "flow.name", "company.team.hello", "not by both"),
    ("executions", "flow.revision", 0, "spec.flow.revision"),
    ("executions", "flow.id", "x" * 101, "spec.flow.id"),
    ("executions", "flow.namespace", "x" * 151, "spec.flow.namespace"),
    ("executions", "flow", {"name": "x" * 254}, "spec.flow.name"),
    ("executions", "inputs", ["x"], "spec.inputs"),
    ("executions", "labels", {"a": 1}, "spec.labels.a"),
    ("executions", "trigger", {"id": "t"}, "spec.trigger.type"),
    ("executions", "unknown", 1, 'unknown field "spec.unknown"'),
    ("executions", "scheduleDate", "tomorrow", "spec.scheduleDate"),
    ("executions", "breakpoints", "a", "spec.breakpoints"),
    ("executions", "priority", 1001, "spec.priority"),
    ("executions", "priority", "high", "spec.priority"),
    ("executions", "replay", {"task": "a"}, "spec.replay.execution"),
    ("executions", "retry", {"original": "a", "attempt": 1}, "spec.retry.attempt"),
    ("executions", "parent", {"execution": "a"}, "spec.parent.taskRun"),
    ("executions", "controls", {"pause": True}, "spec.controls"),
    ("executions", "controls", [{"pause": True}], "spec.controls[0].id"),
    ("executions", "controls", [{"id": "", "pause": True}], "spec.controls[0].id"),
    ("executions", "controls", [{"id": "x" * 101, "pause": True}], "spec.controls[0].id"),
    ("executions", "controls", [{"id": "a"}], "exactly one of pause, resume"),
    ("executions", "controls", [CONTROL | {"pause": True}], "exactly one of pause, resume"),
    ("executions", "controls", [{"id": "a", "pause": False}], "spec.controls[0].pause"),
    ("executions", "controls", [{"id": "a", "stop": True}], "spec.controls[0].stop"),
    ("executions", "controls", [CONTROL, CONTROL], "Duplicate value"),
    ("executions", "controls", [{"id": "m", "markAs": {"state": "NO"}}], "markAs.state"),
    (
        "executions",
        "controls",
        [{"id": f"c{number}", "pause": True} for number in range(101)],
        "spec.controls",
    ),
    ("gitsources", "url", ..., "spec.url"),
    ("gitsources", "url", "ssh://git@example.com/a", "spec.url"),
    ("gitsources", "url", "https://user:secret@example.com/a", "spec.url"),
    ("gitsources", "url", "https://example.com/" + "a" * 2048, "spec.url"),
    ("gitsources", "ref", {"branch": "main", "tag": "v1"}, "at most one"),
    ("gitsources", "ref", {"branch": "main", "commit": "a" * 40}, "at most one"),
    ("gitsources", "ref", {"commit": "a" * 39}, "spec.ref.commit"),
    ("gitsources", "ref", {"branch": ""}, "spec.ref.branch"),
    ("gitsources", "ref", {"tag": "x" * 251}, "spec.ref.tag"),
    ("gitsources", "path", "/flows", "no leading `/`"),
    ("gitsources", "path", "flows/../../etc", "must not contain `..`"),
    ("gitsources", "path", "a" * 1025, "spec.path"),
    ("gitsources", "interval", "1 minute", "spec.interval"),
    ("gitsources", "interval", "0ms", "every 10s at most"),
    ("gitsources", "interval", "9.9s", "every 10s at most"),
    ("gitsources", "timeout", "60", "spec.timeout"),
    ("gitsources", "timeout", "10m1s", "10m at most"),
    ("gitsources", "timeout", "9999999h", "spec.timeout"),
    ("gitsources", "suspend", "maybe", "spec.suspend"),
    ("gitsources", "prune", 1, "spec.prune"),
    ("triggerstates", "flow", ..., "spec.flow"),
    ("triggerstates", "flow", "", "spec.flow"),
    ("triggerstates", "flow", "f" * 254, "spec.flow"),
    ("triggerstates", "trigger", ..., "spec.trigger"),
    ("triggerstates", "trigger", "t" * 257, "spec.trigger"),
    ("triggerstates", "disabled", "no", "spec.disabled"),
    ("triggerstates", "backfill", {"end": BACKFILL["end"]}, "spec.backfill.start"),
    ("triggerstates", "backfill", {"start": "yesterday"}, "spec.backfill.start"),
    ("triggerstates", "backfill", {"start": "1969-12-31T23:59:59Z"}, "before 1970"),
    ("triggerstates", "backfill", BACKFILL | {"end": "2025-12-31T23:59:59Z"}, "before `start`"),
    ("triggerstates", "backfill", BACKFILL | {"labels": {"system.x": "y"}}, "`system.`"),
    ("triggerstates", "backfill", BACKFILL | {"labels": {"a": 1}}, "spec.backfill.labels.a"),
    ("triggerstates", "backfill", BACKFILL | {"until": "now"}, "unknown field"),
    ("keyvalues", "namespace", ..., "spec.namespace"),
    ("keyvalues", "namespace", "Company", "spec.namespace"),
    ("keyvalues", "namespace", "company..team", "spec.namespace"),
    ("keyvalues", "namespace", "n" * 151, "spec.namespace"),
    ("keyvalues", "key", ..., "spec.key"),
    ("keyvalues", "key", "", "spec.key"),
    ("keyvalues", "key", ".a", "spec.key"),
    ("keyvalues", "key", "a/b", "spec.key"),
    ("keyvalues", "key", "a\n", "spec.key"),
    ("keyvalues", "key", "k" * 201, "spec.key"),
    ("keyvalues", "value", ..., "spec.value"),
    ("keyvalues", "description", "d" * 1001, "spec.description"),
    ("keyvalues", "expirationDate", "tomorrow", "spec.expirationDate"),
    ("keyvalues", "ttl", "PT1H", 'unknown field "spec.ttl"'),
]


@pytest.mark.parametrize(("plural", "path", "value"), ACCEPTED)
def test_accepts(cluster: Cluster, plural: str, path: str, value: Any) -> None:
    spec = changed(SPECS[plural], path, value)

    created = cluster.create(plural, spec)

    assert changed(created["spec"], path, value) == created["spec"]
    if plural == "flows":
        assert created["spec"] == spec, "a flow stays as it was written"


@pytest.mark.parametrize(("plural", "path", "value", "message"), REFUSED)
def test_refuses(cluster: Cluster, plural: str, path: str, value: Any, message: str) -> None:
    with pytest.raises(client.ApiException) as error:
        cluster.create(plural, changed(SPECS[plural], path, value))

    assert message in refusal(error)


CHANGES: list[tuple[str, str, Any, str | None]] = [
    ("flows", "id", "other", "Illegal flow id update"),
    ("flows", "namespace", "other", "Illegal namespace update"),
    ("flows", "description", "new", None),
    ("flows", "tasks", [TASK, TASK | {"id": "again"}], None),
    ("executions", "flow.id", "other", "`flow` can't be changed"),
    ("executions", "flow.revision", 2, "`flow` can't be changed"),
    ("executions", "inputs.a", 2, "`inputs` can't be changed"),
    ("executions", "inputs.b", 2, "`inputs` can't be changed"),
    ("executions", "inputs", ..., "`inputs` can't be changed"),
    ("executions", "trigger", {"id": "t", "type": "x"}, "`trigger` can't be changed"),
    ("executions", "labels", {"added": "later"}, None),
    ("executions", "scheduleDate", "2031-01-01T00:00:00Z", "`scheduleDate` can't be changed"),
    ("executions", "scheduleDate", ..., "`scheduleDate` can't be changed"),
    ("executions", "breakpoints", ["b"], "`breakpoints` can't be changed"),
    ("executions", "replay", {"execution": "x"}, "`replay` can't be changed"),
    (
        "executions",
        "retry",
        {"original": "x", "attempt": 2, "firstDate": "2030-01-01T00:00:00Z"},
        "`retry` can't be changed",
    ),
    (
        "executions",
        "parent",
        {"execution": "x", "taskRun": "y", "attempt": 1},
        "`parent` can't be changed",
    ),
    ("executions", "kill", True, None),
    ("executions", "controls", [CONTROL, {"id": "more", "pause": True}], None),
    ("executions", "controls", [{"id": "more", "pause": True}, CONTROL], None),
    ("executions", "controls", [], None),
    ("executions", "controls", [{"id": "go", "pause": True}], "a control can't be changed"),
    (
        "executions",
        "controls",
        [{"id": "go", "resume": {"task": "wait", "inputs": {"n": 2}}}],
        "a control can't be changed",
    ),
    (
        "executions",
        "controls",
        [{"id": "go", "resume": {"task": "wait", "inputs": {"n": REFERENCE}}, "hidden": True}],
        None,
    ),
    (
        "executions",
        "controls",
        [{"id": "go", "resume": {"task": "other", "inputs": {"n": REFERENCE}}, "hidden": True}],
        "a control can't be changed",
    ),
    (
        "executions",
        "controls",
        [{"id": "go", "replay": {"inputs": {"n": REFERENCE}}, "hidden": True}],
        "a control can't be changed",
    ),
    (
        "executions",
        "controls",
        [{"id": "go", "pause": True, "hidden": True}],
        "a control can't be changed",
    ),
    (
        "executions",
        "controls",
        [HIDDEN | {"resume": {"inputs": {"n": 2}}}],
        "a control can't be changed",
    ),
    ("gitsources", "url", "https://example.com/other.git", None),
    ("triggerstates", "flow", "other", "`flow` can't be changed"),
    ("triggerstates", "trigger", "other", "`trigger` can't be changed"),
    ("triggerstates", "disabled", True, None),
    ("keyvalues", "namespace", "other", "`namespace` can't be changed"),
    ("keyvalues", "key", "other", "`key` can't be changed"),
    ("keyvalues", "value", {"another": ["type"]}, None),
    ("keyvalues", "value", None, None),
    ("keyvalues", "description", "new", None),
    ("keyvalues", "expirationDate", "2031-01-01T00:00:00Z", None),
]


@pytest.fixture(scope="module")
def existing(cluster: Cluster) -> dict[str, Object]:
    """One object of each kind; nothing is fetched from the address of the GitSource."""
    specs = SPECS | {
        "executions": EXECUTION
        | {
            "inputs": {"a": 1},
            "scheduleDate": "2030-01-01T00:00:00Z",
            "breakpoints": ["a"],
            "controls": [CONTROL, HIDDEN],
        },
        "gitsources": GIT_SOURCE | {"suspend": True},
    }
    return {name: cluster.create(name, spec, dry_run=False) for name, spec in specs.items()}


@pytest.mark.parametrize(("plural", "path", "value", "message"), CHANGES)
def test_changes(
    cluster: Cluster,
    existing: dict[str, Object],
    plural: str,
    path: str,
    value: Any,
    message: str | None,
) -> None:
    body = copy.deepcopy(existing[plural])
    body["spec"] = changed(body["spec"], path, value)
    if message is None:
        assert cluster.replace(plural, body)["spec"] == body["spec"]
        return

    with pytest.raises(client.ApiException) as error:
        cluster.replace(plural, body)

    assert message in refusal(error)


def test_inputs_become_only_what_the_status_says(cluster: Cluster) -> None:
    # given an execution that has ended, so that nobody but the controller's hiding touches it
    inputs = {"a": 1, "password": "text", "none": None}
    body = cluster.create("executions", EXECUTION | {"inputs": inputs}, dry_run=False)
    body["status"] = {"state": "FAILED", "givenInputs": inputs | {"password": REFERENCE}}
    cluster.write_status("executions", body)
    for others in ({"a": 2}, {"password": "other"}, {"password": REFERENCE, "a": 2}):
        body["spec"] = EXECUTION | {"inputs": inputs | others}
        # when
        with pytest.raises(client.ApiException) as error:
            cluster.replace("executions", body)
        # then
        assert "`inputs` can't be changed" in refusal(error)
    # but
    body["spec"] = EXECUTION | {"inputs": inputs | {"password": REFERENCE}}
    assert cluster.replace("executions", body)["spec"] == body["spec"]


@pytest.mark.parametrize("plural", WITH_STATUS)
def test_a_new_object_is_not_observed_yet(cluster: Cluster, plural: str) -> None:
    """kstatus takes an object without conditions for finished; -1 is never a generation."""
    assert cluster.create(plural, SPECS[plural])["status"] == {"observedGeneration": -1}


def test_a_git_source_says_its_defaults(cluster: Cluster) -> None:
    defaults = {"path": ".", "interval": "1m", "timeout": "60s", "suspend": False, "prune": True}

    assert cluster.create("gitsources", GIT_SOURCE)["spec"] == GIT_SOURCE | defaults


STATUSES: list[tuple[str, Object, str | None]] = [
    ("executions", {"state": "RUNNING"}, None),
    ("executions", {"state": "DREAMING"}, "status.state"),
    ("executions", {"taskRuns": [{"id": "a"}]}, "status.taskRuns[0].taskId"),
    ("executions", {"startDate": "yesterday"}, "status.startDate"),
    ("executions", {"state": "BREAKPOINT", "atBreakpoints": ["a"]}, None),
    ("executions", {"controls": [{"id": "a"}]}, "status.controls[0].date"),
    ("flows", {"disabledTriggers": ["a"]}, None),
    ("flows", {"revision": 3, "nextDate": "2030-01-01T00:00:00Z"}, None),
    ("flows", {"revision": "three"}, "status.revision"),
    ("triggerstates", {"state": "Armed", "lastDate": "2030-01-01T00:00:00Z", "failures": 1}, None),
    ("triggerstates", {"memory": {"met": [{"a": 1}, [None, "b"]]}}, None),
    ("triggerstates", {"state": "Asleep"}, "status.state"),
    ("triggerstates", {"nextDate": "soon"}, "status.nextDate"),
    ("gitsources", {"appliedCommit": "a" * 40, "flows": 2, "failed": 1}, None),
    ("gitsources", {"problems": [{"path": "a.yaml"}]}, "status.problems[0].message"),
    ("gitsources", {"problems": [{"path": "a", "message": "b"}] * 101}, "status.problems"),
]
CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "Done",
    "message": "",
    "lastTransitionTime": "2030-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    ("plural", "status", "message"),
    [
        *STATUSES,
        *((name, {"conditions": [CONDITION]}, None) for name in WITH_STATUS),
        *(
            (name, {"conditions": [CONDITION, CONDITION]}, "Duplicate value")
            for name in WITH_STATUS
        ),
        *((name, {"conditions": [CONDITION | {"status": "No"}]}, "status") for name in WITH_STATUS),
    ],
)
def test_statuses(
    cluster: Cluster,
    existing: dict[str, Object],
    plural: str,
    status: Object,
    message: str | None,
) -> None:
    body = copy.deepcopy(existing[plural])
    body["status"] = status
    if message is None:
        written = cluster.replace_status(plural, body)["status"]
        assert written == {"observedGeneration": -1} | status
        return

    with pytest.raises(client.ApiException) as error:
        cluster.replace_status(plural, body)

    assert message in refusal(error)


def test_executions_are_selected_by_their_fields(
    cluster: Cluster, existing: dict[str, Object]
) -> None:
    name = existing["executions"]["metadata"]["name"]

    assert name in cluster.selected(
        "executions", "spec.flow.id=hello,spec.flow.namespace=company.team"
    )
    assert name not in cluster.selected("executions", "spec.flow.id=other")
    assert name not in cluster.selected("executions", "status.state=SKIPPED")


def test_a_key_value_is_data_without_a_status(cluster: Cluster) -> None:
    """As of a ConfigMap: kstatus takes it for current as soon as it is there."""
    assert "status" not in cluster.create("keyvalues", KEY_VALUE)


def test_key_values_are_selected_by_their_fields(
    cluster: Cluster, existing: dict[str, Object]
) -> None:
    name = existing["keyvalues"]["metadata"]["name"]

    assert cluster.selected("keyvalues", "spec.namespace=company.team,spec.key=limit") == [name]
    assert cluster.selected("keyvalues", "spec.key=other") == []
