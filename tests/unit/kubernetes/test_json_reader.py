"""An answer is read whatever is nested in it; only what is too deep is cut, and only there."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from penstock.controller.app.watching import shallow_line
from penstock.kubernetes.api.json_reader import (
    LEVELS_OF_EVENT,
    LEVELS_OF_LIST,
    OBJECT_LEVELS,
    cut_text,
    read_json,
    shallow_text,
)
from penstock.kubernetes.api.large_values import CUT
from penstock.nesting import is_deeper
from penstock.tasks.contract.kv_effects import MAX_VALUE_BYTES


def lists(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def object_of(name: str, value: bytes) -> bytes:
    return b'{"metadata": {"name": "%s"}, "spec": {"value": %s}}' % (name.encode(), value)


@pytest.mark.parametrize("levels", [201, 500, 3_000, 9_900, 100_000])
def test_of_a_list_the_deep_object_alone_is_cut(levels: int) -> None:
    flat, deep = object_of("flat", b'{"a": [1, "]]}"]}'), object_of("deep", lists(levels))
    page = b'{"items": [%s, %s, %s], "metadata": {"resourceVersion": "7"}}' % (flat, deep, flat)

    read = read_json(page, LEVELS_OF_LIST)

    assert [item["metadata"]["name"] for item in read["items"]] == ["flat", "deep", "flat"]
    assert read["items"][0] == read["items"][2] == json.loads(flat)
    assert read["metadata"] == {"resourceVersion": "7"}
    cut = read["items"][1]
    assert is_deeper(cut, OBJECT_LEVELS - 1)
    assert not is_deeper(cut, OBJECT_LEVELS)


def test_an_object_is_cut_alike_alone_in_a_list_and_in_an_event() -> None:
    deep = object_of("deep", lists(3_000))

    alone = read_json(deep)

    assert read_json(b'{"items": [%s]}' % deep, LEVELS_OF_LIST)["items"] == [alone]
    event = b'{"type": "ADDED", "object": %s}' % deep
    assert json.loads(shallow_line(event))["object"] == alone
    assert read_json(event, LEVELS_OF_EVENT)["object"] == alone


def keyvalue(value: Any, kind: str = "KeyValue") -> bytes:
    spec = {"namespace": "company.team", "key": "k", "value": value}
    return json.dumps({"kind": kind, "metadata": {"name": "k"}, "spec": spec}).encode()


@pytest.mark.parametrize(
    "value", ["x" * MAX_VALUE_BYTES, ["x"] * MAX_VALUE_BYTES, {"ö" * MAX_VALUE_BYTES: 1}]
)
def test_a_value_that_is_too_large_is_cut_alike_alone_in_a_list_and_in_an_event(value: Any) -> None:
    large, small = keyvalue(value), keyvalue(["small"])

    alone = read_json(large)

    assert alone["spec"] == {"namespace": "company.team", "key": "k", "value": None}
    assert alone[CUT] == len(json.dumps(value, ensure_ascii=False).encode())
    page = read_json(b'{"items": [%s, %s]}' % (small, large), LEVELS_OF_LIST)
    assert page["items"] == [json.loads(small), alone]
    event = b'{"type": "ADDED", "object": %s}' % large
    assert json.loads(shallow_line(event)) == {"type": "ADDED", "object": alone}


def test_values_that_have_room_and_other_kinds_are_read_whole() -> None:
    # A text that is as large as the value alone may be: with what is around it, it is larger.
    for text in (keyvalue("x" * (MAX_VALUE_BYTES - 2)), keyvalue("x" * 10**6, kind="Execution")):
        assert read_json(text) == json.loads(text)
        assert shallow_text(text) == text


def test_an_object_that_is_as_deep_as_may_be_is_read_whole() -> None:
    text = object_of("run", lists(OBJECT_LEVELS - 2))

    assert read_json(text) == json.loads(text)
    assert shallow_text(text) == text


@pytest.mark.parametrize("line", [b"", b"{", b'{"a": "' + b"[" * 1_000, b"no JSON" + b"[" * 300])
def test_a_line_that_is_no_json_is_left_as_it_is(line: bytes) -> None:
    assert shallow_line(line) == line


def test_brackets_in_texts_count_for_nothing() -> None:
    line = json.dumps({"a": "[" * 5_000, 'b"]\\': ['"]', "\\", '\\"{{{' * 500]}).encode()

    assert shallow_line(line) == line
    assert cut_text(line, 2) == line


@pytest.mark.parametrize("seed", range(20))
def test_what_is_cut_is_the_value_down_to_that_level(seed: int) -> None:
    value = _any_value(random.Random(seed), 8)

    cut = json.loads(cut_text(json.dumps(value).encode(), 3))

    assert cut == _down_to(value, 3)


def test_an_object_of_a_megabyte_is_cut_in_a_moment() -> None:
    text = lists(700_000)
    before = time.process_time()

    read_json(text)

    assert time.process_time() - before < 5


def _any_value(chosen: random.Random, levels: int) -> Any:
    kind = chosen.choice("tln" if levels else "t")
    if kind == "t":
        return chosen.choice([None, 1, "]", '"', "\\", '[{"\\'])
    items = [_any_value(chosen, levels - 1) for _ in range(chosen.randrange(4))]
    return items if kind == "l" else {f'{number}"{{': item for number, item in enumerate(items)}


def _down_to(value: Any, levels: int) -> Any:
    if isinstance(value, dict | list) and levels == 0:
        return None
    if isinstance(value, list):
        return [_down_to(item, levels - 1) for item in value]
    if isinstance(value, dict):
        return {key: _down_to(item, levels - 1) for key, item in value.items()}
    return value
