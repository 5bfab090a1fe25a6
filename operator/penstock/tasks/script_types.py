"""The types of script tasks: each language in its two shapes, and the two that were there first."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.tasks.languages import LANGUAGES, POWERSHELL, PYTHON, SHELL, Language
from penstock.tasks.old_scripts import Bash, OldScript, Python
from penstock.tasks.script_shapes import (
    PowerShellCommands,
    PowerShellInline,
    PythonCommands,
    PythonInline,
)
from penstock.tasks.script_task import Commands, Inline, ScriptTask


@dataclass(frozen=True)
class ScriptType:
    """One type of script task."""

    name: str
    task: type[ScriptTask] | type[OldScript]
    language: Language
    deprecated: str | None = None
    """What to use in its place."""


_SHAPES: dict[str, tuple[type[ScriptTask], type[ScriptTask]]] = {
    PYTHON.name: (PythonInline, PythonCommands),
    POWERSHELL.name: (PowerShellInline, PowerShellCommands),
}

_OLD = "io.kestra.core.tasks.scripts"

SCRIPT_TYPES = (
    *(
        ScriptType(f"{language.prefix}.{kind}", task, language)
        for language in LANGUAGES
        for kind, task in zip(
            ("Script", "Commands"), _SHAPES.get(language.name, (Inline, Commands)), strict=True
        )
    ),
    ScriptType(f"{_OLD}.Bash", Bash, SHELL, f"use `{SHELL.prefix}.Commands`"),
    ScriptType(f"{_OLD}.Python", Python, PYTHON, f"use `{PYTHON.prefix}.Script`"),
)
