"""The page on the architecture names rooms and files that are there, and leaves no room out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.docs.snippets import ROOT

PACKAGE = ROOT / "operator" / "penstock"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
CODE = re.compile(r"`([\w/]+(?:\.py)?)`")


def section(title: str) -> str:
    _, _, after = PAGE.partition(f"## {title}\n")
    return after.partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def folders(path: Path) -> set[str]:
    return {item.parent.name for item in path.glob("*/__init__.py")}


def test_every_room_of_the_package_has_its_duty() -> None:
    told = {name for row in rows("Rooms of the code") for name in CODE.findall(row[0])}
    assert told == folders(PACKAGE) | {"types", "entry_points", "network", "nesting", "turns"}


@pytest.mark.parametrize("room", ["controller", "engine", "kubernetes", "tasks"])
def test_every_folder_of_a_room_is_named_with_it(room: str) -> None:
    (duty,) = [row[1] for row in rows("Rooms of the code") if row[0] == f"`{room}`"]
    assert set(CODE.findall(duty)) == folders(PACKAGE / room)


def test_everything_that_is_looked_for_is_where_the_page_says() -> None:
    places = [name for row in rows("Where things live") for name in CODE.findall(row[1])]
    assert len(places) > 24
    assert [name for name in places if not (PACKAGE / name).exists()] == []


def test_every_path_in_the_text_is_there() -> None:
    named = re.findall(r"`((?:controller|engine|kubernetes|tasks|storage)/[\w/]+(?:\.py)?)`", PAGE)
    assert [name for name in named if not (PACKAGE / name).exists()] == []
