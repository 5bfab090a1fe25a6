"""Pairs as a person reads and changes them: of several objects for one key only one counts."""

from __future__ import annotations

from typing import Any, cast

import pytest

from penstock.cluster.key_value_writer import PairNameTaken
from penstock.cluster.key_values import KeyValues
from penstock.kubernetes.api.client import Api
from penstock.resources.keyvalue import key_value_name
from penstock.storage.errors import StorageError
from penstock.storage.kv import KeyExists, KeyMissing
from penstock.tasks.contract.kv_effects import Change
from tests.fixtures.memory_api import MemoryApi

TEAM = "company.team"


class World:
    """The KeyValues of the Kubernetes namespace `data`."""

    def __init__(self) -> None:
        self.api = MemoryApi()

    def given(self, key: str, value: Any, created: str, name: str = "", **spec: Any) -> None:
        name = name or f"by-hand-{key}"
        meta = {
            "name": name,
            "namespace": "data",
            "uid": name,
            "resourceVersion": "1",
            "creationTimestamp": created,
        }
        spec = {"namespace": TEAM, "key": key, "value": value, **spec}
        self.api.objects["data", name] = {"metadata": meta, "spec": spec}

    async def read(self) -> KeyValues:
        return await KeyValues.read(cast("Api", self.api), "data")


@pytest.fixture
def world() -> World:
    return World()


async def test_the_oldest_whose_time_is_not_over_counts(world: World) -> None:
    world.given("k", "over", "2026-01-01T00:00:00Z", "a", expirationDate="2026-01-02T00:00:00Z")
    world.given("k", "first", "2026-01-03T00:00:00Z", "b")
    world.given("k", "second", "2026-01-04T00:00:00Z", "c")

    pairs = await world.read()

    assert pairs.get(TEAM, "k").value == "first"
    assert [spec["value"] for spec in pairs.list()] == ["first"]


async def test_a_list_is_of_one_flow_namespace_or_of_all_and_in_order(world: World) -> None:
    world.given("z", 1, "2026-01-01T00:00:00Z")
    world.given("b", 2, "2026-01-01T00:00:00Z", namespace="company")
    world.given("a", 3, "2026-01-01T00:00:00Z")
    world.given("gone", 4, "2026-01-01T00:00:00Z", expirationDate="2026-01-02T00:00:00Z")

    pairs = await world.read()

    assert [spec["key"] for spec in pairs.list()] == ["b", "a", "z"]
    assert [spec["key"] for spec in pairs.list(TEAM)] == ["a", "z"]


async def test_what_is_written_is_read_at_once(world: World) -> None:
    pairs = await world.read()

    await pairs.set(Change("set", TEAM, "k", 1))
    assert pairs.get(TEAM, "k").value == 1
    await pairs.delete(TEAM, "k")

    with pytest.raises(KeyMissing):
        pairs.get(TEAM, "k")
    with pytest.raises(KeyMissing):
        await (await world.read()).delete(TEAM, "k")


async def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(world: World) -> None:
    pairs = await world.read()
    await (await world.read()).set(Change("set", TEAM, "k", "theirs"))

    with pytest.raises(KeyExists):
        await pairs.set(Change("set", TEAM, "k", "mine", None, False))

    assert (await world.read()).get(TEAM, "k").value == "theirs"


async def test_a_key_that_somebody_deleted_meanwhile_is_made_anew(world: World) -> None:
    world.given("k", "theirs", "2026-01-01T00:00:00Z")
    pairs = await world.read()
    world.api.objects.clear()

    await pairs.set(Change("set", TEAM, "k", "mine"))

    assert (await world.read()).get(TEAM, "k").value == "mine"


async def test_the_object_of_another_key_is_not_overwritten(world: World) -> None:
    world.given("other", 1, "2026-01-01T00:00:00Z", key_value_name(TEAM, "k"))

    with pytest.raises(PairNameTaken, match="of another key"):
        await (await world.read()).set(Change("set", TEAM, "k", 2))

    assert (await world.read()).get(TEAM, "other").value == 1


@pytest.mark.parametrize("key", ["", "a/b", "../up", "x" * 201])
async def test_what_is_no_key_is_not_looked_for_and_not_written(world: World, key: str) -> None:
    pairs = await world.read()

    with pytest.raises(StorageError):
        pairs.get(TEAM, key)
    with pytest.raises(StorageError):
        await pairs.set(Change("set", TEAM, key, 1))
    assert world.api.objects == {}
