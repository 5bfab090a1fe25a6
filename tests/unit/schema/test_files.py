"""The generated files: up to date, the same every time, and told when they are not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from penstock.engine.state.transitions import ATTEMPT
from penstock.resources.conditions import FLOW
from penstock.resources.execution import State
from penstock.resources.reasons import Health, Reason
from penstock.schema import __main__
from penstock.schema.files import generated_files, stale, write

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """What is generated of the code as it is: making it takes more than half a second."""
    return generated_files()


def test_the_files_of_this_repository_are_up_to_date(made: dict[str, str]) -> None:
    assert stale(ROOT, made) == [], "run `make generate`"


def test_the_output_is_the_same_every_time(made: dict[str, str]) -> None:
    assert generated_files() == made


def test_only_what_is_stale_is_written(tmp_path: Path) -> None:
    files = {"a/b.yaml": "one\n", "c.json": "two\n"}
    assert write(tmp_path, files) == ["a/b.yaml", "c.json"]
    assert stale(tmp_path, files) == []

    (tmp_path / "c.json").write_text("changed by hand\n")

    assert stale(tmp_path, files) == ["c.json"]
    assert write(tmp_path, files) == ["c.json"]
    assert (tmp_path / "c.json").read_text() == "two\n"


@pytest.mark.parametrize("page", ["docs/reference/states.md", "docs/reference/conditions.md"])
def test_a_page_that_is_behind_its_table_fails_the_check(
    tmp_path: Path,
    page: str,
    made: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(tmp_path, made)
    monkeypatch.setattr(__main__, "generated_files", lambda: dict(made))
    monkeypatch.setattr(__main__, "find_helm", lambda root: None)
    monkeypatch.setattr(sys, "argv", ["penstock.schema", "--check", "--root", str(tmp_path)])
    assert __main__.main() == 0

    behind = (tmp_path / page).read_text().replace("Execution", "Run", 1)
    (tmp_path / page).write_text(behind)

    assert __main__.main() == 1
    assert f"{page} is stale" in capsys.readouterr().err


def test_the_pages_follow_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = {state: why for state, why in ATTEMPT[State.CREATED].items() if state != "RUNNING"}
    monkeypatch.setitem(ATTEMPT, State.CREATED, fewer)
    monkeypatch.setitem(FLOW.reasons, "Tired", Reason("Tired", Health.DEGRADED, "It sleeps."))
    assert stale(ROOT, generated_files()) == [
        "docs/reference/states.md",
        "docs/reference/conditions.md",
    ]
