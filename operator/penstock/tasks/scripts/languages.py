"""The languages of script tasks: a table of what differs between them.

The facts are Kestra's: the default image, and how an inline script is run. A script is a file of
the working directory, run by the first of its language's programs that is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_PREFIX = "io.kestra.plugin.scripts."
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})

SHELL_INTERPRETER = ("/bin/sh", "-c")
POWERSHELL_INTERPRETER = ("pwsh", "-NoProfile", "-NonInteractive", "-Command")


@dataclass(frozen=True)
class Language:
    """A language of script tasks: what differs from other languages."""

    name: str
    """How the language is written in a type."""
    image: str
    """The default image."""
    file: str | None = None
    """The name of the file to which a script is written; None where the interpreter takes its
    text."""
    programs: tuple[str, ...] = ()
    """The programs that may run the file: the first that the image has. None where the file is a
    command itself."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that suit a log which is read live, and a home that is not in the image."""
    setup: tuple[str, ...] = ()
    """Lines of a POSIX shell that let a script install packages as a user who owns nothing."""

    @property
    def prefix(self) -> str:
        """The beginning of the names of the language's types."""
        return _PREFIX + self.name


SHELL = Language("shell", "ubuntu")
PYTHON = Language(
    "python",
    "python:3.13-slim",
    "script.py",
    ("python", "python3"),
    {"PYTHONUNBUFFERED": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
)
NODE = Language(
    "node",
    "node",
    "script.js",
    ("node",),
    setup=(
        'export NPM_CONFIG_PREFIX="${NPM_CONFIG_PREFIX:-$HOME/.npm-global}"',
        'export PATH="$PATH:$NPM_CONFIG_PREFIX/bin"',
    ),
)
R = Language(
    "r",
    "r-base",
    "script.R",
    ("Rscript",),
    setup=('export R_LIBS_USER="${R_LIBS_USER:-$HOME/R}"', 'mkdir -p "$R_LIBS_USER"'),
)
JULIA = Language("julia", "julia", "script.jl", ("julia",))
RUBY = Language("ruby", "ruby", "script.rb", ("ruby",))
POWERSHELL = Language("powershell", "ghcr.io/kestra-io/powershell:latest", "script.ps1")
GO = Language("go", "golang", "script.go", ("go run",))
BUN = Language(
    "bun",
    "oven/bun",
    "script.ts",
    ("bun run",),
    setup=(
        '[ -w "${BUN_INSTALL_BIN:-$HOME}" ] || export BUN_INSTALL_BIN="$HOME/.bun/bin"',
        'export PATH="$PATH:$HOME/.bun/bin"',
    ),
)
DENO = Language(
    "deno",
    "denoland/deno",
    "script.ts",
    ("deno run",),
    {"DENO_NO_UPDATE_CHECK": "1"},
    ('[ -w "${DENO_DIR:-$HOME}" ] || export DENO_DIR="$HOME/.cache/deno"',),
)
PERL = Language(
    "perl",
    "perl",
    "script.pl",
    ("perl",),
    # cpanm installs there when it may not write into the system.
    setup=(
        'export PERL5LIB="$HOME/perl5/lib/perl5${PERL5LIB:+:$PERL5LIB}"',
        'export PATH="$PATH:$HOME/perl5/bin"',
    ),
)
PHP = Language("php", "php", "script.php", ("php",))
LUA = Language("lua", "nickblah/lua", "script.lua", ("lua",))
GROOVY = Language(
    "groovy",
    "groovy",
    "script.groovy",
    ("groovy",),
    # A Java before 19 finds no home for a user whom the image does not know.
    setup=('export JAVA_OPTS="-Duser.home=$HOME${JAVA_OPTS:+ $JAVA_OPTS}"',),
)

LANGUAGES = (
    *(SHELL, PYTHON, NODE, R, JULIA, RUBY, POWERSHELL),
    *(GO, BUN, DENO, PERL, PHP, LUA, GROOVY),
)


@dataclass(frozen=True)
class Dialect:
    """The lines that Penstock itself writes in the language of an interpreter."""

    fail_fast: str
    """The line that makes the first failing command end the text."""
    text_file: str
    """The name of the file for a text that is too long for a command line; it is sourced from
    there."""


POSIX = Dialect("set -e", ".penstock-commands")
PWSH = Dialect("$ErrorActionPreference = 'Stop'", ".penstock-commands.ps1")


def dialect_of(interpreter: list[str]) -> Dialect | None:
    """The dialect of an interpreter that takes its text as the last argument; None for any
    other."""
    if len(interpreter) < 2:
        return None
    program, last = interpreter[0].rsplit("/", 1)[-1], interpreter[-1].lower()
    if program in _SHELLS and last.startswith("-") and last.endswith("c"):
        return POSIX
    if program in ("pwsh", "powershell") and "-command".startswith(last) and len(last) > 1:
        return PWSH
    return None


SHAPES = ("Script", "Commands")
OLD_SCRIPTS = {
    "io.kestra.core.tasks.scripts.Bash": SHELL,
    "io.kestra.core.tasks.scripts.Python": PYTHON,
}
"""Kestra's first two script tasks."""


def script_names() -> Iterator[tuple[str, str | None]]:
    """Yield the names of all types of script tasks, each with what to use in its place."""
    for language in LANGUAGES:
        for shape in SHAPES:
            yield f"{language.prefix}.{shape}", None
    for name, language in OLD_SCRIPTS.items():
        shape = "Commands" if language is SHELL else "Script"
        yield name, f"use `{language.prefix}.{shape}`"
