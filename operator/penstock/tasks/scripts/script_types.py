"""The types of script tasks: each language in its two shapes, and the two older types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from penstock.tasks.scripts.languages import (
    DENO,
    LANGUAGES,
    OLD_SCRIPTS,
    POWERSHELL,
    PYTHON,
    SHAPES,
    SHELL,
    Language,
    script_names,
)
from penstock.tasks.scripts.old_scripts import Bash, OldScript, Python
from penstock.tasks.scripts.script_shapes import (
    DenoInline,
    PowerShellCommands,
    PowerShellInline,
    PythonCommands,
    PythonInline,
)
from penstock.tasks.scripts.script_task import Commands, Inline, ScriptTask


@dataclass(frozen=True)
class ScriptType:
    """One type of script task."""

    name: str
    task: type[ScriptTask] | type[OldScript]
    language: Language
    deprecated: str | None = None
    """What to use in place of the type; None where it is not deprecated."""


_SHAPES: dict[str, tuple[type[ScriptTask], type[ScriptTask]]] = {
    PYTHON.name: (PythonInline, PythonCommands),
    POWERSHELL.name: (PowerShellInline, PowerShellCommands),
    DENO.name: (DenoInline, Commands),
}

_OLD: dict[str, type[OldScript]] = {SHELL.name: Bash, PYTHON.name: Python}


def _types() -> Iterator[ScriptType]:
    deprecated = dict(script_names())
    for language in LANGUAGES:
        tasks = _SHAPES.get(language.name, (Inline, Commands))
        for shape, task in zip(SHAPES, tasks, strict=True):
            yield ScriptType(f"{language.prefix}.{shape}", task, language)
    for name, language in OLD_SCRIPTS.items():
        yield ScriptType(name, _OLD[language.name], language, deprecated[name])


SCRIPT_TYPES = tuple(_types())
