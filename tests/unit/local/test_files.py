"""Flow files as people have them: plain, in manifests, several in one, in folders, broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.local.files import FlowFile, find_files, read_flow_file
from penstock.local.flows import DuplicateFlow, LocalFlows
from penstock.local.ignoring import FolderProblem
from penstock.types import flow_parser

FLOW = """\
id: one
namespace: company.team
tasks:
  - id: hello
    type: io.kestra.plugin.core.log.Log
    message: hello
"""
MANIFEST = """\
apiVersion: penstock.dev/v1alpha1
kind: Flow
metadata:
  name: two
spec:
  id: two
  namespace: company.team
  tasks:
    - id: hello
      type: io.kestra.plugin.core.log.Log
      massage: hello
"""


def read(folder: Path, text: str) -> FlowFile:
    file = folder / "flow.yaml"
    file.write_text(text, "utf-8")
    return read_flow_file(file, flow_parser())


def test_a_manifest_and_a_plain_flow_stand_in_one_file(tmp_path: Path) -> None:
    good = MANIFEST.replace("massage", "message")
    found = read(tmp_path, f"{FLOW}---\n{good}---\nkind: ConfigMap\napiVersion: v1\n")

    assert [item.flow.id for item in found.flows if item.flow] == ["one", "two"]
    assert found.problems == []


def test_a_problem_in_a_manifest_has_the_line_of_the_file_and_the_path_of_the_flow(
    tmp_path: Path,
) -> None:
    problems = read(tmp_path, MANIFEST).problems

    assert {(problem.line, problem.path) for problem in problems} == {
        (9, "tasks[0].message"),
        (11, "tasks[0].massage"),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("# nothing\n", "empty"),
        ("- a list\n", "a flow is a map"),
        ("apiVersion: penstock.dev/v1alpha1\nkind: Flow\n", "missing required property"),
        ("id: [\n", "not valid YAML"),
    ],
)
def test_a_file_without_a_flow_is_a_problem(tmp_path: Path, text: str, words: str) -> None:
    assert words in str(read(tmp_path, text).problems)


def test_triggers_that_start_nothing_are_told_of(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        f"""{FLOW}triggers:
  - {{id: poll, type: io.kestra.plugin.debezium.postgres.Trigger, database: orders}}
  - {{id: good, type: io.kestra.plugin.core.trigger.Schedule, cron: "@daily"}}
""",
    )

    assert found.problems == []
    assert [(warning.line, warning.path) for warning in found.warnings] == [
        (8, "triggers[0].type"),
    ]


def test_a_wrong_schedule_refuses_its_flow(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        f"""{FLOW}triggers:
  - {{id: bad, type: io.kestra.plugin.core.trigger.Schedule, cron: "61 * * * *"}}
  - {{id: far, type: io.kestra.plugin.core.trigger.Schedule, cron: "@daily", timezone: Mars/X}}
""",
    )

    assert [(problem.line, problem.path) for problem in found.problems] == [
        (8, "triggers[0].cron"),
        (9, "triggers[1].timezone"),
    ]


def test_folders_are_searched_and_hidden_files_are_not(tmp_path: Path) -> None:
    for name in ("b.yml", "a/c.yaml", "a/.hidden/d.yaml", "a/e.json", ".git/f.yaml"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    found = [str(path.relative_to(tmp_path)) for path in find_files([tmp_path])]

    assert found == ["a/c.yaml", "b.yml"]


def names(folder: Path, *exclude: str) -> list[str]:
    """The files that are found below a folder."""
    return [str(path.relative_to(folder)) for path in find_files([folder], exclude)]


def make(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_links_are_followed_within_the_folder_and_not_out_of_it(tmp_path: Path) -> None:
    # given: what Kubernetes makes of a ConfigMap, and links that lead elsewhere
    folder = tmp_path / "flows"
    make(tmp_path, "flows/..2026/mounted.yaml", "secret.yaml", "elsewhere/x.yaml")
    (folder / "..data").symlink_to("..2026")
    (folder / "mounted.yaml").symlink_to("..data/mounted.yaml")
    (folder / "again.yaml").symlink_to("..data/mounted.yaml")
    (folder / "out.yaml").symlink_to("../secret.yaml")
    (folder / "gone.yaml").symlink_to("nowhere.yaml")
    (folder / "loop").symlink_to(".")
    (folder / "away").symlink_to("../elsewhere")
    # when
    found = names(folder)
    # then
    assert found == ["again.yaml"]


def test_a_folder_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a.yaml", "b.yaml", "c.txt")
    monkeypatch.setattr("penstock.local.files.MAX_ENTRIES", 2)
    with pytest.raises(FolderProblem, match="more than 2 files"):
        names(tmp_path)


def test_the_nearest_ignore_file_decides(tmp_path: Path) -> None:
    # given
    make(tmp_path, "a.yaml", "b.gen.yaml", "old/c.yaml", "sub/d.gen.yaml", "sub/e.yaml", "x/f.yaml")
    (tmp_path / ".penstockignore").write_text("# generated\n*.gen.yaml\n/old/\n\nx/*\n")
    (tmp_path / "sub/.penstockignore").write_text("!d.gen.yaml\ne.yaml\n")
    # then
    assert names(tmp_path) == ["a.yaml", "sub/d.gen.yaml"]
    assert names(tmp_path / "sub") == ["d.gen.yaml"]


def test_ignore_files_above_count_up_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    make(tmp_path, "repo/flows/a.yaml", "repo/flows/drafts/b.yaml")
    (tmp_path / ".penstockignore").write_text("*.yaml\n")
    (tmp_path / "repo/.penstockignore").write_text("flows/drafts\n")
    # when
    monkeypatch.chdir(tmp_path / "repo")
    # then
    assert names(Path("flows")) == ["a.yaml"]
    assert names(tmp_path / "repo/flows") == ["a.yaml"]
    # when
    monkeypatch.chdir(tmp_path / "repo/flows")
    # then
    assert names(Path()) == ["a.yaml", "drafts/b.yaml"]
    assert names(Path("../flows")) == ["a.yaml", "drafts/b.yaml"]


def test_patterns_are_read_from_the_folder_and_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "flows/a.yaml", "flows/old/b.yaml", "flows/c.gen.yaml")
    monkeypatch.chdir(tmp_path)
    for pattern in ("old", "/old", "flows/old/", "flows/old/*.yaml", "**/b.yaml"):
        assert names(Path("flows"), pattern) == ["a.yaml", "c.gen.yaml"], pattern
    assert names(Path("flows"), "old", "*.gen.*") == ["a.yaml"]


def test_an_ignore_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / ".penstockignore").write_text("a\n!\n")
    with pytest.raises(FolderProblem, match=r"\.penstockignore.*as in \.gitignore"):
        names(tmp_path)


def test_a_flow_stands_ready_once(tmp_path: Path) -> None:
    flow = read(tmp_path, FLOW).flows[0].flow
    assert flow is not None
    known = LocalFlows()
    known.add(flow)

    with pytest.raises(DuplicateFlow, match=r"company\.team\.one"):
        known.add(flow)
    assert known.get("company.team", "one") is flow
