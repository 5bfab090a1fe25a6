"""Read flow YAML from text: one loader for Git files, the CLI and the tests.

Kestra reads YAML with Jackson, kubectl with a Go library, and PyYAML differs from both: keys are
text here (``on:``, ``true:`` in Switch cases), ``yes``/``no``/``on``/``off`` and dates stay text,
octals are numbers, and a key that comes twice is an error. The C parser of PyYAML does the parsing;
its marks give each value's line.

Text is untrusted: aliases are refused (none of 3,597 public flows has one, and they can grow
without bound), as are tags, and size and depth are limited. Values are built from the parser's
events: its composer recurses in C, and deep nesting would end the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from penstock.flow.limits import MAX_LEVELS, too_deep
from penstock.flow.problems import InvalidFlow, Location, Problem
from penstock.flow.scalars import plain_value

MAX_BYTES = 1_048_576
MAX_DEPTH = MAX_LEVELS + 1
"""Levels of a file: those of a flow, and one for the `spec` of a manifest."""

_QUOTE_IT = (
    'an expression that begins a value must be quoted: write "{{ … }}" with quotes around it'
)
_UNQUOTED_EXPRESSION = re.compile(r"(?:^|[:\-,\[]\s+)\{\{")


@dataclass(frozen=True)
class SourceDocument:
    """One YAML document: its plain values and the line on which each begins."""

    value: Any
    lines: dict[Location, int] = field(default_factory=dict)

    def line_of(self, location: Location) -> int | None:
        """The line of a location, or of its nearest parent that stands in the text."""
        for end in range(len(location), -1, -1):
            if location[:end] in self.lines:
                return self.lines[location[:end]]
        return None


def load_documents(text: str | bytes) -> list[SourceDocument]:
    """Read every YAML document in a text; empty ones are left out.

    Raises :class:`InvalidFlow` with the line where the text is not YAML, or not YAML that a flow
    can be written in.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > MAX_BYTES:
        _refuse(f"the file is larger than {MAX_BYTES} bytes", None)
    decoded = _decode(raw).removeprefix("\ufeff")
    try:
        return list(_documents(decoded))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _refuse(_words(error, decoded), mark.line + 1 if mark else None)
    except yaml.reader.ReaderError as error:
        line = raw.count(b"\n", 0, error.position) + 1
        _refuse(f"the file is not valid YAML: {error.reason}", line)
    except yaml.YAMLError as error:
        _refuse(f"the file is not valid YAML: {error}", None)


def load_document(text: str | bytes) -> SourceDocument:
    """Read a text that must hold exactly one YAML document."""
    documents = load_documents(text)
    if len(documents) != 1:
        _refuse(f"expected one YAML document, found {len(documents)}", None)
    return documents[0]


def _decode(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        _refuse("the file is not UTF-8 text", line)


def _documents(text: str) -> Iterator[SourceDocument]:
    parser = yaml.CSafeLoader(text)
    try:
        while not parser.check_event(yaml.StreamEndEvent):
            if parser.check_event(yaml.StreamStartEvent, yaml.DocumentEndEvent):
                parser.get_event()
            elif parser.check_event(yaml.DocumentStartEvent):
                parser.get_event()
                reader = _DocumentReader(parser)
                value = reader.read(())
                if value is not None:
                    yield SourceDocument(value, reader.lines)
    finally:
        parser.dispose()


def _words(error: yaml.MarkedYAMLError, text: str) -> str:
    """The parser's message, and what the author most probably has to do."""
    reason = error.problem or "not YAML"
    if error.context:
        reason = f"{reason} ({error.context})"
    lines = text.splitlines()
    marked = [
        lines[mark.line]
        for mark in (error.problem_mark, error.context_mark)
        if mark is not None and mark.line < len(lines)
    ]
    hint = ""
    if any(_UNQUOTED_EXPRESSION.search(line) for line in marked):
        hint = f"; {_QUOTE_IT}"
    elif any('"""' in line for line in marked):
        hint = '; `"""` means nothing in YAML: write text of several lines after `|`'
    elif "\t" in "".join(line[: len(line) - len(line.lstrip())] for line in marked):
        hint = "; lines are indented with spaces, not with tabs"
    return f"the file is not valid YAML: {reason}{hint}"


class _DocumentReader:
    """Builds plain values from one document's events, and notes the line of each."""

    def __init__(self, parser: yaml.CSafeLoader) -> None:
        self._parser = parser
        self.lines: dict[Location, int] = {}

    def read(self, at: Location) -> Any:
        event, line = self._next()
        self.lines.setdefault(at, line)
        if len(at) > MAX_DEPTH:
            raise InvalidFlow([too_deep(at, line)])
        if isinstance(event, yaml.AliasEvent):
            _refuse("aliases (`*name`) are not allowed in a flow", line, at)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if event.tag is not None:
            _refuse(f"the tag `{event.tag}` is not allowed in a flow", line, at)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(at)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(at)
        assert isinstance(event, yaml.ScalarEvent)
        return event.value if event.style else plain_value(event.value)

    def _sequence(self, at: Location) -> list[Any]:
        items: list[Any] = []
        while not self._parser.check_event(yaml.SequenceEndEvent):
            items.append(self.read((*at, len(items))))
        self._parser.get_event()
        return items

    def _mapping(self, at: Location) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not self._parser.check_event(yaml.MappingEndEvent):
            key, line = self._key(at)
            if key in mapping:
                _refuse(f"duplicate key `{key}`", line, (*at, key))
            self.lines[(*at, key)] = line
            mapping[key] = self.read((*at, key))
        self._parser.get_event()
        return mapping

    def _key(self, at: Location) -> tuple[str, int]:
        event, line = self._next()
        if isinstance(event, yaml.MappingStartEvent):
            _refuse(_QUOTE_IT, line, at)
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
            _refuse("a key must be plain or quoted text", line, at)
        return str(event.value), line

    def _next(self) -> tuple[yaml.Event, int]:
        event = self._parser.get_event()
        assert event is not None
        assert event.start_mark is not None
        return event, event.start_mark.line + 1


def _refuse(message: str, line: int | None, at: Location = ()) -> NoReturn:
    raise InvalidFlow([Problem(at, message, code="yaml", line=line)])
