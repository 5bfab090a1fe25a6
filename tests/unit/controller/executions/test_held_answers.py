"""How much memory answers take for each tenant, whatever its executions read."""

from __future__ import annotations

import json
import sys
import tracemalloc

import pytest

from penstock.controller.executions.held_answers import HeldAnswers, size_of


def test_a_tenant_holds_no_more_than_its_bound() -> None:
    held = HeldAnswers(in_all=100, of_tenant=40)
    assert held.take("a", 30)
    assert not held.take("a", 11)
    assert held.take("a", 10)
    held.give_back("a", 40)
    assert held.take("a", 40)


def test_what_others_hold_takes_no_tenant_its_part() -> None:
    # given: three tenants that hold all that there is
    held = HeldAnswers(in_all=120, of_tenant=40)
    assert all(held.take(hostile, 40) for hostile in "abc")
    # then: a fourth one has its part, those before it none more
    assert held.take("team", 30)
    assert not held.take("team", 1)
    assert not held.take("a", 1)
    # and where one has given all back, nothing is left of it
    held.give_back("a", 40)
    held.give_back("b", 40)
    assert held.take("team", 10)


@pytest.mark.parametrize("text", ["[]", "{}", '"é"', '"x"', "[[1,2],[3]]", '{"a":[{"b":null}]}'])
def test_a_size_is_at_least_what_the_values_take(text: str) -> None:
    many = f"[{','.join([text] * 10_000)}]"
    tracemalloc.start()
    try:
        value = json.loads(many)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.95 * taken < size_of(value)


def test_a_text_counts_as_it_stands_in_memory() -> None:
    text = "a" * 1000 + "\N{ROCKET}"
    assert size_of(text) == sys.getsizeof(text) > 4000
