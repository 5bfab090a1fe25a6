"""`penstock flow validate`: one line for each error, exit codes, JSON, and a light start."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys

import pytest

from penstock.flow.document import Flow
from penstock.flow.problems import Problem
from penstock.flow.types import TaskTypes
from tests.unit.cli.conftest import Call, Write

GOOD = """\
id: good
namespace: company.team
tasks:
  - {id: hello, type: io.kestra.plugin.core.log.Log, message: "{{ flow.id }}"}
"""
BAD = """\
id: bad
namespace: company.team
tasks:
  - {id: hello, type: io.kestra.plugin.core.log.Log, mesage: "{{ flow.id"}
  - {id: hello, type: io.kestra.plugin.core.log.Logg, message: hello}
"""
MISSING = """\
id: missing
namespace: company.team
tasks:
  - {id: child, type: io.kestra.plugin.some.product.Thing}
"""


def test_good_files_give_no_line_but_the_summary(call: Call, write: Write) -> None:
    called = call("flow", "validate", write(GOOD))

    assert (called.code, called.out) == (0, "")
    assert called.err == (
        "1 flow file: 1 valid, 0 refused, 0 with types not served yet; 0 warnings\n"
    )


def test_each_error_is_one_line(call: Call, write: Write) -> None:
    called = call("flow", "validate", write(GOOD, "good.yaml"), write(BAD, "bad.yaml"))

    assert called.code == 1
    lines = called.out.splitlines()
    assert all(re.match(r"^bad\.yaml:\d+: tasks\[\d]\.\w+: .+", line) for line in lines)
    assert lines[0].startswith("bad.yaml:4: tasks[0].mesage: ")
    assert lines[-2].endswith("did you mean `io.kestra.plugin.core.log.Log`?")


def test_folders_are_searched(call: Call, write: Write) -> None:
    write(GOOD, "flows/a.yaml")
    write(BAD, "flows/deep/b.yml")
    write(BAD, "flows/deep/c.txt")

    called = call("flow", "validate", "flows")

    assert called.code == 1
    assert {line.split(":")[0] for line in called.out.splitlines()} == {"flows/deep/b.yml"}


def test_text_that_is_not_yaml_has_a_line(call: Call, write: Write) -> None:
    called = call("flow", "validate", write("id: good\ntasks: [\n"))

    assert called.code == 1
    assert re.match(r"^flow\.yaml:\d+: the file is not valid YAML: ", called.out)


def test_warnings_go_to_stderr_and_do_not_refuse(call: Call, write: Write) -> None:
    task = "{id: z, type: io.kestra.plugin.core.log.Log, message: z}"
    called = call("flow", "validate", write(f"{GOOD}listeners: [{{tasks: [{task}]}}]\n"))

    assert (called.code, called.out) == (0, "")
    assert called.err.startswith("flow.yaml:5: warning: listeners: ")


def test_json_gives_a_verdict_on_each_file(call: Call, write: Write) -> None:
    files = [write(GOOD, "good.yaml"), write(BAD, "bad.yaml"), write(MISSING, "missing.yaml")]
    called = call("flow", "validate", "-o", "json", *files)

    assert called.code == 1
    good, bad, missing = json.loads(called.out)
    assert good == {
        "file": "good.yaml",
        "valid": True,
        "errors": [],
        "warnings": [],
        "missingTypes": [],
    }
    assert not bad["valid"]
    assert bad["errors"][0]["line"] == 4
    assert [error["code"] for error in bad["errors"]] == [
        "unknown_property", "missing", "unknown_type", "duplicate_id",
    ]  # fmt: skip
    assert bad["errors"][0] == {
        "path": "tasks[0].mesage",
        "line": 4,
        "code": "unknown_property",
        "message": "unknown property `mesage`; did you mean `message`?",
    }
    assert [warning["code"] for warning in bad["warnings"]] == ["expression"]
    assert missing["missingTypes"] == ["io.kestra.plugin.some.product.Thing"]
    assert [error["code"] for error in missing["errors"]] == ["type_not_carried"]


RUNNER = """\
id: batch
namespace: company.team
{holder}:
  - type: {prefix}
    forced: {forced}
    values:
      taskRunner: {{type: io.kestra.plugin.gcp.runner.Batch}}
