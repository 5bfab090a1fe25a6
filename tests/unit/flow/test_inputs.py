"""Inputs: what is declared, what may be given, what comes of it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from penstock.engine.decision.inputs import InvalidInputs, resolve_inputs
from penstock.flow.inputs import nest
from penstock.flow.model import format_duration, parse_duration
from penstock.flow.values import type_value
from tests.fixtures import flows
from tests.fixtures.engine import Given, refused_input

TASKS = "tasks: [{id: a, type: Work}]\n"


def typed(declared: str, value: Any) -> Any:
    flow = flows.flow(f"{TASKS}inputs: [{{id: i, {declared}}}]")
    return type_value(flow.inputs[0], value)


def refused(declared: str, value: Any) -> str:
    return refused_input(lambda: typed(declared, value))


@pytest.mark.parametrize(
    ("declared", "given", "value"),
    [
        ("type: STRING", "x", "x"),
        ("type: STRING", 3, "3"),
        ("type: STRING", True, "true"),
        ("type: STRING", {"a": 1}, '{"a":1}'),
        ("type: STRING, validator: '[a-z]+\\d'", "abc1", "abc1"),
        ("type: STRING, validator: '\\p{Lu}.*'", "Émile", "Émile"),
        ("type: INT", "42", 42),
        ("type: INT", " -7 ", -7),
        ("type: INT", 3.0, 3),
        ("type: INT, min: 1, max: 3", 3, 3),
        ("type: FLOAT", "1.5", 1.5),
        ("type: FLOAT", 2, 2.0),
        ("type: BOOLEAN", "True", True),
        ("type: BOOL", False, False),
        ("type: SELECT, values: [a, 2]", 2, "2"),
        ("type: SELECT, values: [a], allowCustomValue: true", "z", "z"),
        ("type: ENUM, values: [a, b]", "b", "b"),
        ("type: MULTISELECT, values: [a, b]", '["b", "a"]', ["b", "a"]),
        ("type: MULTISELECT, options: [1, 2], itemType: INT", [2], [2]),
        ("type: DATETIME", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        (
            "type: DATETIME, after: 2024-01-01",
            "2024-01-01T00:00:01+00:00",
            "2024-01-01T00:00:01+00:00",
        ),
        ("type: DATE, before: 2024-12-31", "2024-12-31", "2024-12-31"),
        ("type: TIME, after: '10:00'", "10:00:01Z", "10:00:01Z"),
        ("type: DURATION", "P1DT2H", "PT26H"),
        ("type: DURATION, max: PT1H", "pt60m", "PT1H"),
        ("type: JSON", '{"a": [1]}', {"a": [1]}),
        ("type: JSON", [1], [1]),
        ("type: YAML", "a: [1]", {"a": [1]}),
        ("type: URI", "https://x/y", "https://x/y"),
        ("type: EMAIL", "a@b.org", "a@b.org"),
        ("type: EMAIL", "", ""),
        ("type: ARRAY, itemType: INT", '["1", 2]', [1, 2]),
        ("type: ARRAY, itemType: STRING", [1], ["1"]),
    ],
)
def test_a_value_becomes_the_declared_type(declared: str, given: Any, value: Any) -> None:
    found = typed(declared, given)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("declared", "given", "told"),
    [
        ("type: STRING, validator: '[a-z]+'", "a1", "it must match the pattern `[a-z]+`"),
        ("type: STRING, validator: '(a+)+b'", "a" * 40, "`(a+)+b`"),
        ("type: STRING, validator: a*", "a" * 10_001, "longer than 10000 characters"),
        ("type: INT", "abc", "expected `INT`, but received `abc`"),
        ("type: INT", "1_0", "expected `INT`"),
        ("type: INT", 1.5, "expected `INT`"),
        ("type: INT", True, "expected `INT`"),
        ("type: INT", str(2**63), "expected `INT`"),
        ("type: INT", "9" * 5000, "expected `INT`"),
        ("type: INT, min: 3", 2, "it must be more than `3`, but received `2`"),
        ("type: INT, max: 3", 4, "it must be less than `3`"),
        ("type: FLOAT", "nan", "expected `FLOAT`"),
        ("type: FLOAT", "1e999", "expected `FLOAT`"),
        ("type: FLOAT, min: 1.5", 1, "it must be more than `1.5`"),
        ("type: BOOL", "yes", "expected `true` or `false`"),
        ("type: SELECT, values: [a, b]", "c", "it must match the values `[a, b]`"),
        ("type: MULTISELECT, values: [a]", ["a", "c"], "it must match the values `[a]`"),
        ("type: MULTISELECT, values: [a]", "a", "expected a JSON array"),
        ("type: DATETIME", "soon", "expected `DATETIME` in ISO-8601 form"),
        ("type: DATETIME, after: 2024-01-01", "2023-12-31T23:59:59Z", "it must be after"),
        ("type: DATE, before: 2024-01-01", "2024-01-02", "it must be before `2024-01-01`"),
        ("type: TIME", "25:00", "expected `TIME`"),
        ("type: DURATION", "5m", "is not an ISO-8601 duration"),
        ("type: DURATION, min: PT5M", "PT1M", "it must be more than `PT5M`"),
        ("type: JSON", "{", "expected `JSON` ("),
        ("type: JSON", "[NaN]", "`NaN` is not JSON"),
        ("type: JSON", "[1e999]", "the number `1e999` is too large"),
        ("type: JSON", "[" * 100_000, "expected `JSON` ("),
        ("type: YAML", "a: *b", "expected `YAML`"),
        ("type: URI", "nowhere", "expected `URI`"),
        ("type: EMAIL", "a@b.c\n", "The input must be a valid email"),
        ("type: ARRAY, itemType: INT", '["x"]', "Unable to parse array element as `INT` on `x`"),
        ("type: ARRAY, itemType: INT", "{}", "expected a JSON array"),
    ],
)
def test_a_value_that_does_not_fit(declared: str, given: Any, told: str) -> None:
    message = refused(declared, given)
    assert message.startswith("Invalid input for `i`, ")
    assert told in message


def test_a_secret_never_stands_in_a_message() -> None:
    assert "hunter2" not in refused("type: SECRET, validator: '[0-9]+'", "hunter2")


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("type: STRING, validator: '['", "invalid pattern [[]"),
        ("type: ARRAY", "an input of type ARRAY needs an `itemType`"),
        ("type: ARRAY, itemType: ARRAY", "`itemType` cannot be `ARRAY`"),
        ("type: SELECT", "an input of type SELECT needs `values` or an `expression`"),
        ("type: ENUM", "an input of type ENUM needs `values`"),
        ("type: INT, min: few", "`min` is not of type INT: `few`"),
        ("type: DATE, after: tomorrow", "`after` is not of type DATE: `tomorrow`"),
        ("type: DURATION, max: 5m", "`max` is not of type DURATION"),
        ("type: TEXT", "`TEXT` is not one of 'STRING'"),
        ("type: STRING, default: x", "unknown property `default`; did you mean `defaults`?"),
        ("type: STRING, dependsOn: {inputs: [z]}", "depends on a non-existent input 'z'"),
        ("type: STRING, dependsOn: {inputs: [i]}", "Cycle dependency detected for input with id"),
    ],
)
def test_a_declaration_that_makes_no_sense(declared: str, told: str) -> None:
    found = flows.reasons(f"{TASKS}inputs: [{{id: i, {declared}}}]")
    assert len(found) == 1
    assert told in found[0]


def test_ids_of_inputs() -> None:
    assert flows.flow(TASKS + "inputs: [{name: old, type: INT}]").inputs[0].id == "old"
    (found,) = flows.reasons(TASKS + "inputs: [{id: a, type: INT}, {id: a, type: INT}]")
    assert found == "line 2: inputs[1].id: Duplicate input id with name [a]"
    cycle = "inputs: [{id: a, type: INT, dependsOn: {inputs: [b]}}, "
    cycle += "{id: b, type: INT, dependsOn: {inputs: [a]}}]"
    assert len(flows.reasons(TASKS + cycle)) == 2


def depending(last: str) -> str:
    """Many inputs, each of which depends on the one before; and the last one, which is also
    the first, on another."""
    chain = "".join(
        f"  - {{id: i{number}, type: INT, dependsOn: {{inputs: [i{number - 1}]}}}}\n"
        for number in range(1, 1500)
    )
    return f"{TASKS}inputs:\n  - {{id: i0, type: INT{last}}}\n{chain}"


def test_a_long_chain_of_inputs_is_no_cycle_and_is_followed_once() -> None:
    begin = time.process_time()
    assert len(flows.flow(depending("")).inputs) == 1500
    assert time.process_time() - begin < 5  # each input looked for from each other took 30 s


def test_an_input_that_depends_on_a_cycle_is_not_told_to_be_one() -> None:
    (found,) = flows.reasons(depending(", dependsOn: {inputs: [i0]}"))
    assert "Cycle dependency detected for input with id 'i0'" in found


def test_a_long_cycle_is_found_in_one_walk() -> None:
    ring = ", ".join(
        f"{{id: i{n}, type: STRING, dependsOn: {{inputs: [i{(n + 1) % 8000}]}}}}"
        for n in range(8000)
    )
    begin = time.process_time()
    found = flows.reasons(f"inputs: [{ring}]\ntasks: [{{id: a, type: Work}}]")
    assert "Cycle dependency detected for input with id 'i0'" in found[0]
    assert time.process_time() - begin < 30  # input by input it took half an hour


@pytest.mark.parametrize(
    "pattern", ["(" * 24 + "a" + ")+" * 24, "(a{900}){900}", "((a{1,900}){1,900})?", "a" * 3000]
)
def test_a_pattern_that_would_take_gigabytes_is_refused(pattern: str) -> None:
    (found,) = flows.reasons(
        f"inputs: [{{id: i, type: STRING, validator: '{pattern}'}}]\ntasks: [{{id: a, type: Work}}]"
    )
    assert "invalid pattern [" in found
    assert len(found) < 400


def resolved(inputs: str, **given: Any) -> dict[str, Any]:
    """The inputs that an execution gets, with the real expressions."""
    world = Given(f"inputs: [{inputs}]\ntasks: [{{id: a, type: Work}}]").inputs(**given).begin()
    if world.status.message:
        raise AssertionError(world.status.message)
    return dict(world.status.inputs)


@pytest.mark.parametrize(
    ("inputs", "given", "values"),
    [
        ("{id: a, type: INT, defaults: 3}", {}, {"a": 3}),
        ("{id: a, type: INT, defaults: 3}", {"a": "4"}, {"a": 4}),
        ("{id: a, type: INT, defaults: 3}", {"a": None}, {"a": 3}),
        ("{id: a, type: INT, required: false}", {}, {"a": None}),
        ("{id: a, type: INT, required: false}", {"unknown": 1}, {"a": None}),
        ("{id: a, type: DATE, defaults: 2024-01-01}", {}, {"a": "2024-01-01"}),
        ('{id: a, type: INT, defaults: "{{ 1 + 2 }}"}', {}, {"a": 3}),
        ("{id: a, type: SELECT, values: [x, y], autoSelectFirst: true}", {}, {"a": "x"}),
        ("{id: a, type: MULTISELECT, values: [x, y], autoSelectFirst: true}", {}, {"a": ["x"]}),
        ('{id: a, type: SELECT, expression: "{{ [1, 2] }}"}', {"a": "2"}, {"a": "2"}),
        ("{id: a, type: SELECT, expression: '[\"x\"]'}", {"a": "x"}, {"a": "x"}),
        (
            '{id: b, type: STRING, defaults: "{{ inputs.a }}!", dependsOn: {inputs: [a]}}, '
            "{id: a, type: STRING, defaults: x}",
            {},
            {"b": "x!", "a": "x"},
        ),
        (
            "{id: a, type: BOOL, defaults: false}, "
            '{id: b, type: STRING, dependsOn: {inputs: [a], condition: "{{ inputs.a }}"}}, '
            "{id: c, type: STRING, dependsOn: {inputs: [b]}}",
            {"b": "given"},
            {"a": False},
        ),
    ],
)
def test_defaults_and_dependencies(
    inputs: str, given: dict[str, Any], values: dict[str, Any]
) -> None:
    assert resolved(inputs, **given) == values


NO_TEXTS = [
    "INT", "FLOAT", "BOOL", "BOOLEAN", "DATETIME", "DATE", "TIME", "DURATION", "FILE", "JSON",
    "YAML", "URI", "ARRAY, itemType: INT", "SELECT, values: [x]", "ENUM, values: [x]",
    "MULTISELECT, values: [x]", "SELECT, values: [x], allowCustomValue: true",
]  # fmt: skip


@pytest.mark.parametrize("type", NO_TEXTS)
def test_an_empty_text_is_no_value_of_a_type_that_is_no_text(type: str) -> None:
    assert resolved(f"{{id: a, type: {type}, required: false}}", a="") == {"a": None}
    with pytest.raises(AssertionError, match="Invalid input for `a`, missing required input"):
        resolved(f"{{id: a, type: {type}}}", a="")


@pytest.mark.parametrize("type", ["STRING", "EMAIL", "SECRET", "SELECT, values: [x, '']"])
def test_an_empty_text_stays_where_it_is_a_value(type: str) -> None:
    assert typed(f"type: {type}", "") == ""
    assert resolved(f"{{id: a, type: {type}, defaults: x}}", a="").get("a") != "x"


@pytest.mark.parametrize(
    ("inputs", "given", "values"),
    [
        ("{id: a, type: INT, defaults: 3}", {"a": ""}, {"a": 3}),
        ("{id: a, type: SELECT, values: [x, y], defaults: y}", {"a": ""}, {"a": "y"}),
        ("{id: a, type: SELECT, values: [x], autoSelectFirst: true}", {"a": ""}, {"a": "x"}),
        ("{id: a, type: INT, required: false, defaults: '{{ null }}'}", {}, {"a": None}),
        ("{id: a, type: INT, required: false, defaults: ''}", {}, {"a": None}),
        ("{id: a, type: INT, required: false, prefill: 3}", {"a": ""}, {"a": None}),
        (
            "{id: a, type: INT, required: false}, {id: b, type: STRING, defaults: none, "
            "dependsOn: {inputs: [a], condition: '{{ inputs.a is null }}'}}",
            {"a": "", "b": "given"},
            {"a": None, "b": "given"},
        ),
    ],
)
def test_a_default_takes_the_place_of_an_empty_text(
    inputs: str, given: dict[str, Any], values: dict[str, Any]
) -> None:
    assert resolved(inputs, **given) == values


DISABLED = "{{id: on, type: BOOL, defaults: false}}, {{id: a, {}, dependsOn: {{inputs: [on], \
condition: '{{{{ inputs.on }}}}'}}}}"


@pytest.mark.parametrize(
    ("declared", "seen"),
    [
        ("type: INT, defaults: 3", {"a": 3}),
        ("type: INT, defaults: '{{ 1 + 2 }}'", {"a": 3}),
        ("type: BOOL, defaults: false", {"a": False}),
        ("type: SELECT, values: [x], autoSelectFirst: true", {"a": "x"}),
        ("type: INT", {}),
        ("type: INT, defaults: '{{ nothing }}'", {}),
        ("type: INT, defaults: many", {}),
    ],
)
def test_a_disabled_input_has_its_default_whatever_was_given(
    declared: str, seen: dict[str, Any]
) -> None:
    assert resolved(DISABLED.format(declared), a="7") == {"on": False, **seen}


def test_what_depends_on_a_disabled_input_is_disabled_as_well() -> None:
    inputs = DISABLED.format("type: INT, defaults: 3") + (
        ", {id: b, type: INT, defaults: '{{ inputs.a + 1 }}', dependsOn: {inputs: [a]}}"
    )
    assert resolved(inputs, b="9") == {"on": False, "a": 3, "b": 4}


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (
            "{id: a, type: INT}",
            "Invalid input for `a`, missing required input, but received `null`",
        ),
        ('{id: a, type: INT, defaults: "{{ nothing }}"}', "`a`, its `defaults` can't be rendered"),
        ('{id: a, type: SELECT, expression: "{{ 3 }}"}', "its `expression` must give a list"),
    ],
)
def test_what_an_execution_lacks(inputs: str, told: str) -> None:
    with pytest.raises(AssertionError) as failure:
        resolved(inputs)
    assert told in str(failure.value)


def test_every_problem_is_told() -> None:
    flow = flows.flow(TASKS + "inputs: [{id: a, type: INT}, {id: b, type: INT}]")
    with pytest.raises(InvalidInputs) as refused_ones:
        resolve_inputs(flow.inputs, {"b": "x"}, lambda template, known: template)
    assert len(refused_ones.value.problems) == 2


def test_dotted_ids_are_nested() -> None:
    assert nest({"a.b": 1, "a.c.d": 2, "e": 3}) == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}


@pytest.mark.parametrize(
    ("text", "java"),
    [
        ("PT0S", "PT0S"), ("P1D", "PT24H"), ("P1W", "PT168H"), ("PT90S", "PT1M30S"),
        ("PT0.5S", "PT0.5S"), ("-PT5S", "PT-5S"), ("PT-5S", "PT-5S"), ("PT1H-30M", "PT30M"),
        ("PT1000000H", "PT1000000H"),
    ],
)  # fmt: skip
def test_durations_are_written_as_java_does_and_read_again(text: str, java: str) -> None:
    assert format_duration(parse_duration(text)) == java
    assert parse_duration(java) == parse_duration(text)


@pytest.mark.parametrize("given", ["text", "value"])
@pytest.mark.parametrize("levels", [101, 900])
def test_an_input_that_is_nested_too_deep_is_refused_without_showing_it(
    given: str, levels: int
) -> None:
    text = "[" * levels + "]" * levels

    told = refused("type: JSON", text if given == "text" else json.loads(text))

    assert "`i`, it is nested deeper than 100 levels" in told


def test_an_input_of_a_hundred_levels_is_taken() -> None:
    value = json.loads("[" * 100 + "]" * 100)

    assert typed("type: JSON", value) == value
