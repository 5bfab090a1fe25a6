"""`penstock flow validate`: one line for each error, exit codes, JSON, and a light start."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

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


def test_good_files_give_no_line(call: Call, write: Write) -> None:
    called = call("flow", "validate", write(GOOD))

    assert (called.code, called.out, called.err) == (0, "", "")


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
pluginDefaults:
  - type: io.kestra.plugin.scripts
    {forced}
    values:
      taskRunner: {{type: io.kestra.plugin.gcp.runner.Batch}}
tasks:
  - {{id: count, type: io.kestra.plugin.scripts.shell.Commands, commands: ["wc -l rows.csv"]}}
"""


@pytest.mark.parametrize("forced", ["", "forced: true"])
def test_a_missing_type_that_a_plugin_default_names_is_told_by_its_name(
    call: Call, write: Write, forced: str
) -> None:
    called = call("flow", "validate", "-o", "json", write(RUNNER.format(forced=forced)))

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

    called = call("flow", "validate", "-o", "json", folder)

    assert called.code == 1
    verdicts = {item["file"].rpartition("/")[2]: item for item in json.loads(called.out)}
    assert {name for name, verdict in verdicts.items() if verdict["valid"]} == {"good.yaml"}
    assert all(len(verdicts[name]["errors"]) == 1 for name in HOPELESS)


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
heavy = {{"kubernetes", "kopf", "rich", "aiohttp", "git", "jq", "prometheus_client"}}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stderr == "[]\n"
