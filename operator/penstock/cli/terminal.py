"""Text of others in a terminal: what a task printed must not move, rename or answer for it."""

from __future__ import annotations

import re
import sys

import click

_COLORS = re.compile(r"\x1b\[[0-9;]{0,40}m")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_RESET = "\x1b[0m"


def echo(text: str, *, err: bool = False) -> None:
    """Print a line, or with `err` to stderr. A terminal gets colors as they are, and every other
    control character by its number; a file or a program gets the text as it is."""
    stream = sys.stderr if err else sys.stdout
    click.echo(harmless(text) if stream.isatty() else text, err=err)


def harmless(text: str) -> str:
    """The text without control characters, but for line ends, tabs and colors."""
    parts, position, is_colored = [], 0, False
    for color in _COLORS.finditer(text):
        parts += [_shown(text[position : color.start()]), color[0]]
        position, is_colored = color.end(), True
    parts.append(_shown(text[position:]))
    return "".join(parts) + (_RESET if is_colored else "")


def _shown(text: str) -> str:
    return _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
