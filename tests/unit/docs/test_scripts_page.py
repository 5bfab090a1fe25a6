"""The page on scripts says what the tables of the code say."""

from __future__ import annotations

import re

from penstock.tasks.pod.main import camel
from penstock.tasks.scripts.languages import LANGUAGES, SHELL, Language
from penstock.tasks.scripts.placement import CONTAINER_SPEC, POD_SPEC
from penstock.tasks.scripts.runners import EFFECTIVE
from tests.unit.docs.snippets import ROOT

SPECS = ("podSpec", "containerSpec")
PAGE = (ROOT / "docs" / "scripts.md").read_text(encoding="utf-8")


def _row(language: Language) -> str:
    program = f"{language.programs[0]} " if language.programs else "./"
    run = "the text of the shell" if language is SHELL else f"`{program}{language.file}`"
    return f"| {language.name} | `{language.image}` | {run} |"


def test_the_languages_are_those_of_the_code() -> None:
    _, _, after = PAGE.partition("| language | default image |")
    table = [line for line in after.partition("\n\n")[0].split("\n") if line.startswith("| ")]
    assert table == [_row(language) for language in LANGUAGES]


def test_the_runners_properties_are_those_that_have_effect() -> None:
    section = PAGE.partition("## The pod")[2].partition("\n## ")[0]
    rows = [line for line in section.split("\n") if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert told == {camel(name) for name in EFFECTIVE} - {"type"}
    spec, container = (next(row for row in rows if f"| `{name}` |" in row) for name in SPECS)
    assert set(re.findall(r"`(\w+)`", spec.split("|")[2])) == POD_SPEC
    assert set(re.findall(r"`(\w+)`", container.split("|")[2])) == CONTAINER_SPEC
