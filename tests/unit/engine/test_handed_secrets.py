"""Secrets that go from one execution to another, and those that people give: by name, never as
they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from penstock.engine.decision.engine import Engine
from penstock.engine.interface.actions import KeepSecrets, ResumeExecution, StartAttempt, Step
from penstock.engine.interface.identity import control_secret, inputs_secret
from penstock.engine.interface.secrets import SecretReference
from penstock.resources.execution import ExecutionSpec, FlowReference
from tests.fixtures import flows
from tests.fixtures.engine import IDENTITY, Given, Outcome
from tests.fixtures.world import START

Flow = Callable[[str], Given]

TEXT = "hunter2-plain"
OWN = {"secretKeyRef": {"name": "mine", "key": "pass"}}


def call(value: Any, of: str = "inputs: [{id: password, type: SECRET, required: false}]") -> str:
    inputs = json.dumps({"key": value, "other": "x{{ 1 + 1 }}"})
    return f"""
{of}
tasks:
  - {{id: s, type: Subflow, namespace: other.team, flowId: child, inputs: {inputs}}}
"""


def handed(outcome: Outcome) -> Any:
    """The secret that the child is given for `key`."""
    (start,) = outcome.children
    return start.secrets.plain.get(start.spec.inputs["key"])


@pytest.mark.parametrize(
    ("template", "reference"),
    [
        ("{{ secret('TOKEN') }}", SecretReference("TOKEN")),
        ("{{ secret('T', namespace='a.b') }}", SecretReference("T", namespace="a.b")),
        ("{{ inputs.password }}", SecretReference("pass", kept="mine")),
        ("{{ render('{{ secret(\"TOKEN\") }}') }}", SecretReference("TOKEN")),
    ],
)
def test_a_secret_by_itself_is_handed_on_by_its_name(
    given: Flow, template: str, reference: SecretReference
) -> None:
    outcome = given(call(template)).inputs(password=OWN).run()
    outcome.then.ended("SUCCESS")
    assert handed(outcome) == reference
    assert outcome.children[0].spec.inputs["other"] == "x2"


def test_what_the_parent_was_given_as_text_is_handed_on_by_its_secret(given: Flow) -> None:
    outcome = given(call("{{ inputs.password }}")).inputs(password=TEXT).run()
    name = inputs_secret(IDENTITY.name, IDENTITY.uid)
    assert handed(outcome) == SecretReference("password", kept=name)
    assert TEXT not in repr(outcome.children) + outcome.status.model_dump_json()


@pytest.mark.parametrize(
    "value",
    [
        "Bearer {{ secret('TOKEN') }}",
        "{{ secret('TOKEN') | upper }}",
        "{{ secret('JSON', subkey='a') }}",
        "{{ inputs.password }}!",
        "{{ inputs.password | upper }}",
        ["{{ secret('TOKEN') }}"],
        {"nested": "{{ inputs.password }}"},
    ],
)
def test_anything_else_than_a_secret_by_itself_is_refused(given: Flow, value: Any) -> None:
    outcome = given(call(value)).inputs(password=OWN).run()
    outcome.then.ended("FAILED").says("the input `key` can be given a secret only as it is")
    outcome.then.says("with the type SECRET; or call `secret()` there").made()


@pytest.mark.parametrize("property", ["namespace", "flowId", "labels: {a: 'b', x"])
def test_nothing_but_inputs_is_given_a_secret(given: Flow, property: str) -> None:
    end = "}" if property.startswith("labels") else ""
    names = {"namespace": "a", "flowId": "b"}
    rest = "".join(f", {name}: {value}" for name, value in names.items() if name != property)
    text = "\"{{ secret('TOKEN') }}\""
    outcome = given(f"tasks: [{{id: s, type: Subflow{rest}, {property}: {text}{end}}}]").run()
    outcome.then.ended("FAILED").says("a secret can't be read here").made()


CHILD = """
inputs: [{id: key, type: TYPE, required: false}]
tasks: [{id: c, type: Work, text: "{{ inputs.key }}"}]
"""


def begun(type: str, value: Any) -> Any:
    engine = Engine(flows.flow("id: child\n" + CHILD.replace("TYPE", type)))
    return engine.begin(IDENTITY, ExecutionSpec(flow=FlowReference(), inputs={"key": value}), START)


def test_the_child_takes_what_names_a_secret(given: Flow) -> None:
    step = begun("SECRET", OWN)
    assert step.status.inputs == {"key": OWN}
    assert step.status.given_inputs is None
    (start,) = step.actions
    assert isinstance(start, StartAttempt)
    assert list(start.secrets.plain.values()) == [SecretReference("pass", kept="mine")]


@pytest.mark.parametrize("type", ["STRING", "JSON", "INT"])
def test_an_input_of_another_type_takes_no_secret(type: str) -> None:
    step = begun(type, OWN)
    assert step.refusal == "InvalidInputs"
    message = step.status.message or ""
    assert f"`key`, it is given a secret, but is of type {type}" in message
    assert "declare it with the type SECRET, or call `secret()`" in message


def test_a_map_of_another_shape_is_a_value() -> None:
    assert begun("JSON", {**OWN, "more": 1}).status.inputs == {"key": {**OWN, "more": 1}}
    assert begun("JSON", {"secret": "A"}).status.inputs == {"key": {"secret": "A"}}


@pytest.mark.parametrize("value", [TEXT, 12345])
def test_what_was_given_as_text_is_to_be_hidden_in_the_spec(value: Any) -> None:
    step = begun("SECRET", value)
    name = inputs_secret(IDENTITY.name, IDENTITY.uid)
    assert step.status.given_inputs == {"key": {"secretKeyRef": {"name": name, "key": "key"}}}
    assert step.actions[0] == KeepSecrets(name, {"key": str(value)})


@pytest.mark.parametrize("value", [OWN, "{{ secret('TOKEN') }}", None])
def test_what_names_a_secret_stays_as_it_is_in_the_spec(value: Any) -> None:
    assert begun("SECRET", value).status.given_inputs is None


@pytest.mark.parametrize("more", ["", "disabled: true"])
def test_a_refused_execution_does_not_show_the_text_either(more: str) -> None:
    flow = f"""
