"""The files of a commit become the Flows that are wanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.controller.gitsources.commit_files import SourceFile
from penstock.controller.gitsources.commit_flows import CommitFlows
from penstock.controller.gitsources.sourcefiles import WantedFlow, read_file
from penstock.controller.runtime.settings import load_settings
from penstock.resources.gitsource import FileProblem
from tests.fixtures.flows import parser

GOOD = "id: {id}\nnamespace: ns\ntasks: [{{id: t, type: io.kestra.plugin.core.debug.Return}}]\n"


@dataclass
class Verdicts:
    flows: list[WantedFlow]
    problems: list[FileProblem]
    unreadable: set[str]


def verdicts(**files: str) -> Verdicts:
    with CommitFlows() as flows:
        for name, text in files.items():
            flows.take(read_file(SourceFile(f"{name}.yaml", name, text.encode()), parser()))
        return Verdicts(list(flows), flows.problems.listed(), flows.unreadable)


def test_each_file_becomes_a_flow() -> None:
    found = verdicts(a=GOOD.format(id="one"), b=GOOD.format(id="Two"))
    assert [flow.path for flow in found.flows] == ["a.yaml", "b.yaml"]
    assert found.flows[0].name == "ns.one"
    assert found.flows[0].to_object("k8s", "src", "c0ffee")["spec"]["id"] == "one"
    assert found.problems == []


def test_one_broken_file_does_not_stop_the_others() -> None:
    found = verdicts(a="a: {{ x }}", b=GOOD.format(id="one"), c="- not a flow", d="id: 3")
    assert [flow.name for flow in found.flows] == ["ns.one"]
    assert found.unreadable == {"a.yaml", "c.yaml", "d.yaml"}
    assert [(item.path, item.line) for item in found.problems] == [
        ("a.yaml", 1), ("c.yaml", 1), ("d.yaml", 1)
    ]  # fmt: skip


def test_an_invalid_flow_is_applied_with_its_problems() -> None:
    found = verdicts(a="id: x\nnamespace: ns\ntasks:\n  - {id: t, type: Nope}\n")
    (flow,) = found.flows
    assert [(item.line, str(item)) for item in flow.problems] == [
        (4, "tasks[0].type: no task type `Nope`")
    ]
    annotations = flow.to_object("k8s", "src", "c0ffee")["metadata"]["annotations"]
    assert "a.yaml:4: tasks[0].type" in annotations["penstock.dev/source-problems"]


def test_of_two_flows_with_one_name_the_first_stays() -> None:
    found = verdicts(a=GOOD.format(id="one"), b=GOOD.format(id="one"))
    assert [flow.path for flow in found.flows] == ["a.yaml"]
    assert [item.message for item in found.problems] == ["the flow stands in a.yaml already"]


def test_manifests_and_several_documents() -> None:
    spec = "\n".join("  " + line for line in GOOD.format(id="one").splitlines())
    manifest = "apiVersion: penstock.dev/v1alpha1\nkind: Flow\nmetadata: {name: mine}\nspec:\n"
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
    found = verdicts(a=f"{manifest}{spec}\n---\n{config}---\n{GOOD.format(id='two')}")
    assert [flow.name for flow in found.flows] == ["mine", "ns.two"]
    assert found.problems == []


@pytest.mark.parametrize(
    "name", ["../../atk/flows/evil", "good/status", "..", "Upper", "a_b", "x" * 254]
)
def test_a_name_that_no_object_can_have_is_refused_with_its_line(name: str) -> None:
    manifest = f"apiVersion: penstock.dev/v1alpha1\nkind: Flow\nmetadata:\n  name: '{name}'\n"
    spec = "spec: {id: one, namespace: ns, tasks: []}\n"
    found = verdicts(a=f"{manifest}{spec}", b=GOOD.format(id="two"))
    (problem,) = found.problems
    assert (problem.path, problem.line) == ("a.yaml", 4)
    assert problem.message.startswith(f"metadata.name: `{name[:100]}` can't be the name of a Flow")
    assert [flow.name for flow in found.flows] == ["ns.two"]
    assert found.unreadable == {"a.yaml"}


def test_metadata_that_is_no_map_is_as_if_it_were_not_there() -> None:
    text = "apiVersion: penstock.dev/v1alpha1\nkind: Flow\nmetadata: x\n"
    found = verdicts(a=f"{text}spec: {{id: one, namespace: ns}}\n")
    assert [flow.name for flow in found.flows] == ["ns.one"]


def test_settings_have_defaults_and_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    assert load_settings(None) == load_settings(file)
    file.write_text("workers: 4\nexecutions: {maxLoopValues: 7}\n")
    assert load_settings(file).workers == 4
    assert load_settings(file).limits.loop_values == 7
    file.write_text("")
    assert load_settings(file).workers == 16
    file.write_text("worker: 4\n")
    with pytest.raises(ValueError, match="did you mean `workers`"):
        load_settings(file)
