"""The types of script tasks: each language in its two shapes, and the two older types.

A table of names: what each takes is imported where a flow has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from penstock.tasks.contract.definition import TaskDefinition
from penstock.tasks.contract.task import SCRIPT
from penstock.tasks.scripts.languages import (
    DENO,
    LANGUAGES,
    OLD_SCRIPTS,
    POWERSHELL,
    PYTHON,
    SHAPES,
    SHELL,
    Language,
)

_ROOM = "penstock.tasks.scripts"
_SHAPES = {
    PYTHON.name: ("script_shapes:PythonInline", "script_shapes:PythonCommands"),
    POWERSHELL.name: ("script_shapes:PowerShellInline", "script_shapes:PowerShellCommands"),
    DENO.name: ("script_shapes:DenoInline", "script_task:Commands"),
}
_OLD = {SHELL.name: "old_scripts:Bash", PYTHON.name: "old_scripts:Python"}
_USUAL = ("script_task:Inline", "script_task:Commands")


def language_of(task_type: str) -> Language:
    """The language of a type of script task."""
    return _languages()[task_type.lower()]


@cache
def _languages() -> dict[str, Language]:
    shapes = {f"{item.prefix}.{shape}": item for item in LANGUAGES for shape in SHAPES}
    return {name.lower(): language for name, language in (shapes | OLD_SCRIPTS).items()}


def _definitions() -> Iterator[TaskDefinition]:
    for language in LANGUAGES:
        for shape, source in zip(SHAPES, _SHAPES.get(language.name, _USUAL), strict=True):
            yield _definition(f"{language.prefix}.{shape}", source, language)
    for name, language in OLD_SCRIPTS.items():
        shape = "Commands" if language is SHELL else "Script"
        instead = f"use `{language.prefix}.{shape}`"
        yield _definition(name, _OLD[language.name], language, instead)


def _definition(
    name: str, source: str, language: Language, deprecated: str | None = None
) -> TaskDefinition:
    return TaskDefinition(
        name,
        f"{_ROOM}.{source}",
        spellings=(("targetOS", "targetOs"),),
        deprecated=deprecated,
        runtime=SCRIPT,
        image=language.image,
        container=f"{_ROOM}.definition:script_container",
        check=f"{_ROOM}.runners:check_runner",
        warnings=f"{_ROOM}.definition:script_warnings",
    )


SCRIPT_TYPES = tuple(_definitions())