tasks:
  - {{id: count, type: io.kestra.plugin.scripts.shell.Commands, commands: ["wc -l rows.csv"]}}
"""


@pytest.mark.parametrize("holder", ["pluginDefaults", "taskDefaults"])
@pytest.mark.parametrize("forced", ["true", "false"])
@pytest.mark.parametrize("prefix", ["io.kestra.plugin.scripts", "IO.KESTRA.plugin.scripts.shell"])
def test_a_missing_type_that_a_plugin_default_names_is_told_by_its_name(
    call: Call, write: Write, holder: str, forced: str, prefix: str
) -> None:
    text = RUNNER.format(holder=holder, forced=forced, prefix=prefix)
    called = call("flow", "validate", "-o", "json", write(text))

    (verdict,) = json.loads(called.out)
    assert verdict["missingTypes"] == ["io.kestra.plugin.gcp.runner.Batch"]


def test_the_exit_code_tells_what_is_only_not_carried_yet(call: Call, write: Write) -> None:
    good, missing = write(GOOD, "good.yaml"), write(MISSING, "missing.yaml")

    assert call("flow", "validate", "-o", "json", good, missing).code == 3
    called = call("flow", "validate", good, missing)
    assert called.code == 3
    assert "is not served by Penstock yet" in called.out
    assert call("flow", "validate", missing, write(BAD, "bad.yaml")).code == 1


HOPELESS = {
    "bytes.yaml": b"\x00\xff\xfe\x80" * 100,
    "latin.yaml": "id: café".encode("latin-1"),
    "utf16.yaml": "id: a".encode("utf-16"),
    "huge.yaml": b"a: '" + b"x" * 2_000_000 + b"'",
    "deep.yaml": b"[" * 100_000,
    "aliases.yaml": b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "tag.yaml": b"a: !!python/object:os.system x",
    "empty.yaml": b"",
    "list.yaml": b"- 1",
}


def test_a_hopeless_file_does_not_keep_the_others_from_being_checked(
    call: Call, write: Write
) -> None:
    folder = write(GOOD, "flows/good.yaml").parent
    for name, content in HOPELESS.items():
        (folder / name).write_bytes(content)

    called = call("flow", "validate", "-o", "json", *sorted(folder.iterdir()))

    assert called.code == 1
    verdicts = {item["file"].rpartition("/")[2]: item for item in json.loads(called.out)}
    assert {name for name, verdict in verdicts.items() if verdict["valid"]} == {"good.yaml"}
    assert all(len(verdicts[name]["errors"]) == 1 for name in HOPELESS)


# --- Folders in which other YAML lies -------------------------------------------------------------

OTHERS = {
    "compose.yaml": "services:\n  web: {image: nginx}\n",
    "deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n",
    "values.yaml": "image:\n  tag: v1\nnamespace: shop\n",
    "templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: {{ .Values.a }}\n",
    "playbook.yml": "- hosts: all\n  tasks: [{name: a, shell: b}]\n",
    "Taskfile.yml": "version: '3'\ntasks: {build: {cmds: [make]}}\n",
    "app.yaml": "id: form\nnamespace: shop\ntype: io.kestra.plugin.ee.apps.Execution\nflowId: a\n",
    "orders_test.yaml": "id: t\nnamespace: shop\nflowId: good\ntestCases: []\n",
    "anchors.yaml": "a: &a {b: c}\nd: *a\n",
    "empty.yaml": "",
    "comment.yaml": "# id: off\n# namespace: shop\n# tasks: []\n",
}
BROKEN = {
    "tasks of text": "id: broken\ntasks: none\n",
    "no id": "namespace: shop\ntasks: []\n",
    "no tasks": "id: broken\nnamespace: shop\ntriggers: []\n",
    "no YAML": "id: broken\nnamespace: shop\ntasks:\n  - id: a\n   type: b\n",
    "a manifest": "apiVersion: penstock.dev/v1alpha1\nkind: Flow\nspec: {id: broken}\n",
    "a manifest that is no YAML": "apiVersion: penstock.dev/v1alpha1\nkind: Flow\nspec: {{ a }}\n",
}


def test_in_a_folder_flows_are_told_from_other_yaml(call: Call, write: Write) -> None:
    write(GOOD, "repo/flows/good.yaml")
    for name, text in OTHERS.items():
        write(text, f"repo/{name}")

    called = call("flow", "validate", "repo")

    assert (called.code, called.out) == (0, "")
    assert called.err.splitlines() == [
        "1 flow file: 1 valid, 0 refused, 0 with types not served yet; 0 warnings",
        f"{len(OTHERS)} other YAML files passed over (-v names them)",
    ]


def test_the_files_that_were_passed_over_are_named_where_asked_for(
    call: Call, write: Write
) -> None:
    write(GOOD, "repo/good.yaml")
    for name, text in OTHERS.items():
        write(text, f"repo/{name}")

    called = call("flow", "validate", "-v", "repo")

    named = {line.strip() for line in called.err.splitlines()[2:]}
    assert named == {f"repo/{name}" for name in OTHERS}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_flow_in_a_folder_is_a_flow(call: Call, write: Write, name: str) -> None:
    write(BROKEN[name], "repo/broken.yaml")

    called = call("flow", "validate", "repo")

    assert called.code == 1
    assert called.out.startswith("repo/broken.yaml:")


def test_a_file_that_is_named_is_taken_for_a_flow(call: Call, write: Write) -> None:
    called = call("flow", "validate", write(OTHERS["compose.yaml"], "compose.yaml"))

    assert called.code == 1
    assert "compose.yaml:1: services: unknown property `services`" in called.out


def test_a_file_that_is_named_beside_its_folder_is_checked_once(call: Call, write: Write) -> None:
    write(OTHERS["compose.yaml"], "repo/compose.yaml")
    write(BAD, "repo/bad.yaml")

    both = ("repo", "repo/bad.yaml", "repo/compose.yaml", "./repo/bad.yaml")
    called = call("flow", "validate", *both)

    assert called.out.count("repo/bad.yaml:4: ") == 2
    assert "repo/compose.yaml:1: services" in called.out
    assert "2 flow files: 0 valid, 2 refused" in called.err
    assert "passed over" not in called.err


def test_a_folder_without_a_flow_fails(call: Call, write: Write) -> None:
    write(OTHERS["compose.yaml"], "repo/compose.yaml")
    write(GOOD, "flows/good.yaml")

    called = call("flow", "validate", "flows", "repo")

    assert called.code == 2
    assert called.out == ""
    assert "error: repo holds no flow: " in called.err
    assert "error: flows" not in called.err


def test_what_is_excluded_is_not_looked_at(call: Call, write: Write) -> None:
    write(GOOD, "repo/flows/good.yaml")
    write(BAD, "repo/drafts/bad.yaml")
    write(BAD, "repo/flows/bad.gen.yaml")

    assert call("flow", "validate", "repo").code == 1
    excluded = ("--exclude", "/repo/drafts", "--exclude", "*.gen.yaml")
    assert call("flow", "validate", "repo", *excluded).code == 0
    assert call("flow", "validate", "repo", "--exclude", "drafts/").code == 1


def test_what_penstockignore_names_is_not_looked_at(call: Call, write: Write) -> None:
    write(GOOD, "repo/good.yaml")
    write(BAD, "repo/drafts/bad.yaml")
    write("# not yet\ndrafts/\n", "repo/.penstockignore")

    assert call("flow", "validate", "repo").code == 0
    assert call("flow", "validate", "repo/drafts/bad.yaml").code == 1


def test_a_pattern_that_cannot_be_read_is_told(call: Call, write: Write) -> None:
    write(GOOD, "repo/good.yaml")

    called = call("flow", "validate", "repo", "--exclude", "!")

    assert called.code == 2
    assert "error: --exclude: " in called.err


def test_standard_input_is_a_file(
    call: Call, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))

    called = call("flow", "validate", "-")

    assert called.code == 1
    assert called.out.startswith("-:4: tasks[0].mesage: ")


# --- The summary ----------------------------------------------------------------------------------


def test_the_summary_counts_files_and_the_types_that_are_missing(call: Call, write: Write) -> None:
    twice = MISSING + "  - {id: again, type: io.kestra.plugin.some.product.Thing}\n"
    other = MISSING.replace("id: missing", "id: other").replace("Thing", "Other")
    texts = {"good": GOOD, "bad": BAD, "missing": twice, "other": other}
    files = [write(text, f"{name}.yaml") for name, text in texts.items()]

    called = call("flow", "validate", *files)

    assert called.err.splitlines()[-4:] == [
        "4 flow files: 1 valid, 1 refused, 2 with types not served yet; 1 warning",
        "types not served yet, and how often they are named:",
        "  2 io.kestra.plugin.some.product.Thing",
        "  1 io.kestra.plugin.some.product.Other",
    ]


def test_the_report_has_the_summary_as_json(call: Call, write: Write) -> None:
    write(GOOD, "repo/good.yaml")
    write(MISSING, "repo/missing.yaml")
    write(OTHERS["compose.yaml"], "repo/compose.yaml")

    called = call("flow", "validate", "-o", "json-report", "repo")

    report = json.loads(called.out)
    assert called.code == 3
    assert report["summary"] == {
        "files": 2,
        "valid": 1,
        "refused": 0,
        "notServed": 1,
        "warnings": 0,
        "missingTypes": {"io.kestra.plugin.some.product.Thing": 1},
        "passedOver": ["repo/compose.yaml"],
    }
    assert [file["file"] for file in report["files"]] == ["repo/good.yaml", "repo/missing.yaml"]


def test_a_flow_that_stands_in_two_files_is_told(call: Call, write: Write) -> None:
    write(GOOD, "repo/a.yaml")
    write(GOOD.replace("company.team", "company.other"), "repo/b.yaml")
    write(f"# a copy\n{BAD.replace('id: bad', 'id: good')}", "repo/c.yaml")

    called = call("flow", "validate", "repo")

    told = [line for line in called.err.splitlines() if "already" in line]
    assert told == [
        "repo/c.yaml:2: warning: id: the flow company.team.good stands in repo/a.yaml:1 already: "
        "only one of the two is taken; give this one another id"
    ]


def test_a_fault_of_penstock_does_not_keep_the_other_flows_from_being_checked(
    call: Call, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_on_bad(flow: Flow, types: TaskTypes) -> list[Problem]:
        raise ZeroDivisionError("of ours")

    monkeypatch.delenv("PENSTOCK_DEBUG", raising=False)
    monkeypatch.setattr("penstock.flow.parse.check_flow", fails_on_bad)

    called = call("flow", "validate", write(GOOD, "a.yaml"), write("tasks: []", "b.yaml"))

    assert called.code == 1
    assert "a.yaml:1: penstock failed: ZeroDivisionError: of ours" in called.out
    assert "b.yaml:1: " in called.out


@pytest.mark.parametrize("arguments", [["flow", "validate", "flow.yaml"], ["--help"]])
def test_the_start_is_light(write: Write, arguments: list[str]) -> None:
    write(GOOD)
    code = f"""
import sys
from penstock.cli import main
try:
    main({arguments!r})
except SystemExit as ended:
    assert ended.code == 0, ended.code
heavy = {{"kubernetes", "kopf", "rich", "aiohttp", "git", "jq", "pathspec", "prometheus_client"}}
heavy |= {{"penstock.engine.interface.actions", "penstock.resources.execution"}}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stderr.splitlines()[-1] == "[]"
