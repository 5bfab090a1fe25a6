"""The generated files: up to date, the same every time, and told when they are not."""

from __future__ import annotations

from pathlib import Path

from penstock.schema.files import generated_files, stale, write

ROOT = Path(__file__).parents[3]


def test_the_files_of_this_repository_are_up_to_date() -> None:
    assert stale(ROOT, generated_files()) == [], "run `make generate`"


def test_the_output_is_the_same_every_time() -> None:
    assert generated_files() == generated_files()


def test_only_what_is_stale_is_written(tmp_path: Path) -> None:
    files = {"a/b.yaml": "one\n", "c.json": "two\n"}
    assert write(tmp_path, files) == ["a/b.yaml", "c.json"]
    assert stale(tmp_path, files) == []

    (tmp_path / "c.json").write_text("changed by hand\n")

    assert stale(tmp_path, files) == ["c.json"]
    assert write(tmp_path, files) == ["c.json"]
    assert (tmp_path / "c.json").read_text() == "two\n"
