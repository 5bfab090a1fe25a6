"""Key-value pairs and state, as tasks of a local run have them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.local.conftest import CORE, Attempts


async def test_what_is_set_is_got(attempts: Attempts) -> None:
    # when
    await attempts.outputs("kv.Set", key="k", value={"a": [1]})
    # then
    assert await attempts.outputs("kv.Get", key="k") == {"value": {"a": [1]}}
    assert await attempts.outputs("kv.GetKeys") == {"keys": ["k"]}
    assert await attempts.outputs("kv.GetKeys", prefix="x") == {"keys": []}
    assert await attempts.outputs("kv.Delete", key="k") == {"deleted": True}
    assert await attempts.outputs("kv.Delete", key="k") == {"deleted": False}
    assert await attempts.outputs("kv.Get", key="k") == {"value": None}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (None, "12", "12"),
        ("STRING", "12", "12"),
        ("NUMBER", "12", 12),
        ("NUMBER", "1.5", 1.5),
        ("BOOLEAN", "True", True),
        ("JSON", '{"a": null}', {"a": None}),
        ("DURATION", "PT5M", "PT5M"),
        ("DATE", "2026-01-02", "2026-01-02"),
        ("DATETIME", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("NUMBER", 3, 3),
        ("STRING", 3, "3"),
    ],
)
async def test_a_type_makes_a_value_of_text(
    attempts: Attempts, kind: str | None, text: Any, value: Any
) -> None:
    await attempts.outputs("kv.Put", key="k", value=text, kvType=kind, ttl="PT1H")
    assert await attempts.outputs("kv.Get", key="k") == {"value": value}


@pytest.mark.parametrize("kind", ["NUMBER", "BOOLEAN", "JSON", "DURATION", "DATE", "DATETIME"])
async def test_text_of_another_type_is_refused(attempts: Attempts, kind: str) -> None:
    told = await attempts.failure("kv.Set", key="k", value="nonsense", kvType=kind)
    assert told == f"property `value`: `nonsense` is not a {kind}"


async def test_failures_of_pairs_name_the_key(attempts: Attempts) -> None:
    # given
    await attempts.outputs("kv.Set", key="k", value=1)
    # then
    missing = "The key 'x' does not exist in the namespace 'company.team'."
    assert await attempts.failure("kv.Get", key="x", errorOnMissing=True) == missing
    assert await attempts.failure("kv.Delete", key="x", errorOnMissing=True) == missing
    assert "already exists" in await attempts.failure("kv.Set", key="k", value=2, overwrite=False)
    assert "is not a key" in await attempts.failure("kv.Set", key="../k", value=2)


async def test_a_key_is_inherited_unless_another_namespace_is_named(attempts: Attempts) -> None:
    # given
    attempts.local.set_pairs({"company": {"k": "above"}, "other": {"o": 1}})
    # then
    for namespace in (None, "company.team", "company"):
        got = await attempts.outputs("kv.Get", key="k", namespace=namespace)
        assert got == {"value": "above"}
    assert await attempts.outputs("kv.Get", key="o", namespace="other") == {"value": 1}
    assert await attempts.outputs("kv.Get", key="k", namespace="other.sub") == {"value": None}


async def test_state_is_merged_read_and_deleted(attempts: Attempts) -> None:
    # when
    first = await attempts.outputs("state.Set", name="s", data={"a": "1", "b": "2"})
    second = await attempts.outputs("state.Set", name="s", data={"b": "3"})
    # then
    assert first == {"count": 2, "key": "tried_states_tasks-states_s"}
    assert second["count"] == 2
    assert await attempts.outputs("state.Get", name="s") == {
        "count": 2,
        "data": {"a": "1", "b": "3"},
    }
    assert await attempts.outputs("state.Get") == {"count": 0, "data": {}}
    assert "`default`" in await attempts.failure("state.Get", errorOnMissing=True)
    assert await attempts.outputs("state.Delete", name="s") == {"deleted": True}
    assert "`s`" in await attempts.failure("state.Delete", name="s", errorOnMissing=True)


async def test_each_value_of_a_loop_has_its_state_unless_it_is_shared(attempts: Attempts) -> None:
    # given
    set_type, get_type = f"{CORE}.state.Set", f"{CORE}.state.Get"
    shared = {"taskrunValue": False}
    # when
    await attempts.run(set_type, {"data": {"v": "a"}}, value="a")
    await attempts.run(set_type, {"data": {"v": "all"}, **shared}, value="a")
    # then
    of_a = await attempts.run(get_type, {}, value="a")
    of_b = await attempts.run(get_type, {}, value="b")
    of_all = await attempts.run(get_type, shared, value="b")
    assert [(seen.outputs or {})["data"] for seen in (of_a, of_b, of_all)] == [
        {"v": "a"},
        {},
        {"v": "all"},
    ]


async def test_state_of_a_namespace_is_no_flows(attempts: Attempts) -> None:
    made = await attempts.outputs("state.Set", namespace=True, data={"a": "1"})
    assert made["key"] == "states_tasks-states_default"
    assert (await attempts.outputs("state.Get"))["count"] == 0
