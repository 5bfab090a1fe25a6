"""How deep values are nested is measured without a stack, however deep that is."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.nesting import MAX_NESTING, deep_name, is_deeper


def lists(levels: int) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = [value]
    return value


def maps(levels: int) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = {"in": 1, "value": value}
    return value


@pytest.mark.parametrize("nested", [lists, maps])
def test_a_value_is_too_deep_from_one_level_beyond_the_limit(nested: Any) -> None:
    assert not is_deeper(nested(MAX_NESTING))
    assert is_deeper(nested(MAX_NESTING + 1))
    assert is_deeper(nested(100_000))


@pytest.mark.parametrize("value", [None, "[[[", 1, [], {}, [[1, 2], {"a": []}]])
def test_what_people_write_is_not(value: Any) -> None:
    assert not is_deeper(value)


def test_the_longest_way_counts_whatever_stands_beside_it() -> None:
    assert is_deeper([1, {"flat": 2}, {"deep": [lists(99)]}])


def test_the_deep_one_of_several_values_is_named() -> None:
    assert deep_name({"flat": [1], "deep": lists(101)}) == "deep"
    assert deep_name({"flat": [1]}) is None
    assert deep_name(None) is None
