"""What a task printed, shown in a terminal."""

from __future__ import annotations

import sys

import pytest

from penstock.cli.errors import UserError
from penstock.cli.terminal import echo, harmless

ATTACKS = {
    "a title": "\x1b]0;rm -rf /\x07",
    "a link": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "the clipboard": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "the cursor": "\x1b[2J\x1b[1;1H",
    "a question": "\x1b[6n\x1b[c",
    "a line written over": "failed\rdone",
    "a control of one byte": "\x9b2J\x9d0;x\x9c",
    "a deletion": "x\x08\x7f",
}


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
def test_no_control_character_reaches_a_terminal(text: str) -> None:
    shown = harmless(text)
    assert shown.isprintable()
    assert "\\x" in shown


def test_colors_lines_and_letters_stay() -> None:
    assert harmless("ü\t漢\n") == "ü\t漢\n"
    assert harmless("\x1b[31mred\x1b[0m \x1b[1;4mbold") == "\x1b[31mred\x1b[0m \x1b[1;4mbold\x1b[0m"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_an_error_that_repeats_the_text_of_others_is_shown_alike(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    UserError("no \x1b]0;title\x07").show()
    shown = "\\x1b]0;title\\x07" if is_terminal else "\x1b]0;title\x07"
    assert capsys.readouterr().err == f"error: no {shown}\n"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_file_gets_the_text_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    echo("a\rb")
    assert capsys.readouterr().out == ("a\\x0db\n" if is_terminal else "a\rb\n")
