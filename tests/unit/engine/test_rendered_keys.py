"""Expressions in the keys of maps: rendered wherever their values are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from penstock.engine.interface.secrets import SecretReference
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.registry.definitions import container
from tests.fixtures.engine import Given

Flow = Callable[[str], Given]

CORE = "io.kestra.plugin.core"
SHELL = "io.kestra.plugin.scripts.shell.Commands"
KEY = "k{{ inputs.n }}"


def of(task: Mapping[str, Any]) -> str:
    """A flow with one task."""
    inputs = "inputs: [{id: n, type: STRING, defaults: x}]"
    return f"{inputs}\ntasks: {json.dumps([{'id': 'a', **task}])}\n"


@pytest.mark.parametrize(
    ("type", "name", "needed"),
    [
        ("output.OutputValues", "values", {}),
        ("http.Request", "headers", {"uri": "http://x"}),
        ("http.Request", "params", {"uri": "http://x"}),
        ("http.Request", "formData", {"uri": "http://x"}),
        ("http.Download", "headers", {"uri": "http://x"}),
        ("state.Set", "data", {}),
        ("kv.Set", "value", {"key": "k"}),
        ("namespace.UploadFiles", "filesMap", {"namespace": "a.b"}),
        ("storage.LocalFiles", "inputs", {}),
    ],
)
def test_keys_in_the_properties_of_core_tasks(
    given: Flow, type: str, name: str, needed: dict[str, str]
) -> None:
    outcome = given(of({"type": f"{CORE}.{type}", **needed, name: {KEY: "v"}})).run()
    assert outcome.start("a").properties[name] == {"kx": "v"}


def test_keys_in_the_properties_of_scripts(given: Flow) -> None:
    task = {"type": SHELL, "commands": ["x"], "env": {"E_{{ inputs.n }}": "1"}}
    outcome = given(of({**task, "inputFiles": {"dir/{{ inputs.n }}.txt": "{{ flow.id }}"}})).run()
    what = container(SHELL, outcome.start("a").properties)
    assert what.env == {"E_x": "1"}
    assert what.files == {"dir/x.txt": "flow"}


@pytest.mark.parametrize(
    ("n", "properties", "told"),
    [
        (
            "../../x",
            {"inputFiles": {"{{ inputs.n }}": ""}},
            "does not name a file below the working directory",
        ),
        (
            "/x",
            {"inputFiles": {"{{ inputs.n }}": ""}},
            "does not name a file below the working directory",
        ),
        ("", {"inputFiles": {"{{ inputs.n }}": ""}}, "`` is not a file name"),
        ("A=B", {"env": {"{{ inputs.n }}": "1"}}, "`A=B` is not the name of a variable"),
        ("A\n", {"env": {"{{ inputs.n }}": "1"}}, "is not the name of a variable"),
        ("", {"env": {"{{ inputs.n }}": "1"}}, "`` is not the name of a variable"),
    ],
)
def test_a_rendered_key_is_checked_as_a_written_one(
    given: Flow, n: str, properties: dict[str, Any], told: str
) -> None:
    flow = given(of({"type": SHELL, "commands": ["x"], **properties})).inputs(n=n)
    rendered = flow.run().start("a").properties
    with pytest.raises(TaskFailure, match=told):
        container(SHELL, rendered)


def test_keys_in_the_files_of_a_working_directory(given: Flow) -> None:
    child = {"id": "b", "type": f"{CORE}.log.Log", "message": "hi"}
    task = {"type": f"{CORE}.flow.WorkingDirectory", "inputFiles": {KEY: "v"}, "tasks": [child]}
    workspace = given(of(task)).run().start("b").workspace
    assert workspace is not None
    assert workspace.properties["inputFiles"] == {"kx": "v"}


def test_keys_in_what_a_subflow_is_given(given: Flow) -> None:
    called = {"type": "Subflow", "namespace": "other.team", "flowId": "child"}
    outcome = given(of({**called, "inputs": {KEY: "1"}, "labels": {KEY: "2"}})).run()
    spec = outcome.children[0].spec
    assert (spec.inputs, spec.labels["kx"]) == ({"kx": "1"}, "2")


def test_keys_in_what_a_default_of_the_flow_sets(given: Flow) -> None:
    defaults = [{"type": SHELL, "values": {"env": {"E_{{ inputs.n }}": "1"}}}]
    flow = of({"type": SHELL, "commands": ["x"]}) + f"pluginDefaults: {json.dumps(defaults)}\n"
    assert given(flow).run().start("a").properties["env"] == {"E_x": "1"}


def test_keys_of_labels(given: Flow) -> None:
    flow = of({"type": "Labels", "labels": {KEY: "v"}})
    given(flow).run().then.ended("SUCCESS").has_labels(kx="v")


@pytest.mark.parametrize("n", ["system.x", ""])
def test_a_rendered_label_is_checked_as_a_written_one(given: Flow, n: str) -> None:
    flow = given(of({"type": "Labels", "labels": {"{{ inputs.n }}": "v"}})).inputs(n=n)
    flow.run().then.ended("FAILED")


@pytest.mark.parametrize("beside", ["plain", "{{ secret('TOKEN') }}"])
def test_of_two_keys_that_become_the_same_the_first_counts(given: Flow, beside: str) -> None:
    """With a secret in the map as well, which is rendered in another way."""
    values = {KEY: "first", "kx": "second", "other": beside}
    outcome = given(of({"type": f"{CORE}.output.OutputValues", "values": values})).run()
    assert outcome.start("a").properties["values"]["kx"] == "first"
    called = {"type": "Subflow", "namespace": "other.team", "flowId": "child", "inputs": values}
    child = given(of(called)).run().children[0]
    assert child.spec.inputs["kx"] == "first"
    if beside != "plain":
        token = child.spec.inputs["other"]
        assert child.secrets.plain[token] == SecretReference("TOKEN")
