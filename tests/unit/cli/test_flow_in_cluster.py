"""`penstock flow` for flows in the cluster: what is made, what is printed, what is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.kubernetes.api.client import EXECUTIONS, FLOWS
from tests.fixtures.apiserver import Refused
from tests.unit.cli.conftest import Call, PlayedCluster, Write

HELLO = """\
id: hello_world
namespace: dev
inputs:
  - {id: name, type: STRING, defaults: World}
  - {id: count, type: INT, required: false}
tasks:
  - {id: greet, type: io.kestra.plugin.core.log.Log, message: "Hello, {{ inputs.name }}!"}
"""
ASKING = """\
id: asking
namespace: dev
inputs:
  - {id: day, type: DATE}
  - {id: size, type: SELECT, values: [small, large], defaults: small}
  - {id: box, type: STRING, dependsOn: {inputs: [size], condition: "{{ inputs.size == 'large' }}"}}
  - {id: limit, type: INT, defaults: "{{ kv('limit') }}"}
  - {id: rows, type: FILE, required: false}
tasks:
  - {id: greet, type: io.kestra.plugin.core.log.Log, message: hi}
"""


# execute


def test_an_execution_of_a_flow_is_created(call: Call, played: PlayedCluster) -> None:
    played.flow(HELLO)

    called = call(
        "flow", "execute", "dev", "hello_world", "-i", "name=Ada", "--label", "ticket=A-1"
    )

    (body,) = played.executions()
    name = body["metadata"]["name"]
    assert (called.code, called.out) == (0, f"execution.penstock.dev/{name} created\n")
    assert name.startswith("hello-world-")
    assert body["spec"] == {
        "flow": {"namespace": "dev", "id": "hello_world"},
        "inputs": {"name": "Ada"},
        "labels": {"ticket": "A-1"},
    }
    assert body["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "penstock"


def test_its_name_alone_is_for_scripts(call: Call, played: PlayedCluster) -> None:
    played.flow(HELLO)

    called = call("flow", "execute", "dev", "hello_world", "-o", "name", "--revision", "1")

    (body,) = played.executions()
    assert called.out == f"execution.penstock.dev/{body['metadata']['name']}\n"
    assert body["spec"]["flow"]["revision"] == 1


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([], "Invalid input for `day`, missing required input"),
        (["day=soon"], "expected `DATE` in ISO-8601 form, but received `soon`"),
        (["day=2026-01-01", "size=huge"], "must match the values `[small, large]`"),
        (["day=2026-01-01", "limit=many"], "Invalid input for `limit`, expected `INT`"),
    ],
)
def test_inputs_that_do_not_fit_create_nothing(
    call: Call, played: PlayedCluster, inputs: list[str], words: str
) -> None:
    played.flow(ASKING)

    given = [part for text in inputs for part in ("--input", text)]
    called = call("flow", "execute", "dev", "asking", *given)

    assert called.code == 2
    assert words in called.err
    assert played.executions() == []


def test_what_depends_on_another_input_is_asked_for(call: Call, played: PlayedCluster) -> None:
    played.flow(ASKING.replace("{{ kv('limit') }}", "{{ 1 + 1 }}"))
    given = ("flow", "execute", "dev", "asking", "-i", "day=2026-01-01")

    assert call(*given).code == 0
    refused = call(*given, "-i", "size=large")

    assert (refused.code, "`box`, missing required input" in refused.err) == (2, True)
    assert len(played.executions()) == 1


def test_a_default_that_only_the_controller_can_tell_is_left_to_it(
    call: Call, played: PlayedCluster
) -> None:
    played.flow(ASKING)

    assert call("flow", "execute", "dev", "asking", "-i", "day=2026-01-01").code == 0


def test_a_flow_of_types_that_are_not_installed_here_is_started(
    call: Call, played: PlayedCluster
) -> None:
    played.flow(HELLO.replace("io.kestra.plugin.core.log.Log", "com.company.lake.Query"))

    assert call("flow", "execute", "dev", "hello_world").code == 0
    refused = call("flow", "execute", "dev", "hello_world", "-i", "count=x")

    assert (refused.code, "expected `INT`" in refused.err) == (2, True)


def test_a_file_is_given_as_its_content(call: Call, played: PlayedCluster, write: Write) -> None:
    played.flow(ASKING)
    file = write("a,b\n1,2\n", "rows.csv")

    call("flow", "execute", "dev", "asking", "-i", "day=2026-01-01", "-i", f"rows={file}")

    (body,) = played.executions()
    kind, _, content = body["spec"]["inputs"]["rows"].partition(";base64,")
    assert (kind, base64.b64decode(content)) == ("data:text/csv", b"a,b\n1,2\n")


def test_a_file_that_is_too_large_or_not_there_is_told(
    call: Call, played: PlayedCluster, write: Write
) -> None:
    played.flow(ASKING)
    large = write("x" * (1024 * 1024 + 1), "large.csv")

    for file, words in ((large, "larger than 1 MiB"), ("nowhere.csv", "No such file")):
        called = call(
            "flow", "execute", "dev", "asking", "-i", "day=2026-01-01", "-i", f"rows={file}"
        )
        assert (called.code, words in called.err) == (2, True), called.err
    assert played.executions() == []


def test_an_input_that_the_flow_does_not_have_is_told(call: Call, played: PlayedCluster) -> None:
    played.flow(HELLO)

    called = call("flow", "execute", "dev", "hello_world", "-i", "nane=Ada")

    assert called.code == 0
    assert "warning: the flow has no input `nane`; did you mean `name`?" in called.err


def test_a_flow_that_is_not_there_is_told_with_the_nearest_name(
    call: Call, played: PlayedCluster
) -> None:
    played.flow(HELLO)

    called = call("flow", "execute", "dev", "hello_word")

    assert called.code == 1
    assert "there is no flow `dev.hello_word` in the Kubernetes namespace `data`" in called.err
    assert "did you mean `dev.hello_world`?" in called.err


def test_a_disabled_flow_is_not_started(call: Call, played: PlayedCluster) -> None:
    played.flow(f"disabled: true\n{HELLO}")

    called = call("flow", "execute", "dev", "hello_world")

    assert (called.code, played.executions()) == (1, [])
    assert "the flow dev.hello_world is disabled" in called.err


# list, get, export


def test_flows_are_listed_by_their_namespace(call: Call, played: PlayedCluster) -> None:
    played.flow(HELLO, revision=3)
    played.flow(HELLO.replace("namespace: dev", "namespace: prod"))

    header, *rows = call("flow", "list").out.splitlines()
    (row,) = call("flow", "list", "dev").out.splitlines()[1:]

    assert header.split()[:5] == ["NAMESPACE", "FLOW", "REVISION", "READY", "REASON"]
    assert [line.split()[0] for line in rows] == ["dev", "prod"]
    assert row.split()[:5] == ["dev", "hello_world", "3", "True", "Accepted"]


def test_the_forms_of_a_list_are_those_of_kubectl(call: Call, played: PlayedCluster) -> None:
    name = played.flow(HELLO, managedFields=[{"manager": "x"}])["metadata"]["name"]

    assert call("flow", "list", "-o", "name").out == f"flow.penstock.dev/{name}\n"
    listed = json.loads(call("flow", "list", "-o", "json").out)
    assert yaml.safe_load(call("flow", "list", "-o", "yaml").out) == listed
    assert (listed["kind"], listed["items"][0]["kind"]) == ("List", "Flow")
    assert "managedFields" not in listed["items"][0]["metadata"]
    assert name in call("flow", "list", "-o", "wide").out


def test_a_flow_is_shown_with_its_inputs_and_warnings(call: Call, played: PlayedCluster) -> None:
    body = played.flow(HELLO)
    body["status"]["warnings"] = ["tasks[0].message: be careful"]
    body["status"]["triggers"] = [
        {"id": "hook", "type": "io.kestra.plugin.core.trigger.Webhook", "message": "not served"}
    ]
    played.server.put(FLOWS, body)

    shown = call("flow", "get", "dev", "hello_world").out

    for words in ("INPUTS", "World", "TRIGGERS", "Webhook", "WARNINGS", "be careful"):
        assert words in shown
    assert json.loads(call("flow", "get", "dev", "hello_world", "-o", "json").out)["spec"]
    assert call("flow", "get", "dev", "nothing").code == 1


def test_what_is_exported_can_be_created_again(
    call: Call, played: PlayedCluster, write: Write
) -> None:
    script = "first line\nsecond line\n"
    spec = yaml.safe_load(HELLO)
    spec["tasks"][0]["message"] = script
    spec["variables"] = {"on": "yes", "same": ["a"], "again": ["a"]}
    played.flow(yaml.safe_dump(spec))

    exported = call("flow", "export", "dev", "hello_world").out

    assert exported.startswith("id: hello_world\nnamespace: dev\n")
    assert "message: |" in exported
    assert yaml.safe_load(exported) == spec
    assert call("flow", "validate", write(exported)).code == 0


def test_all_flows_of_a_namespace_are_written_into_files(
    call: Call, played: PlayedCluster, write: Write, tmp_path: Path
) -> None:
    write("")  # the working directory
    played.flow(HELLO)
    played.flow(HELLO.replace("hello_world", "bye"))

    paths = call("flow", "export", "dev", "--to", "flows").out.splitlines()

    assert len(paths) == 2
    assert {yaml.safe_load((tmp_path / path).read_text())["id"] for path in paths} == {
        "bye",
        "hello_world",
    }
    assert call("flow", "export", "other").code == 1


# create, update, delete


@pytest.fixture
def accepting(played: PlayedCluster, monkeypatch: pytest.MonkeyPatch) -> PlayedCluster:
    """A controller that accepts each Flow at once."""
    keep = played.server._keep

    def accept(plural: str, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        kept = keep(plural, namespace, body)
        if plural == "flows":
            generation = kept["metadata"]["generation"]
            condition = {"type": "Ready", "status": "True", "reason": "Accepted"}
            since = {"lastTransitionTime": "2026-01-01T00:00:00Z"}
            kept["status"] = {
                "observedGeneration": generation,
                "revision": generation,
                "conditions": [condition | since],
            }
            played.server.objects[plural, namespace, kept["metadata"]["name"]] = kept
        return kept

    monkeypatch.setattr(played.server, "_keep", accept)
    return played


def test_a_flow_is_created_from_its_file(
    call: Call, accepting: PlayedCluster, write: Write
) -> None:
    called = call("flow", "create", "dev", write(HELLO))

    (body,) = accepting.server.all(FLOWS)
    name = f"flow.penstock.dev/{body['metadata']['name']}"
    assert called.out == f"{name} created\n{name} accepted as revision 1\n"
    assert body["spec"] == yaml.safe_load(HELLO)


def test_a_manifest_names_its_flow(call: Call, accepting: PlayedCluster, write: Write) -> None:
    manifest = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Flow",
        "metadata": {"name": "mine"},
        "spec": yaml.safe_load(HELLO),
    }

    assert call("flow", "create", "dev", write(yaml.safe_dump(manifest))).code == 0

    assert [body["metadata"]["name"] for body in accepting.server.all(FLOWS)] == ["mine"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HELLO.replace("message", "mesage"), "flow.yaml:7: tasks[0].mesage: unknown property"),
        (
            HELLO.replace("namespace: dev", "namespace: prod"),
            "flow.yaml:2: namespace: the flow `hello_world` is of the namespace `prod`, not `dev`",
        ),
    ],
)
def test_a_file_that_is_wrong_changes_nothing(
    call: Call, accepting: PlayedCluster, write: Write, text: str, words: str
) -> None:
    for command in ("create", "update"):
        called = call("flow", command, "dev", write(text))
        assert (called.code, words in called.err) == (2, True), called.err
    assert accepting.server.all(FLOWS) == []


def test_a_flow_that_is_there_is_updated_and_not_created(
    call: Call, accepting: PlayedCluster, write: Write
) -> None:
    call("flow", "create", "dev", write(HELLO))
    changed = write(HELLO.replace("Hello", "Good day"))

    again = call("flow", "create", "dev", changed)
    updated = call("flow", "update", "dev", changed)
    unchanged = call("flow", "update", "dev", changed)

    assert (again.code, "`penstock flow update` changes it" in again.err) == (1, True)
    (body,) = accepting.server.all(FLOWS)
    name = f"flow.penstock.dev/{body['metadata']['name']}"
    assert updated.out.splitlines() == [f"{name} configured", f"{name} accepted as revision 2"]
    assert unchanged.out.splitlines()[0] == f"{name} unchanged"
    assert "Good day" in body["spec"]["tasks"][0]["message"]
    assert call("flow", "update", "dev", write(HELLO.replace("hello_world", "new"))).code == 1


def test_a_flow_that_is_refused_by_the_controller_is_told(
    call: Call, played: PlayedCluster, write: Write
) -> None:
    body = played.flow(HELLO)
    body["status"]["conditions"][0] |= {
        "status": "False",
        "reason": "Duplicate",
        "message": "there is another",
    }
    played.server.put(FLOWS, body)

    called = call("flow", "update", "dev", write(HELLO))

    assert called.code == 1
    assert "is not accepted: Duplicate: there is another" in called.err


def test_without_a_controller_nobody_waits_for_ever(
    call: Call, played: PlayedCluster, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.cli.flows.write._PATIENCE", 0.05)

    called = call("flow", "create", "dev", write(HELLO))

    assert called.code == 0
    assert "the controller has not looked at flow.penstock.dev/" in called.err


def test_a_flow_is_deleted_unless_it_follows_git(call: Call, played: PlayedCluster) -> None:
    played.flow(HELLO)
    git: dict[str, Any] = {
        "labels": {"penstock.dev/source": "flows"},
        "annotations": {"penstock.dev/path": "dev/bye.yaml"},
    }
    played.flow(HELLO.replace("hello_world", "bye"), **git)

    deleted = call("flow", "delete", "dev", "hello_world")
    kept = call("flow", "delete", "dev", "bye")

    assert deleted.out.endswith("deleted; its Executions stay\n")
    assert kept.code == 1
    assert "the GitSource `flows` keeps the Flow" in kept.err
    assert "from its file dev/bye.yaml" in kept.err
    assert [body["spec"]["id"] for body in played.server.all(FLOWS)] == ["bye"]


# what the cluster refuses


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "the cluster role `view` (to look) or `edit` (to change)"),
        (401, "log in anew"),
        (404, "is Penstock installed there?"),
    ],
)
def test_what_the_cluster_refuses_is_told_with_what_helps(
    call: Call, played: PlayedCluster, status: int, words: str
) -> None:
    told = 'flows.penstock.dev is forbidden: User "ada" cannot list resource "flows"'
    reason = {403: "Forbidden", 401: "Unauthorized", 404: "404"}[status]
    played.server.refuse("GET", FLOWS, Refused(status, reason, told))

    called = call("flow", "list")

    assert called.code == 1
    assert words in called.err
    assert 'cannot list resource "flows"' in called.err


def test_who_may_not_create_executions_is_told(call: Call, played: PlayedCluster) -> None:
    played.flow(HELLO)
    told = 'executions.penstock.dev is forbidden: User "ada" cannot create resource "executions"'
    played.server.refuse("POST", EXECUTIONS, Refused(403, "Forbidden", told))

    called = call("flow", "execute", "dev", "hello_world")

    assert (called.code, "cannot create resource" in called.err) == (1, True)
