"""Defaults that their own inputs refuse are told before anything runs."""

from __future__ import annotations

import pytest

from tests.fixtures.flows import warnings

TASKS = "tasks: [{id: a, type: Work}]\n"


def told(declared: str) -> list[str]:
    return warnings(f"inputs:\n  - {{id: n, {declared}}}\n{TASKS}")


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("type: INT, defaults: abc", "expected `INT`, but received `abc`"),
        ("type: INT, defaults: 1.5", "expected `INT`"),
        ("type: INT, defaults: 11, max: 10", "it must be less than `10`"),
        ("type: INT, defaults: 0, min: 1", "it must be more than `1`"),
        ("type: FLOAT, defaults: many", "expected `FLOAT`"),
        ("type: BOOLEAN, defaults: 'maybe'", "expected `true` or `false`"),
        ("type: SELECT, values: [a, b], defaults: c", "it must match the values `[a, b]`"),
        ("type: ENUM, values: [a, b], defaults: c", "it must match the values `[a, b]`"),
        ("type: MULTISELECT, values: [a, b], defaults: [a, c]", "it must match the values"),
        ("type: STRING, validator: '[0-9]+', defaults: a1", "it must match the pattern `[0-9]+`"),
        ("type: DATE, defaults: tomorrow", "expected `DATE`"),
        ("type: DATE, defaults: 2024-01-01, after: 2024-02-01", "it must be after `2024-02-01`"),
        ("type: DATETIME, defaults: noon", "expected `DATETIME`"),
        ("type: TIME, defaults: '25:00:00'", "expected `TIME`"),
        ("type: DURATION, defaults: 5m", "not an ISO-8601 duration"),
        ("type: DURATION, defaults: PT1H, max: PT5M", "it must be less than `PT5M`"),
        ("type: JSON, defaults: '{a'", "expected `JSON`"),
        ("type: EMAIL, defaults: nobody", "must be a valid email"),
        ("type: URI, defaults: nowhere", "expected `URI`"),
        ("type: ARRAY, itemType: INT, defaults: [1, x]", "Unable to parse array element as `INT`"),
    ],
)
def test_a_default_that_the_input_refuses(declared: str, words: str) -> None:
    (found,) = told(declared)
    assert found.startswith("inputs[0].defaults: the input refuses its own default: ")
    assert words in found


@pytest.mark.parametrize(
    "declared",
    [
        "type: INT, defaults: '3', min: 1, max: 3",
        "type: INT, defaults: ''",
        "type: INT, defaults: '{{ vars.n }}'",
        "type: ARRAY, itemType: INT, defaults: ['{{ vars.n }}']",
        "type: JSON, defaults: {a: '{{ vars.n }}'}",
        "type: SELECT, values: [a], allowCustomValue: true, defaults: z",
        "type: SELECT, expression: \"{{ kv('k') }}\", defaults: z",
        "type: SELECT, values: [a], defaults: ''",
        "type: INT, prefill: abc",
        "type: SECRET, validator: '[a-z]+', defaults: {secretKeyRef: {name: s, key: k}}",
    ],
)
def test_a_default_that_may_be_right(declared: str) -> None:
    assert told(declared) == []


def test_the_default_of_a_secret_is_not_shown() -> None:
    (found,) = told("type: SECRET, validator: '[a-z]+', defaults: Hunter2")
    assert "Hunter2" not in found


def test_inputs_that_a_task_asks_for_are_looked_at_too() -> None:
    (found,) = warnings("""
    tasks:
      - id: wait
        type: Pause
        onResume: [{id: rows, type: INT, defaults: few}]
    """)
    assert found.startswith("tasks[0].onResume[0].defaults: ")