id: refusing
{more}
inputs:
  - {{id: key, type: SECRET, validator: "[0-9]+"}}
  - {{id: left_out, type: SECRET, dependsOn: {{inputs: [key], condition: "{{{{ false }}}}"}}}}
tasks: [{{id: c, type: Work}}]
"""
    inputs = {"key": TEXT, "left_out": TEXT, "count": 3}
    spec = ExecutionSpec(flow=FlowReference(), inputs=inputs)
    step = Engine(flows.flow(flow)).begin(IDENTITY, spec, START)
    assert step.refusal in ("InvalidInputs", "FlowDisabled")
    (keep,) = step.actions
    assert isinstance(keep, KeepSecrets)
    assert keep.values == {"key": TEXT, "left_out": TEXT}
    given = step.status.given_inputs or {}
    assert given["count"] == 3
    assert TEXT not in step.status.model_dump_json()


ASKS = """
tasks:
  - {id: p, type: TYPE, ASKED: [{id: key, type: SECRET, validator: "[a-z0-9-]+"},
                                {id: note, type: STRING, required: false},
                                {id: data, type: JSON, required: false}]}
  - {id: after, type: Work, text: "TEXT"}
"""
SEES = "{{ outputs.p.onResume.key }}"


def asking(type: str = "Pause", asked: str = "onResume", text: str = SEES) -> str:
    return ASKS.replace("TYPE", type).replace("ASKED", asked).replace("TEXT", text)


@pytest.mark.parametrize(("type", "asked"), [("Pause", "onResume"), ("Approval", "inputs")])
@pytest.mark.parametrize("form", ["SEES", "<SEES>", "SEES | upper"])
def test_what_a_person_gives_is_a_secret_of_the_execution(
    given: Flow, type: str, asked: str, form: str
) -> None:
    see = f"outputs.p.{asked}.key"
    text = f"<{{{{ {see} }}}}>" if form[0] == "<" else f"{{{{ {form.replace('SEES', see)} }}}}"
    flow = given(asking(type, asked, text)).at(9)
    outcome = flow.control("go", resume={"inputs": {"key": TEXT, "note": "n"}}).run()
    outcome.then.ended("SUCCESS")
    name = control_secret(IDENTITY.name, IDENTITY.uid, "go")
    outputs = outcome.task_run("p").outputs or {}
    reference = {"secretKeyRef": {"name": name, "key": "key"}}
    assert outputs[asked] == {"key": reference, "note": "n", "data": None}
    (result,) = outcome.status.controls
    assert result.secret_inputs == ["key"]
    secrets = outcome.start("after").secrets
    assert secrets.needed == (SecretReference("key", kept=name),)
    assert TEXT not in outcome.status.model_dump_json() + repr(outcome.world.started)


def kept_by(given: Given, inputs: dict[str, Any]) -> Any:
    """The inputs that the step keeps in which the control is done."""
    world = given.at(9).control("go", resume={"inputs": inputs}).begin()
    kept: list[KeepSecrets] = []
    take = world._take

    def taking(step: Step) -> None:
        kept.extend(item for item in step.actions if isinstance(item, KeepSecrets))
        take(step)

    world._take = taking  # type: ignore[method-assign]
    world.until_still()
    return world, kept


def test_what_is_kept_is_what_the_person_gave(given: Flow) -> None:
    name = control_secret(IDENTITY.name, IDENTITY.uid, "go")
    _, kept = kept_by(given(asking()), {"key": TEXT})
    assert kept == [KeepSecrets(name, {"key": TEXT})]


@pytest.mark.parametrize("inputs", [{"key": "NOT THAT"}, {"key": TEXT, "data": "{"}])
def test_of_a_resume_that_is_refused_the_text_is_kept_as_well(
    given: Flow, inputs: dict[str, str]
) -> None:
    world, kept = kept_by(given(asking()), inputs)
    (result,) = world.status.controls
    assert not result.done
    assert result.secret_inputs == ["key"]
    assert [item.values for item in kept] == [{"key": inputs["key"]}]
    assert inputs["key"] not in world.status.model_dump_json() + repr(world.told)


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        (OWN, SecretReference("pass", kept="mine")),
        ("{{ secret('TOKEN') }}", SecretReference("TOKEN")),
    ],
)
def test_a_person_may_name_a_secret(given: Flow, value: Any, reference: SecretReference) -> None:
    outcome = given(asking()).at(9).resume(inputs={"key": value}).run()
    outcome.then.ended("SUCCESS")
    assert outcome.start("after").secrets.needed == (reference,)
    assert outcome.status.controls[0].secret_inputs is None


def test_only_what_is_declared_so_is_a_secret(given: Flow) -> None:
    inputs = {"key": TEXT, "data": {"secret": "TOKEN"}}
    flow = asking(text="{{ outputs.p.onResume.data.secret }}")
    outcome = given(flow).at(9).resume(inputs=inputs).run()
    outcome.then.started_with("after", text="TOKEN")
    assert not outcome.start("after").secrets


@pytest.mark.parametrize(
    "decides",
    ["{id: d, type: If, condition: \"{{ outputs.p.onResume.key == 'x' }}\", then: []}",
     '{id: d, type: Subflow, namespace: a, flowId: b, labels: {l: "{{ outputs.p.onResume.key }}"}}',
     '{id: d, type: Work, runIf: "{{ outputs.p.onResume | length > 3 }}"}'],
)  # fmt: skip
def test_nothing_is_decided_by_what_a_person_gave(given: Flow, decides: str) -> None:
    decides = decides.replace("then: []", "then: [{id: t, type: Work}]")
    outcome = given(asking() + f"  - {decides}\n").at(9).resume(inputs={"key": TEXT}).run()
    outcome.then.ended("FAILED").says("a secret can't be read here")


def test_inside_loops_and_by_the_parent_it_is_a_secret_too(given: Flow) -> None:
    flow = """
