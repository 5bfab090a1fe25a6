"""`penstock kv`: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fixtures.memory_api import MemoryApi
from tests.unit.cli.conftest import Call, ConnectTo

TEAM = "company.team"


@pytest.fixture(autouse=True)
def cluster(connect_to: ConnectTo) -> MemoryApi:
    api = MemoryApi()
    connect_to(api)
    return api


def test_what_is_set_is_got(call: Call) -> None:
    assert call("kv", "set", TEAM, "limits", '{"max": 3}').out == "set company.team limits\n"

    assert json.loads(call("kv", "get", TEAM, "limits").out) == {"max": 3}
    elsewhere = call("kv", "get", TEAM, "limits", "-n", "other")
    words = "error: The key 'limits' does not exist in the namespace 'company.team'.\n"
    assert (elsewhere.code, elsewhere.err) == (1, words)


@pytest.mark.parametrize(
    ("options", "value"),
    [
        (["5"], 5),
        (["5", "--type", "STRING"], "5"),
        (["5", "-t", "NUMBER"], 5),
        (["true", "-t", "BOOLEAN"], True),
        (["PT5M", "-t", "DURATION"], "PT5M"),
        (["null"], None),
    ],
)
def test_a_value_is_json_or_text_of_a_type(call: Call, options: list[str], value: Any) -> None:
    assert call("kv", "set", TEAM, "k", *options).code == 0

    assert json.loads(call("kv", "get", TEAM, "k").out) == value


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["k", "text"], "`text` is not JSON; text needs quotes of its own"),
        (["k", "x", "-t", "NUMBER"], "`x` is not a NUMBER"),
        (["k", "1", "--ttl", "soon"], "--ttl `soon`: write for example"),
        (["k", str(2**64)], "64 bits"),
    ],
)
def test_what_is_no_value_is_refused(
    call: Call, cluster: MemoryApi, arguments: list[str], words: str
) -> None:
    called = call("kv", "set", TEAM, *arguments)

    assert (called.code, words in called.err) == (2, True), called.err
    assert cluster.objects == {}


def test_a_key_may_be_kept_from_being_overwritten(call: Call) -> None:
    call("kv", "set", TEAM, "k", "1")

    called = call("kv", "set", TEAM, "k", "2", "--no-overwrite")

    assert (called.code, "Key already exists" in called.err) == (1, True)
    assert call("kv", "get", TEAM, "k").out == "1\n"
    assert "is not a key" in call("kv", "set", TEAM, "a/b", "2").err


def test_the_list_tells_types_and_ends_but_no_values(call: Call) -> None:
    call("kv", "set", TEAM, "when", '"2026-01-02"', "--description", "a day")
    call("kv", "set", TEAM, "limits", "[1]", "--ttl", "1h")
    call("kv", "set", "company", "secret-ish", '"hidden"')

    header, *rows = call("kv", "list").out.splitlines()

    assert header.split() == ["NAMESPACE", "KEY", "TYPE", "EXPIRES", "DESCRIPTION"]
    cells = [row.split() for row in rows]
    assert [row[:3] for row in cells] == [
        ["company", "secret-ish", "STRING"],
        ["company.team", "limits", "JSON"],
        ["company.team", "when", "DATE"],
    ]
    assert cells[1][3].startswith("20")
    assert cells[2][3:] == ["a", "day"]
    listed = json.loads(call("kv", "list", "company", "-o", "json").out)
    assert listed == [{"namespace": "company", "key": "secret-ish", "value": "hidden"}]


def test_values_and_names_of_objects_are_shown_where_they_are_asked_for(
    call: Call, cluster: MemoryApi
) -> None:
    call("kv", "set", TEAM, "limits", '{"max": 3}')

    assert '{"max": 3}' not in call("kv", "list").out
    assert '{"max": 3}' in call("kv", "list", "-o", "wide").out
    ((_, name),) = cluster.objects
    assert call("kv", "list", "-o", "name").out == f"keyvalue.penstock.dev/{name}\n"


def test_an_object_of_another_key_in_the_way_is_told(call: Call, cluster: MemoryApi) -> None:
    call("kv", "set", TEAM, "k", "1")
    (body,) = cluster.objects.values()
    body["spec"]["key"] = "other"

    called = call("kv", "set", TEAM, "k", "2")

    assert (called.code, "is there that is of another key" in called.err) == (1, True)


def test_a_deleted_key_is_not_there(call: Call) -> None:
    call("kv", "set", TEAM, "k", "1")

    assert call("kv", "delete", TEAM, "k").out == "deleted company.team k\n"

    assert len(call("kv", "list").out.splitlines()) == 1
    for command in ("get", "delete"):
        called = call("kv", command, TEAM, "k")
        assert (called.code, "does not exist" in called.err) == (1, True)
