r"""Split a template into tokens, by Pebble's rules.

Text, ``{{ }}``, ``{% %}`` and ``{# #}`` alternate; inside the delimiters come operators, names,
numbers, punctuation and quoted text. A closing delimiter counts only outside brackets and quotes,
so that ``{{ {'a': {}} }}`` and ``{{ "}}" }}`` work. Double-quoted text may hold ``#{expr}``.
A backslash in quoted text goes only before the quote that surrounds the text, as in Pebble:
``'a\\b'`` keeps both of its backslashes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from penstock.expressions.errors import ExpressionError, LimitError, shorten

TEXT, PRINT_START, PRINT_END, TAG_START, TAG_END = "text", "{{", "}}", "{%", "%}"
NAME, OPERATOR, NUMBER, STRING, PUNCTUATION, END = (
    "name", "operator", "number", "string", "punctuation", "end",
)  # fmt: skip
INTERPOLATION_START, INTERPOLATION_END = "#{", "interpolation end"


class Token(NamedTuple):
    """A piece of the template and its line."""

    type: str
    value: str
    line: int


_WORDS = ("equals", "contains", "isNotIn", "isIn", "is", "and", "or", "not")
_SYMBOLS = ("???", "??", "==", "!=", ">=", "<=", "..", "+", "-", "*", "/", "%", "|", "~", ">", "<")
_OPERATOR = re.compile(
    rf"is\s+not\b|(?:{'|'.join(_WORDS)})\b|{'|'.join(re.escape(s) for s in _SYMBOLS)}"
)
_NAME = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(r"[0-9]+(?:L\b|\.[0-9]+)?")
_INTEGER = re.compile(r"[0-9]+")
_SPACE = re.compile(r"\s+")
_SINGLE = re.compile(r"'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL)
_DOUBLE_PART = re.compile(r'[^#"\\]*(?:(?:\\.|#(?!\{))[^#"\\]*)*', re.DOTALL)
_START = re.compile(r"\{\{|\{%|\{#")
_TRIM_START = re.compile(r"-(?=\s)")
_TRIM_TAG_START = re.compile(r"-")
_RAW = re.compile(r"\{%-*\s*raw\s*-*%\}")
_END_RAW = re.compile(r"\{%-*\s*endraw\s*-*%\}")
_VERBATIM = re.compile(r"\{%-?\s*verbatim\s*(-)?%\}")
_END_VERBATIM = re.compile(r"\{%(-)?\s*endverbatim\s*(-)?%\}")
_CLOSE = {
    PRINT_START: (re.compile(r"\s*(-?)\}\}"), PRINT_END),
    TAG_START: (re.compile(r"\s*(-?)%\}"), TAG_END),
}
_LENGTH = re.compile(r"\$\{#[\w@*?!$-]*(?:\[[^\]\s]{1,40}\])?\}")
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_PUNCTUATION = "()[]{}?:.,="
_MOST_TOKENS = 50_000
"""Tokens of one template: to compile one takes a kilobyte and some 50 microseconds."""


def tokenize(source: str, base_line: int = 1) -> list[Token]:
    """All tokens of a template, the last one being END."""
    return _Lexer(source, base_line).run()


def accidental_comments(source: str) -> list[ExpressionError]:
    """The comments that were hardly meant: the shell's ``${#NAME}``, and one that begins another.

    They are no errors: a template with one renders, but without what stands in the comment.
    """
    if "{#" not in source:
        return []
    lexer = _Lexer(source, 1)
    lexer.run()
    return lexer.accidents


class _Lexer:
    def __init__(self, source: str, base_line: int) -> None:
        self.source = source
        self.position = 0
        self.line = base_line
        self.tokens: list[Token] = []
        self.trim_next = False
        self.accidents: list[ExpressionError] = []

    def fail(self, message: str, line: int | None = None) -> ExpressionError:
        return ExpressionError(message, line=self.line if line is None else line)

    def advance(self, end: int) -> str:
        """Move to ``end``, counting lines, and give the text that was passed."""
        passed = self.source[self.position : end]
        self.line += passed.count("\n")
        self.position = end
        return passed

    def push(self, kind: str, value: str, line: int | None = None) -> None:
        if len(self.tokens) == _MOST_TOKENS:
            raise LimitError(f"the template has more than {_MOST_TOKENS} parts")
        self.tokens.append(Token(kind, value, self.line if line is None else line))

    def run(self) -> list[Token]:
        while self.position < len(self.source):
            self.data()
        self.push(END, "the end of the template")
        return self.tokens

    # --- between the delimiters -----------------------------------------------------------------

    def data(self) -> None:
        match = _START.search(self.source, self.position)
        line = self.line
        text = self.advance(match.start() if match else len(self.source))
        if self.trim_next:
            text = text.lstrip()
            self.trim_next = False
        if match and self.is_trimmed(match.group()):
            text = text.rstrip()
        if text:
            self.push(TEXT, text, line)
        if match:
            self.delimiter(match.group())

    def is_trimmed(self, delimiter: str) -> bool:
        if _RAW.match(self.source, self.position):
            return False  # the raw tag is plain text until the very end
        pattern = _TRIM_TAG_START if delimiter == TAG_START else _TRIM_START
        return pattern.match(self.source, self.position + 2) is not None

    def delimiter(self, delimiter: str) -> None:
        if delimiter == "{#":
            self.comment()
        elif delimiter == TAG_START and (match := _RAW.match(self.source, self.position)):
            self.raw(match)
        elif delimiter == TAG_START and (match := _VERBATIM.match(self.source, self.position)):
            self.verbatim(match)
        else:
            self.push(delimiter, delimiter)
            pattern = _TRIM_TAG_START if delimiter == TAG_START else _TRIM_START
            self.advance(self.position + 2)
            if match := pattern.match(self.source, self.position):
                self.advance(match.end())
            self.inside(delimiter)

    def comment(self) -> None:
        start = self.position
        end = self.source.find("#}", start + 2)
        if end < 0:
            raise self.fail(
                f"a comment `{{#` is not closed by `#}}`{_raw_hint(self.source, start)}"
            )
        if self.source.startswith("$", start - 1) or self.source.find("{#", start + 2, end) > 0:
            taken = shorten(self.source[start : end + 2], 60)
            self.accidents.append(
                self.fail(
                    f"`{taken}` is a comment and is taken away{_raw_hint(self.source, start)}"
                )
            )
        self.trim_next = self.source[end - 1] == "-" and end - 1 > self.position + 1
        self.advance(end + 2)

    def raw(self, match: re.Match[str]) -> None:
        """Read a raw section and keep its tags: Kestra removes them after the last pass, see
        ``strip_raw``."""
        end = _END_RAW.search(self.source, match.end())
        if end is None:
            raise self.fail("`{% raw %}` is not closed by `{% endraw %}`")
        line = self.line
        self.push(TEXT, self.advance(end.end()), line)

    def verbatim(self, match: re.Match[str]) -> None:
        end = _END_VERBATIM.search(self.source, match.end())
        if end is None:
            raise self.fail("`{% verbatim %}` is not closed by `{% endverbatim %}`")
        self.advance(match.end())
        line = self.line
        text = self.advance(end.start())
        text = text.lstrip() if match.group(1) else text
        text = text.rstrip() if end.group(1) else text
        if text:
            self.push(TEXT, text, line)
        self.trim_next = end.group(2) is not None
        self.advance(end.end())

    # --- inside the delimiters ------------------------------------------------------------------

    def inside(self, delimiter: str) -> None:
        close, end_type = _CLOSE[delimiter]
        start_line = self.line
        brackets: list[tuple[str, int]] = []
        while self.position < len(self.source):
            match = None if brackets else close.match(self.source, self.position)
            if match:
                self.advance(match.end())
                self.push(end_type, end_type)
                self.trim_next = bool(match.group(1))
                return
            self.expression_token(brackets)
        if brackets:
            opened, line = brackets[-1]
            raise self.fail(f"`{opened}` is not closed", line)
        raise self.fail(f"`{delimiter}` is not closed by `{end_type}`", start_line)

    def expression_token(self, brackets: list[tuple[str, int]]) -> None:
        if match := _SPACE.match(self.source, self.position):
            self.advance(match.end())
        elif self.after_dot() and (match := _NAME.match(self.source, self.position)):
            self.push(NAME, self.advance(match.end()))
        elif match := _OPERATOR.match(self.source, self.position):
            self.push(OPERATOR, " ".join(self.advance(match.end()).split()))
        elif match := _NAME.match(self.source, self.position):
            self.push(NAME, self.advance(match.end()))
        elif match := self.number():
            self.push(NUMBER, self.advance(match.end()))
        elif self.position < len(self.source):
            self.punctuation_or_text(brackets)

    def after_dot(self) -> bool:
        """Whether a dot comes before: ``a.is`` and ``a.contains`` are keys, not operators."""
        last = self.tokens[-1]
        return last.type == PUNCTUATION and last.value == "."

    def number(self) -> re.Match[str] | None:
        pattern = _INTEGER if self.after_dot() else _NUMBER
        return pattern.match(self.source, self.position)

    def punctuation_or_text(self, brackets: list[tuple[str, int]]) -> None:
        character = self.source[self.position]
        if character == "'":
            self.single_quoted()
        elif character == '"':
            self.double_quoted()
        elif character in _PUNCTUATION:
            self.bracket(character, brackets)
            self.push(PUNCTUATION, character)
            self.advance(self.position + 1)
        else:
            raise self.fail(f"unexpected character `{character}`{_hint(character)}")

    def bracket(self, character: str, brackets: list[tuple[str, int]]) -> None:
        if character in _PAIRS:
            brackets.append((character, self.line))
        elif character in _PAIRS.values():
            if not brackets:
                raise self.fail(f"unexpected `{character}`")
            opened, line = brackets.pop()
            if _PAIRS[opened] != character:
                raise self.fail(f"`{opened}` is not closed", line)

    def single_quoted(self) -> None:
        match = _SINGLE.match(self.source, self.position)
        if match is None:
            raise self.fail("a text beginning with `'` is not closed")
        line = self.line
        self.advance(match.end())
        self.push(STRING, match.group(1).replace("\\'", "'"), line)

    def double_quoted(self) -> None:
        start_line = self.line
        self.advance(self.position + 1)
        parts = 0
        while self.position < len(self.source):
            match = _DOUBLE_PART.match(self.source, self.position)
            if match and match.end() > self.position:
                line = self.line
                text = self.advance(match.end())
                self.push(STRING, text.replace('\\"', '"'), line)
                parts += 1
            elif self.source.startswith('"', self.position):
                if not parts:
                    self.push(STRING, "")
                self.advance(self.position + 1)
                return
            elif self.source.startswith("#{", self.position):
                self.interpolation()
                parts += 1
            else:
                break
        raise self.fail('a text beginning with `"` is not closed', start_line)

    def interpolation(self) -> None:
        start_line = self.line
        self.push(INTERPOLATION_START, "#{")
        self.advance(self.position + 2)
        brackets: list[tuple[str, int]] = []
        while self.position < len(self.source):
            if not brackets and self.source.startswith("}", self.position):
                self.advance(self.position + 1)
                self.push(INTERPOLATION_END, "}")
                return
            if len(self.tokens) > len(self.source):
                break
            self.expression_token(brackets)
        raise self.fail("`#{` is not closed by `}`", start_line)


def _raw_hint(source: str, start: int) -> str:
    """The advice how to write what looks like a comment: mostly the shell's length of a
    variable."""
    length = _LENGTH.match(source, start - 1) if start else None
    if length is None:
        return "; write `{% raw %}{#{% endraw %}` where none is meant"
    return f"; write `{{% raw %}}{length.group()}{{% endraw %}}` for the shell's own `{{#`"


def _hint(character: str) -> str:
    if character == "&":
        return "; write `and`"
    if character == "!":
        return "; write `not`"
    if character in "`“”‘’":
        return "; quote text with ' or \""
    if character == "$":
        return "; a variable is written without `$`"
    return ""


def strip_raw(text: str) -> str:
    """Remove the raw tags and keep what is between them."""
    if "endraw" not in text:
        return text
    parts: list[str] = []
    position = 0
    while match := _RAW.search(text, position):
        end = _END_RAW.search(text, match.end())
        if end is None:
            break
        parts += (text[position : match.start()], text[match.end() : end.start()])
        position = end.end()
    parts.append(text[position:])
    return "".join(parts)
