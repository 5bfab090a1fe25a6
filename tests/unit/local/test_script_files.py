"""The files of scripts that run on this machine."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from penstock.engine.interface.actions import Observation
from penstock.resources.execution import State
from penstock.storage.execution import NamespaceFiles
from penstock.storage.folders import OUTPUT_DIR, WORKING_DIR
from tests.unit.local.conftest import Attempts

SHELL = "io.kestra.plugin.scripts.shell.Commands"
PYTHON = "io.kestra.plugin.scripts.python.Script"


async def script(attempts: Attempts, *commands: str, **properties: Any) -> Observation:
    return await attempts.run(SHELL, {"commands": list(commands), **properties})


def kept(attempts: Attempts, seen: Observation) -> dict[str, str]:
    """The kept files by name, with their text."""
    assert seen.outputs is not None
    return {name: attempts.text(uri) for name, uri in seen.outputs["outputFiles"].items()}


def add(attempts: Attempts, namespace: str, **files: str) -> None:
    for name, text in files.items():
        target = NamespaceFiles(attempts.local.storage, namespace)
        target.put(name.replace("__", "/"), io.BytesIO(text.encode()))


@pytest.mark.parametrize("as_json", [False, True])
async def test_input_files_are_text_or_are_fetched(attempts: Attempts, as_json: bool) -> None:
    # given
    add(attempts, "company.team", q__a="of the namespace")
    add(attempts, "other", b="of another")
    inputs = {
        "plain": "text",
        "in/stored": attempts.store("of a task"),
        "own": "nsfile:///q/a",
        "other": "nsfile://other/b",
        "web": "https://example.com/",
        "number": 3,
    }
    # when
    seen = await script(
        attempts,
        "for f in plain in/stored own other web number; do cat $f; echo; done",
        inputFiles=json.dumps(inputs) if as_json else inputs,
    )
    # then
    assert seen.state is State.SUCCESS, seen.message
    assert [line for _, line in attempts.lines] == [
        "text",
        "of a task",
        "of the namespace",
        "of another",
        "https://example.com/",
        "3",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nsfile:///missing", "does not exist"),
        ("file:///etc/passwd", "not served"),
        ("kestra:///company/team/x/executions/y/tasks/t/r/f", "didn't belong"),
    ],
)
async def test_an_input_file_that_is_not_to_be_had_fails_the_task(
    attempts: Attempts, content: str, words: str
) -> None:
    seen = await script(attempts, "true", inputFiles={"a": content})
    assert (seen.state, seen.reason) == (State.FAILED, "TaskFailed")
    assert words in (seen.message or "")


async def test_output_files_are_kept_also_of_a_script_that_fails(attempts: Attempts) -> None:
    # when
    seen = await script(
        attempts,
        "mkdir -p out/deep",
        "echo a > a.csv; echo b > out/b.csv; echo c > out/deep/c.csv; echo d > d.txt",
        "ln -s /etc/hostname link.csv",
        "exit 3",
        outputFiles=["*.csv", "out/*", "nothing.txt"],
    )
    # then
    assert seen.exit_code == 3
    assert kept(attempts, seen) == {"a.csv": "a\n", "out/b.csv": "b\n"}


async def test_the_output_directory(attempts: Attempts) -> None:
    # when
    seen = await script(
        attempts,
        f'test {OUTPUT_DIR} = "$OUTPUT_DIR" && test {WORKING_DIR} = "$PWD"',
        'mkdir "$OUTPUT_DIR/x"; echo a > "$OUTPUT_DIR/x/a"',
        outputDirectory=True,
    )
    # then
    assert kept(attempts, seen) == {"x/a": "a\n"}


@pytest.mark.parametrize("place", [OUTPUT_DIR, "$OUTPUT_DIR", WORKING_DIR, "."])
@pytest.mark.parametrize("wanted", ["a.txt", "*.txt", f"{OUTPUT_DIR}/a.txt", f"{WORKING_DIR}/a.*"])
async def test_output_files_are_looked_for_in_both_directories(
    attempts: Attempts, place: str, wanted: str
) -> None:
    # when
    seen = await script(attempts, f"echo hi > {place}/a.txt", outputFiles=[wanted])
    # then
    assert seen.state is State.SUCCESS, seen.message
    assert kept(attempts, seen) == {"a.txt": "hi\n"}
    assert seen.message is None


async def test_of_two_output_files_of_one_name_the_working_directory_s_counts(
    attempts: Attempts,
) -> None:
    # when
    seen = await script(
        attempts,
        'echo work > a.txt; echo output > "$OUTPUT_DIR/a.txt"; echo no > "$OUTPUT_DIR/b.md"',
        outputFiles=["*.txt"],
    )
    # then
    assert kept(attempts, seen) == {"a.txt": "work\n"}


async def test_uris_become_paths_wherever_they_stand(attempts: Attempts) -> None:
    # given
    uri = attempts.store("stored", "a b.txt")
    # when
    shell = await script(
        attempts, f'cat "{uri}" "$FILE"', "ls", env={"FILE": uri}, outputFiles=["**"]
    )
    python = await attempts.run(PYTHON, {"script": f"print(open('{uri}').read().upper())"})
    # then
    assert [shell.state, python.state] == [State.SUCCESS, State.SUCCESS], python.message
    assert [line for _, line in attempts.lines] == ["storedstored", "STORED"]
    assert kept(attempts, shell) == {}


async def test_namespace_files_stand_in_the_directory(attempts: Attempts) -> None:
    # given
    add(attempts, "company.team", a="own", x__b="own", x__c="own", ignore__d="own")
    add(attempts, "shared", a="shared", e="shared")
    listing = "find . -type f | sort | while read f; do echo $f $(cat $f); done"
    # when
    await script(attempts, listing, namespaceFiles={"enabled": True, "exclude": ["/ignore/**"]})
    await script(attempts, "echo --", listing, namespaceFiles={"include": ["b"]})
    await script(
        attempts,
        "echo --",
        listing,
        namespaceFiles={"namespaces": ["company.team", "shared"], "include": ["a", "e"]},
    )
    await script(attempts, "echo --", listing, namespaceFiles={"enabled": False})
    # then
    assert "\n".join(line for _, line in attempts.lines).split("--") == [
        "./a own\n./x/b own\n./x/c own\n",
        "\n./x/b own\n",
        "\n./a shared\n./e shared\n",
        "",
    ]


async def test_a_namespace_file_that_is_there_already(attempts: Attempts, tmp_path: Path) -> None:
    # given
    add(attempts, "company.team", a="new")
    shared = tmp_path / "shared"
    shared.mkdir()
    for option, text, state in (
        ("IGNORE", "old", State.SUCCESS),
        ("WARN", "old", State.SUCCESS),
        ("FAIL", "old", State.FAILED),
        ("OVERWRITE", "new", State.SUCCESS),
    ):
        (shared / "a").write_text("old")
        properties = {"commands": ["true"], "namespaceFiles": {"ifExists": option}}
        # when
        seen = await attempts.run(SHELL, properties, directory=shared)
        # then
        assert (seen.state, (shared / "a").read_text()) == (state, text)
    ((_, warning),) = attempts.lines
    assert warning.startswith("WARN the namespace file `a`")


async def test_scripts_may_share_a_directory(attempts: Attempts, tmp_path: Path) -> None:
    # given
    shared = tmp_path / "shared"
    shared.mkdir()
    # when
    await attempts.run(SHELL, {"commands": ["echo hi > a"]}, directory=shared)
    seen = await attempts.run(SHELL, {"commands": ["cat a"], "outputFiles": "a"}, directory=shared)
    # then
    assert attempts.lines == [("stdout", "hi")]
    assert kept(attempts, seen) == {"a": "hi\n"}


async def test_a_core_task_is_told_its_folder_too(attempts: Attempts) -> None:
    seen = await attempts.run("io.kestra.plugin.core.debug.Return", {"format": f"in {WORKING_DIR}"})
    assert seen.outputs is not None
    assert str(seen.outputs["value"]).endswith("/work")


async def test_a_file_that_a_script_did_not_make_fails_it(attempts: Attempts) -> None:
    seen = await script(attempts, "touch a.csv", outputFiles=["a.csv", "b.csv", "*.txt"])
    assert (seen.state, seen.reason) == (State.FAILED, "TaskFailed")
    assert "the task made no file `b.csv`" in (seen.message or "")


async def test_a_pattern_that_matches_nothing_is_told_of(attempts: Attempts) -> None:
    seen = await script(attempts, "true", outputFiles=["*.txt"])
    assert seen.state is State.SUCCESS
    assert seen.message == "property `outputFiles`: no file matches `*.txt`"
