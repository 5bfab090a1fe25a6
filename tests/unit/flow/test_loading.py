"""YAML as people write it: what text means, and what is refused, with the line."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.flow.loading import MAX_BYTES, load_document, load_documents
from penstock.flow.problems import InvalidFlow


def value(text: str) -> Any:
    return load_document(f"v: {text}").value["v"]


def refusal(text: str | bytes) -> tuple[str, int | None]:
    with pytest.raises(InvalidFlow) as refused:
        load_documents(text)
    (problem,) = refused.value.problems
    return str(problem), problem.line


@pytest.mark.parametrize(
    "text",
    [
        "yes", "no", "on", "off", "Yes", "y", "n", "2024-01-01", "2024-01-01T10:00:00Z", "10:30",
        "1.2.3", "08", "0x", "0b11", "1e", "é", "Hello {{ inputs.name }}", "a # no", ".", "+",
        ".inf", ".nan", "nan", "1e999", "3 apples", "1_000.5x", "=", "<<", "12e4567",
        "1234567890123456789012345678901234567890123",
    ],
)  # fmt: skip
def test_what_stays_text(text: str) -> None:
    assert value(text) == text.partition(" #")[0]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0), ("-3", -3), ("+3", 3), ("1_000", 1000), ("1__0", 10), ("010", 8), ("0o17", 15),
        ("0x1F", 31), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("-1.5e-3", -0.0015), ("00", 0),
    ],
)  # fmt: skip
def test_what_is_a_number(text: str, number: float) -> None:
    assert value(text) == number
    assert type(value(text)) is type(number)


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_what_is_nothing(text: str) -> None:
    assert value(text) is None


@pytest.mark.parametrize("text", ["true", "True", "TRUE"])
def test_what_is_true(text: str) -> None:
    assert value(text) is True
    assert value(text.replace("r", "R")) in (True, text.replace("r", "R"))


@pytest.mark.parametrize("text", ["'12'", '"12"', "|-\n  12", ">-\n  12"])
def test_quoted_and_block_text_is_text(text: str) -> None:
    assert value(text) == "12"


def test_keys_are_text() -> None:
    document = load_document("on: 1\ntrue: 2\n3: 4\n2024-01-01: 5\nnull: 6\n")
    assert document.value == {"on": 1, "true": 2, "3": 4, "2024-01-01": 5, "null": 6}


def test_lines_of_the_other_systems_and_marks_of_their_editors() -> None:
    document = load_document("\ufeffid: a\r\ntasks:\r\n  - id: é🚀\r\n".encode())
    assert document.value == {"id": "a", "tasks": [{"id": "é🚀"}]}
    assert document.lines[("tasks", 0, "id")] == 3


def test_each_value_has_its_line_and_others_that_of_their_parent() -> None:
    document = load_document("a:\n  b:\n    - c: 1\n      d: 2\n")
    assert document.line_of(("a", "b", 0, "d")) == 4
    assert document.line_of(("a", "b", 0, "missing", "x")) == 3
    assert document.line_of(("nowhere",)) == 1


def test_several_documents_and_empty_ones() -> None:
    documents = load_documents("---\na: 1\n---\n---\n# nothing\n---\nb: 2\n")
    assert [document.value for document in documents] == [{"a": 1}, {"b": 2}]
    assert documents[1].lines[("b",)] == 7


@pytest.mark.parametrize("text", ["", "# only a comment", "a: 1\n---\nb: 2"])
def test_exactly_one_document_where_one_is_wanted(text: str) -> None:
    with pytest.raises(InvalidFlow, match="expected one YAML document, found"):
        load_document(text)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: 1\nb: {{ x }}", "b: an expression that begins a value must be quoted", 2),
        ("a:\n  - {{ x }}", "a[0]: an expression that begins a value must be quoted", 2),
        ("a: {{ x }} and more", "must be quoted", 1),
        ("a: 1\nb: {{ json(x) }}\nc: 1", "must be quoted", 2),
        ("- {{ json(x) }}: y", "must be quoted", 1),
        ("a: [{{ x }} b]", "must be quoted", 1),
        ("a: 1\nb: 2\na: 3", "a: duplicate key `a`", 3),
        ("a:\n  b: 1\n  'b': 2", "a.b: duplicate key `b`", 3),
        ("a: &x 1\nb: *x", "b: aliases (`*name`) are not allowed", 2),
        ("a: &x [*x]", "a[0]: aliases", 1),
        ("*x : 1", "a key must be plain or quoted text", 1),
        ("? [a]\n: 1", "a key must be plain or quoted text", 1),
        ("a: !!str 1", "the tag `tag:yaml.org,2002:str` is not allowed", 1),
        ("a: !!python/object:os.system {}", "the tag", 1),
        ("a: !foo b", "a: the tag `!foo` is not allowed", 1),
        ('a: """text"""', '`"""` means nothing in YAML', 1),
        ("a:\n\tb: 1", "indented with spaces, not with tabs", 2),
        ("tasks:\n  - a: b\n   c: d", "not valid YAML", 3),
        ("a: 'x", "not valid YAML", 1),
        ("a: b\n c: d", "mapping values are not allowed", 2),
        ("username: **", "not valid YAML", 1),
        ("a: é\nb: \x01", "control characters are not allowed", 2),
        (b"a: 1\nb: \xff", "the file is not UTF-8 text", 2),
        ("a: \ud800", "the file is not UTF-8 text", 1),
        ("x" * (MAX_BYTES + 1), "the file is larger than 1048576 bytes", None),
        ("é" * (MAX_BYTES // 2 + 1), "the file is larger than", None),
    ],
)
def test_what_is_refused(text: str | bytes, message: str, line: int | None) -> None:
    told, where = refusal(text)
    assert message in told
    assert where == line


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "{a: ["])
def test_deep_nesting_is_refused_and_does_not_end_the_process(opening: str) -> None:
    told, _ = refusal(opening * (MAX_BYTES // len(opening)))
    assert "nested deeper than 120 levels" in told or "must be quoted" in told


def test_tabs_and_comments_inside_block_text_stay() -> None:
    assert value("|\n  a\tb\n  # c\n") == "a\tb\n# c\n"


def test_expressions_in_plain_text_stay() -> None:
    assert value("Hello {{ x ?? 'y' }}") == "Hello {{ x ?? 'y' }}"


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InvalidFlow):
        load_documents(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(InvalidFlow):
        load_documents(data)


@given(st.from_regex(r"\A[-+_0-9.eExXoabnif]{1,45}\Z"))
def test_anything_like_a_number_is_finite_or_text(text: str) -> None:
    found = value(f"'{text}'")
    assert found == text
    plain = load_document(f"[{text}]").value[0]
    assert plain is None or isinstance(plain, str | int | float)
    assert plain not in (float("inf"), float("-inf"))
