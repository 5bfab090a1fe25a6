"""The fenced blocks of the documentation, and how the commands in them are run.

A comment before a block says how it is tested: `<!-- test: local -->` and `<!-- test: cluster -->`
before a `console` block run its commands, `<!-- test: none -->` leaves a block out. In a console
block a line that begins with `$ ` is a command, with its here-document if it has one; the lines
below it must appear in what it prints, in this order. `…` stands for anything.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
API_VERSION = "penstock.dev/v1alpha1"

_BLOCK = re.compile(
    r"(?:^<!-- test: (?P<mark>\w+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_HERE = re.compile(r"<<-?'?(\w+)'?")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    mark: str | None
    text: str

    @property
    def id(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass
class Command:
    """A command of a console block."""

    text: str
    expected: list[str] = field(default_factory=list)

    @property
    def here_document(self) -> str | None:
        first, _, rest = self.text.partition("\n")
        return rest.rpartition("\n")[0] if _HERE.search(first) else None


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            page,
            text.count("\n", 0, match.start("text")),
            match["language"],
            match["mark"],
            match["text"],
        )
        for match in _BLOCK.finditer(text)
    ]


def commands(block: Block) -> list[Command]:
    """The commands of a console block, with the output that each must give."""
    found: list[Command] = []
    until: str | None = None
    for line in block.text.splitlines():
        if until is not None:
            found[-1].text += f"\n{line}"
            until = None if line == until else until
        elif line.startswith("$ "):
            found.append(Command(line[2:]))
            here = _HERE.search(line)
            until = here[1] if here else None
        elif found:
            found[-1].expected.append(line)
    return found


def documents(page: Path) -> Iterator[tuple[Block, Any]]:
    """Every YAML document that the page shows, in blocks and in here-documents."""
    for block in blocks(page):
        texts = [block.text] if block.language == "yaml" and block.mark != "none" else []
        if block.language == "console":
            texts = [here for command in commands(block) if (here := command.here_document)]
        for text in texts:
            for document in yaml.safe_load_all(text):
                yield block, document


def flow_of(document: Any) -> Mapping[str, Any] | None:
    """The flow of a document, with or without the manifest around it."""
    if not isinstance(document, dict):
        return None
    if document.get("apiVersion") == API_VERSION:
        return document["spec"] if document["kind"] == "Flow" else None
    return document if {"id", "namespace", "tasks"} <= set(document) else None


def run(command: Command, environment: Mapping[str, str], folder: Path) -> None:
    """Run a command; it must exit with 0 and print what is expected of it."""
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command.text],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=150,
    )
    shown = f"$ {command.text}\n{result.stdout}"
    assert result.returncode == 0, f"exit code {result.returncode}\n{shown}"
    missing = first_missing(command.expected, result.stdout)
    assert missing is None, f"not printed: {missing}\n{shown}"


def first_missing(expected: list[str], output: str) -> str | None:
    """The first line that did not come, after those before it."""
    at = 0
    for line in expected:
        match = _pattern(line).search(output, at)
        if match is None:
            return line
        at = match.end()
    return None


def _pattern(line: str) -> re.Pattern[str]:
    """Runs of spaces are one, as columns move; `…` is anything on the line, alone any lines."""
    if line.strip() == "…":
        return re.compile("")
    parts = [r"\s+".join(map(re.escape, part.split())) for part in line.split("…")]
    return re.compile(r"^[ \t]*" + r"[^\n]*".join(parts), re.MULTILINE)
