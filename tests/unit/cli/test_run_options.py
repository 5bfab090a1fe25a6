"""`penstock run`: what executions find around them, other flows, answers, plugins."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.conftest import Call, Write

RETURN = "type: io.kestra.plugin.core.debug.Return"


def shows(expression: str, more: str = "") -> str:
    return f"""\
id: shown
namespace: company.team
{more}
tasks: [{{id: it, {RETURN}, format: "{{{{ {expression} }}}}"}}]
outputs: [{{id: it, type: STRING, value: "{{{{ outputs.it.value }}}}"}}]
"""


@pytest.mark.parametrize(
    ("expression", "option"),
    [
        ("envs.stage", ("--env", "STAGE=text")),
        ("globals.Stage.name", ("--var", 'Stage={"name": "text"}')),
        ("kv('key')", ("--kv", 'company.team:key="text"')),
        ("kv('key').a[1]", ("--kv", 'company:key={"a": [0, "text"]}')),
        ("read('dir/file.txt')", ("--namespace-file", "dir/file.txt=given.txt")),
    ],
)
def test_what_is_given_is_seen_by_expressions(
    call: Call, write: Write, expression: str, option: tuple[str, str]
) -> None:
    # given
    write("text", "given.txt")
    # when
    called = call("run", write(shows(expression)), *option)
    # then
    assert called.code == 0, called.out
    assert called.out.endswith("  it = text\n")


def test_a_file_is_an_input(call: Call, write: Write) -> None:
    # given
    write("text", "given.txt")
    flow = shows("read(inputs.data)", "inputs: [{id: data, type: FILE}]")
    # when
    called = call("run", write(flow), "--input", "data=given.txt")
    # then
    assert called.out.endswith("  it = text\n")
    assert call("run", write(flow), "--input", "data=missing.txt").code == 2


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (("--kv", "key=1"), "NAMESPACE:KEY=JSON"),
        (("--kv", "company.team:key=text"), "is not JSON"),
        (("--var", "a=text"), "is not JSON"),
        (("--env", "a"), "KEY=VALUE"),
        (("--namespace-file", "a=missing"), "no file `missing`"),
        (("--plugin", "no.such.module"), "can't be imported"),
        (("--all",), "-o json"),
    ],
)
def test_what_is_wrong_with_an_option_is_told(
    call: Call, write: Write, option: tuple[str, ...], told: str
) -> None:
    called = call("run", write(shows("1")), *option)

    assert called.code == 2
    assert told in called.err
    assert called.out == ""


PARENT = """\
id: parent
namespace: company.team
tasks:
  - id: call
    type: io.kestra.plugin.core.flow.Subflow
    namespace: company.team
    flowId: shown
"""


def test_a_subflow_is_shown_and_given_out_as_well(call: Call, write: Write) -> None:
    # given
    child = write(shows("1 + 1"), "child.yaml")
    # when
    plain = call("run", write(PARENT), "--flow", child)
    printed = call("run", write(PARENT), "--flow", child, "-o", "json", "--all")
    # then
    assert "shown > SUCCESS after" in plain.out
    assert [item["spec"]["flow"]["id"] for item in json.loads(printed.out)] == ["parent", "shown"]


def test_a_flow_that_was_not_given_is_asked_for(call: Call, write: Write) -> None:
    called = call("run", write(PARENT))

    assert called.code == 1
    assert "Unable to find flow 'company.team'.'shown': give its file with `--flow`" in called.out


ASKING = shows("outputs.ask.onResume.word").replace(
    "tasks: [",
    "tasks: [{id: ask, type: io.kestra.plugin.core.flow.Pause, "
    "onResume: [{id: word, type: STRING}]}, ",
)


def test_a_pause_that_stays_says_how_to_resume_it(call: Call, write: Write) -> None:
    called = call("run", write(ASKING), "-o", "json")

    assert called.code == 3
    assert json.loads(called.out)["status"]["state"] == "PAUSED"
    assert "the task ask of shown-" in called.err
    assert "--resume word=…" in called.err


@pytest.mark.parametrize(
    "options", [("--resume", "word=go"), ("--resume", "ask", "--resume", "word=go")]
)
def test_a_pause_is_resumed(call: Call, write: Write, options: tuple[str, ...]) -> None:
    called = call("run", write(ASKING), *options)

    assert called.code == 0
    assert called.out.endswith("  it = go\n")


def test_a_file_is_an_answer(call: Call, write: Write) -> None:
    # given
    write("text", "given.txt")
    flow = write(ASKING.replace("word, type: STRING", "word, type: FILE").replace(
        "outputs.ask.onResume.word }}", "read(outputs.ask.onResume.word) }}"
    ))  # fmt: skip
    # then
    assert call("run", flow, "--resume", "word=given.txt").out.endswith("  it = text\n")
    missing = call("run", flow, "--resume", "word=missing.txt")
    assert missing.code == 3
    assert "missing.txt" in missing.out


def test_a_resume_without_what_is_asked_for_stays_paused_and_says_why(
    call: Call, write: Write
) -> None:
    called = call("run", write(ASKING), "--resume")

    assert called.code == 3
    assert "Invalid input for `word`, missing required input" in called.out


PLUGIN = """\
from dataclasses import dataclass
from penstock.local.plugins import task_type

@dataclass(frozen=True)
class Greet:
    name: str
    times: int = 1

    def run(self, context):
        context.log("greeting")
        return {"value": " ".join([f"Hello {self.name}"] * self.times)}

def register(types):
    types.register(task_type("com.company.Greet", Greet))
"""


def test_a_plugin_brings_its_own_task(
    call: Call, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    path = write(PLUGIN, "my_plugin.py").resolve().parent
    monkeypatch.syspath_prepend(path)
    flow = shows("1").replace(RETURN, "type: com.company.Greet, name: Ada, times: 2")
    flow = flow.replace(', format: "{{ 1 }}"', "")
    # when
    called = call("run", write(flow), "--plugin", "my_plugin")
    wrong = call("run", write(flow.replace("times", "tims")), "--plugin", "my_plugin")
    # then
    assert called.out.endswith("  it = Hello Ada Hello Ada\n"), called.err
    assert "unknown property `tims`; did you mean `times`?" in wrong.err