tasks:
  - id: each
    type: ForEach
    values: [a, b]
    tasks:
      - {id: p, type: Pause, onResume: [{id: key, type: SECRET}],
         tasks: [{id: inner, type: Work, text: "{{ parent.outputs.onResume.key }}"}]}
  - {id: after, type: Work, text: "{{ outputs.p.b.onResume.key }}"}
"""
    first = given(flow).at(9).control("1", resume={"value": "a", "inputs": {"key": "one-key"}})
    outcome = first.at(19).control("2", resume={"inputs": {"key": "two-key"}}).run()
    outcome.then.ended("SUCCESS")
    names = [control_secret(IDENTITY.name, IDENTITY.uid, id) for id in ("1", "2")]
    kept = [start.secrets.needed[0].kept for _, start in outcome.world.started]
    assert kept == [*names, names[1]]


def test_an_answer_is_handed_on_to_a_subflow(given: Flow) -> None:
    subflow = "  - {id: s, type: Subflow, namespace: a, flowId: child, inputs: {key: 'SEES'}}\n"
    flow = asking(text="x") + subflow.replace("SEES", SEES)
    outcome = given(flow).at(9).control("go", resume={"inputs": {"key": TEXT}}).run()
    name = control_secret(IDENTITY.name, IDENTITY.uid, "go")
    assert handed(outcome) == SecretReference("key", kept=name)


def test_a_resume_of_another_execution_hands_a_secret_on(given: Flow) -> None:
    flow = """
tasks:
  - {id: r, type: Resume, executionId: other, inputs: {key: "{{ secret('TOKEN') }}", n: "1"}}
"""
    outcome = given(flow).run()
    (action,) = outcome.world.performed
    assert isinstance(action.command, ResumeExecution)
    inputs = dict(action.command.inputs)
    assert action.command.secrets.plain[inputs.pop("key")] == SecretReference("TOKEN")
    assert inputs == {"n": "1"}


REPLAYED = """
inputs: [{id: key, type: SECRET, required: false, validator: "[a-z0-9-]+"}]
tasks: [{id: w, type: Work, text: "{{ inputs.key }}"}]
"""


def test_a_replay_is_given_a_text_by_its_secret(given: Flow) -> None:
    flow = given(REPLAYED).when_it_is_over()
    outcome = flow.control("again", replay={"inputs": {"key": TEXT}}).run()
    (result,) = outcome.status.controls
    assert result.secret_inputs == ["key"]
    name = control_secret(IDENTITY.name, IDENTITY.uid, "again")
    assert outcome.children[0].spec.inputs == {
        "key": {"secretKeyRef": {"name": name, "key": "key"}}
    }


def test_a_text_that_a_replay_can_not_take_is_refused_at_once(given: Flow) -> None:
    flow = given(REPLAYED).when_it_is_over()
    outcome = flow.control("again", replay={"inputs": {"key": "NOT THAT"}}).run()
    (result,) = outcome.status.controls
    assert (result.done, result.secret_inputs) == (False, ["key"])
    assert "it must match the pattern" in (result.message or "")
    assert "NOT THAT" not in outcome.status.model_dump_json()
    assert outcome.children == []
