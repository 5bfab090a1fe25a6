"""`penstock run`: what executions find around them, other flows, answers, plugins."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

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


OTHER_YAML = """\
services:
  web: {image: nginx}
"""


def test_all_flows_of_a_folder_stand_ready(call: Call, write: Write) -> None:
    # given
    write(OTHER_YAML, "flows/compose.yaml")
    write(PARENT, "flows/parent.yaml")
    write(shows("'from the folder'"), "flows/deep/child.yml")
    write("values: {{ template }}", "flows/chart.yaml")
    # when
    called = call("run", "flows/parent.yaml", "--flow", "flows")
    # then
    assert (called.code, called.err) == (0, "")
    assert "shown >   it = from the folder" in called.out


def test_what_is_not_valid_in_a_folder_is_told_and_left_out(call: Call, write: Write) -> None:
    # given
    write(shows("1").replace("id: shown", "id: other").replace("format", "fromat"), "flows/b.yaml")
    write("id: torn\nnamespace: company.team\ntasks: [", "flows/torn.yaml")
    write(shows("1"), "flows/child.yaml")
    # when
    called = call("run", write(PARENT), "--flow", "flows")
    # then
    assert called.code == 0
    for name in ("b", "torn"):
        assert re.search(rf"flows/{name}\.yaml:\d+: warning: ", called.err)
        assert f"warning: what is not valid in flows/{name}.yaml is left out" in called.err


def test_a_named_file_takes_the_place_of_a_flow_of_a_folder(call: Call, write: Write) -> None:
    # given
    write(shows("'old'"), "flows/child.yaml")
    named = write(shows("'new'"), "child.yaml")
    # when
    called = call("run", write(PARENT), "--flow", "flows", "--flow", named)
    # then
    assert "shown >   it = new" in called.out


def test_a_flow_that_stands_twice_in_a_folder_is_refused(call: Call, write: Write) -> None:
    # given
    write(shows("1"), "flows/a.yaml")
    write(shows("2"), "flows/b.yaml")
    # when
    called = call("run", write(PARENT), "--flow", "flows")
    # then
    assert (called.code, called.out) == (2, "")
    assert "flows/a.yaml and flows/b.yaml" in called.err


def test_a_folder_without_flows_is_refused(call: Call, write: Write) -> None:
    write(OTHER_YAML, "flows/compose.yaml")
    called = call("run", write(PARENT), "--flow", "flows")

    assert called.code == 2
    assert "--flow flows: the folder holds no flow" in called.err


HOOKED = """\
id: hooked
namespace: company.team
triggers:
  - {id: order, type: io.kestra.plugin.core.trigger.Webhook, key: a-long-secret-key}
  - {id: nightly, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 3 * * *"}
tasks:
  - id: tell
    type: io.kestra.plugin.core.log.Log
    message: "order {{ trigger.body.number ?? 'none' }} of {{ trigger.headers ?? 'nobody' }}"
"""


def test_a_trigger_gives_its_variables(call: Call, write: Write) -> None:
    # when
    given = '{"body": {"number": 7}}'
    called = call("run", write(HOOKED), "--trigger", f"order={given}", "-o", "json")
    # then
    assert "order 7 of nobody" in called.err
    assert json.loads(called.out)["spec"]["trigger"] == {
        "id": "order",
        "type": "io.kestra.plugin.core.trigger.Webhook",
        "variables": json.loads(given),
    }


def test_a_trigger_may_come_without_variables(call: Call, write: Write) -> None:
    assert "order none" in call("run", write(HOOKED), "--trigger", "nightly").out


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("weekly", "no trigger `weekly`; it has order, nightly"),
        ("nightli", "no trigger `nightli`; did you mean `nightly`?"),
        ("order={body", "`{body` is not JSON"),
        ("order=7", "with a map such as"),
        ("={}", "write --trigger ID"),
    ],
)
def test_a_trigger_that_can_not_be_is_refused(
    call: Call, write: Write, given: str, told: str
) -> None:
    called = call("run", write(HOOKED), "--trigger", given)

    assert (called.code, called.out) == (2, "")
    assert told in called.err


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


def test_triggers_start_executions_at_their_dates(call: Call, write: Write) -> None:
    # given
    date = (datetime.now(UTC) + timedelta(seconds=1.5)).isoformat()
    triggers = f"""\
triggers:
  - id: soon
    type: io.kestra.plugin.core.trigger.ScheduleOnDates
    dates: ["{date}"]
"""
    # when
    called = call("run", "--triggers", write(shows("trigger.date is not null", triggers)))
    # then it ends by itself, as no date is left
    assert called.code == 0, called.err
    assert called.out.count("execution shown-soon-") == 1
    assert "the next date is" in called.err


def test_triggers_without_dates_and_what_does_not_go_with_them_are_refused(
    call: Call, write: Write
) -> None:
    flow = write(shows("flow.id"))
    assert "no trigger of these flows has a date" in call("run", "--triggers", flow).err
    refused = call("run", "--triggers", flow, "--input", "a=b")
    assert (refused.code, "--input" in refused.err) == (2, True)
