"""Key-value pairs of a cluster: who sees which, and that each change happens once."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from penstock.cluster.key_value_objects import applied
from penstock.cluster.key_value_writer import KeyValueWriter, PairNameTaken
from penstock.controller.executions.expression_functions import ExpressionFunctions
from penstock.controller.keyvalues.index import KeyValueIndex, pair_keys
from penstock.controller.keyvalues.reconciler import KeyValueReconciler
from penstock.controller.keyvalues.task_effects import recorded_in
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import NotListed
from penstock.engine.interface.selecting import PurgePairs
from penstock.expressions import ExpressionError, Host, NotLoaded
from penstock.kubernetes.api.json_reader import LEVELS_OF_LIST, read_json
from penstock.kubernetes.api.large_values import CUT
from penstock.resources.keyvalue import KEY_PATTERN, NAMESPACE_PATTERN, key_value_name
from penstock.storage import kv as storage_pairs
from penstock.storage import uris
from penstock.storage.errors import StorageError
from penstock.storage.kv import KeyExists, Pair
from penstock.tasks.contract.kv_effects import MAX_VALUE_BYTES, Change, EffectRefused
from penstock.types import expressions
from tests.fixtures.memory_api import MemoryApi

TEAM = "company.team"


class World:
    """One API server, and a controller that may die."""

    def __init__(self) -> None:
        self.api = MemoryApi()
        self.recorded: set[str] = set()
        self.reports: list[str] = []
        self.restart()

    def restart(self) -> None:
        """A new controller, which knows what is there."""
        self.objects = ObjectStore(pair_keys)
        for body in self.api.objects.values():
            self.objects.put(body)
        self.pairs = KeyValueIndex(self.objects, is_listed=True)
        self.writer = KeyValueWriter(self.api, self.pairs, self._is_recorded)  # type: ignore[arg-type]
        self.reconciler = KeyValueReconciler(
            self.api, self.objects, self.pairs, self._is_recorded, self  # type: ignore[arg-type]
        )  # fmt: skip

    def record(self, about: Any, report: Any) -> None:
        self.reports.append(f"{about['metadata']['name']}: {report.reason}")

    def given(self, namespace: str, key: str, value: Any, **more: Any) -> dict[str, Any]:
        """Create an object as somebody else, and let the watch tell of it."""
        meta = {
            "namespace": more.pop("tenant", "t"),
            "name": more.pop("name", key_value_name(namespace, key)),
            "uid": more.pop("uid", f"{namespace}/{key}"),
            "resourceVersion": "1",
            "creationTimestamp": more.pop("created", "2026-01-01T00:00:00Z"),
        }
        body = {
            "metadata": meta,
            "spec": {"namespace": namespace, "key": key, "value": value, **more},
        }
        self.api.objects[meta["namespace"], meta["name"]] = body
        self.objects.put(body)
        return body

    async def change(self, change: Change, attempt: str | None = None) -> None:
        await self.writer.change("t", change, attempt)

    def value(self, key: str = "k", tenant: str = "t") -> Any:
        pair = self.pairs.get(tenant, TEAM, key)
        return None if pair is None else pair.value

    def _is_recorded(self, tenant: str, attempt: str) -> bool:
        return attempt in self.recorded


def setting(value: Any, **more: Any) -> Change:
    return Change("set", TEAM, "k", value, **more)


DELETION = Change("delete", TEAM, "k")


@pytest.fixture
def world() -> World:
    return World()


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


# Who sees which


async def test_a_value_that_is_nested_too_deep_is_told_and_never_read(world: World) -> None:
    world.given(TEAM, "k", json.loads("[" * 101 + "]" * 101), name="deep")

    for _ in range(2):
        await world.reconciler.reconcile("t", "deep")

    assert world.reports == ["deep: TooDeep"]
    with pytest.raises(StorageError, match="'k' is nested deeper than 100 levels"):
        world.value()
    # and when it is replaced
    await world.change(setting("flat"))
    assert world.value() == "flat"


async def test_a_value_that_is_too_large_is_told_and_neither_kept_nor_read(world: World) -> None:
    # given: one that holds as much as a key may, and one that holds more
    world.given(TEAM, "fits", "x" * (MAX_VALUE_BYTES - 2), name="fits")
    body = world.given(TEAM, "k", "x" * MAX_VALUE_BYTES, name="large")
    text = json.dumps({"items": [{"kind": "KeyValue", **item} for item in world.objects]}).encode()
    # when
    for item in read_json(text, LEVELS_OF_LIST)["items"]:
        world.objects.put(item)
    for _ in range(2):
        await world.reconciler.reconcile("t", "large")
        await world.reconciler.reconcile("t", "fits")
    # then
    assert world.reports == ["large: TooLarge"]
    assert len(json.dumps(world.objects.get("t", "large"))) < 500
    assert world.value("fits") == "x" * (MAX_VALUE_BYTES - 2)
    with pytest.raises(StorageError, match=f"'k' has {MAX_VALUE_BYTES + 2} bytes, more than"):
        world.value()
    # and nothing is merged into what is not known, nor lost
    with pytest.raises(EffectRefused, match="more than a key may hold"):
        await world.change(Change("merge", TEAM, "k", {"a": 1}))
    assert world.api.objects["t", "large"] == body
    # and when it is replaced
    await world.change(setting("small"))
    assert world.value() == "small"
    assert CUT not in world.api.objects["t", "large"]


async def test_maps_are_not_merged_into_more_than_a_key_holds(world: World) -> None:
    world.given(TEAM, "k", {"a": "x" * (MAX_VALUE_BYTES - 100)})
    with pytest.raises(EffectRefused, match="larger than 256 KiB"):
        await world.change(Change("merge", TEAM, "k", {"b": "x" * 200}))


def test_a_tenant_sees_its_own_pairs_only(world: World) -> None:
    world.given(TEAM, "k", "mine")
    world.given(TEAM, "k", "theirs", tenant="other", uid="o")

    assert (world.value(), world.value(tenant="other")) == ("mine", "theirs")
    assert world.value(tenant="third") is None
    assert world.pairs.keys("third", TEAM) == []


def test_a_key_is_inherited_and_what_is_over_is_not_there(world: World) -> None:
    world.given("company", "k", "far")
    world.given(TEAM, "k", "over", expirationDate=in_seconds(-1))
    world.given(TEAM, "later", 1, expirationDate=in_seconds(60))
    own = world.pairs.of("t")

    assert own.get(TEAM, "k") is None
    assert own.inherited(TEAM, "k") == Pair("far")
    assert own.keys(TEAM) == ["later"]
    assert own.keys(TEAM, "x") == []


def test_of_two_objects_for_one_key_the_oldest_counts_and_the_other_is_told(world: World) -> None:
    world.given(TEAM, "k", "second", name="by-hand", uid="b", created="2026-01-02T00:00:00Z")
    world.given(TEAM, "k", "first", uid="a")

    async def look() -> None:
        for body in list(world.objects):
            await world.reconciler.reconcile("t", body["metadata"]["name"])

    asyncio.run(look())
    asyncio.run(look())

    assert world.value() == "first"
    assert world.reports == ["by-hand: DuplicateKey"]


def test_kv_in_an_expression_is_as_it_is_locally(world: World) -> None:
    world.given("company", "k", {"a": 1})
    world.given("other", "o", None)
    flow: Any = type("Flow", (), {"namespace": TEAM, "id": "f"})
    identity: Any = type("Identity", (), {"name": "e", "uid": "e"})
    functions = ExpressionFunctions(
        ExecutionMemories(), lambda body, place, interruption: {}, lambda body: None, world.pairs.of
    )
    kv = functions.of("t")(identity, flow)["kv"]
    elsewhere = functions.of("third")(identity, flow)["kv"]

    assert kv("k") == kv(key="k", namespace=TEAM) == {"a": 1}
    assert kv("o", "other") is None
    assert kv("x", errorOnMissing=False) is None
    words = r"The key 'x' does not exist in the namespace 'company\.team'\."
    with pytest.raises(ExpressionError, match=words):
        kv("x")
    with pytest.raises(ExpressionError, match=r"does not exist in the namespace 'other\.sub'"):
        kv("o", "other.sub")
    with pytest.raises(ExpressionError, match="is not a key"):
        kv("../k")
    with pytest.raises(ExpressionError, match="does not exist"):
        elsewhere("k")


async def test_before_all_keyvalues_are_known_no_key_is_taken_for_missing(world: World) -> None:
    # given: a new controller that has seen one of them
    world.given(TEAM, "seen", 1, name="seen", expirationDate=in_seconds(-1))
    world.pairs.is_listed = False
    ask = partial(world.pairs.find, "t", TEAM)
    # then: nobody is answered
    for question in (
        partial(ask, "seen"),
        partial(world.pairs.of("t").inherited, TEAM, "k"),
        partial(world.pairs.of("t").keys, TEAM),
        partial(world.pairs.meant, "t", PurgePairs((TEAM,), False, None, None, expired_only=False)),
    ):
        with pytest.raises(NotListed, match="not read all KeyValues yet"):
            question()
    # nor is anything changed
    with pytest.raises(NotListed):
        await world.change(setting("new"))
    await world.reconciler.reconcile("t", "seen")
    assert list(world.api.objects) == [("t", "seen")]
    # and an expression is rendered anew later, whatever it does about keys that are missing
    functions = {"kv": world.pairs.function("t", TEAM)}
    with pytest.raises(NotLoaded) as missing:
        render("{{ kv('k', errorOnMissing=false) ?? 'none' }}", functions)
    assert isinstance(missing.value.wanted, NotListed)
    # when
    world.pairs.is_listed = True
    # then
    assert render("{{ kv('k', errorOnMissing=false) ?? 'none' }}", functions) == "none"


def render(template: str, functions: dict[str, Any]) -> str | None:
    return expressions().render(template, {}, Host(functions=functions))


def test_the_resource_takes_what_the_local_storage_takes() -> None:
    assert storage_pairs._KEY.pattern == KEY_PATTERN
    assert uris._NAMESPACE.pattern.replace("(?:", "(") == NAMESPACE_PATTERN
    with pytest.raises(StorageError):
        storage_pairs.check_key(TEAM, "a/b")


@pytest.mark.parametrize("text", ["2030-01-01t00:00:00.1234567z", "2016-12-31T23:59:60Z"])
def test_a_date_that_only_the_api_server_understands_stops_nobody(world: World, text: str) -> None:
    world.given(TEAM, "k", 1, expirationDate=text)

    assert world.value() == 1


def test_what_is_no_namespace_has_no_keys(world: World) -> None:
    with pytest.raises(StorageError, match="namespace"):
        world.pairs.keys("t", "../a")


# Each change once


async def test_what_is_set_is_there_at_once(world: World) -> None:
    await world.change(setting({"a": 1}, description="why", ttl=timedelta(hours=1)), "a1")

    (body,) = world.api.objects.values()
    assert body["metadata"]["name"] == key_value_name(TEAM, "k")
    assert body["spec"]["description"] == "why"
    assert world.value() == {"a": 1}
    await world.change(setting(2))
    assert "expirationDate" not in world.objects.get("t", key_value_name(TEAM, "k"))["spec"]  # type: ignore[index]


async def test_of_many_that_must_not_overwrite_exactly_one_succeeds(world: World) -> None:
    changes = [world.change(setting(n, overwrite=False), f"a{n}") for n in range(20)]

    results = await asyncio.gather(*changes, return_exceptions=True)

    assert [result for result in results if result is None] == [None]
    assert {str(result) for result in results if result is not None} == {str(KeyExists("k"))}


async def test_a_change_is_not_made_twice_after_a_crash(world: World) -> None:
    await world.change(setting("new", overwrite=False), "a1")
    world.restart()

    await world.change(setting("new", overwrite=False), "a1")

    assert (world.value(), world.api.writes) == ("new", 1)


async def test_a_later_change_stays_when_an_earlier_one_is_asked_for_again(world: World) -> None:
    await world.change(setting("first"), "a1")
    await world.change(setting("second"), "a2")
    world.restart()

    await world.change(setting("first"), "a1")

    assert world.value() == "second"


async def test_a_deleted_key_does_not_come_back_after_a_crash(world: World) -> None:
    await world.change(setting("first"), "a1")
    await world.change(DELETION, "a2")
    assert world.value() is None
    name = key_value_name(TEAM, "k")
    assert await world.reconciler.reconcile("t", name) == 1.0, "a1 may be asked for again"
    world.restart()

    await world.change(setting("first"), "a1")

    assert world.value() is None
    world.recorded |= {"a1", "a2"}
    assert await world.reconciler.reconcile("t", name) is None
    assert world.api.objects == {}


async def test_a_deleted_key_may_be_set_anew_without_overwriting(world: World) -> None:
    await world.change(setting("first"), "a1")
    await world.change(DELETION, "a2")

    await world.change(setting("again", overwrite=False), "a3")

    assert world.value() == "again"


async def test_attempts_whose_end_is_written_are_named_no_longer(world: World) -> None:
    await world.change(setting(1), "a1")
    world.recorded.add("a1")
    await world.change(setting(2), "a2")

    (body,) = world.api.objects.values()
    assert applied(body) == ["a2"]


async def test_entries_of_maps_are_merged_whoever_else_does(world: World) -> None:
    changes = [Change("merge", TEAM, "k", {f"n{n}": n}) for n in range(10)]

    await asyncio.gather(*(world.change(change, f"a{n}") for n, change in enumerate(changes)))

    assert world.value() == {f"n{n}": n for n in range(10)}


async def test_what_the_watch_has_not_told_yet_is_not_overwritten(world: World) -> None:
    await world.change(setting(1))
    stale = world.objects
    world.restart()
    await world.change(setting(2))
    world.objects = stale
    world.pairs = KeyValueIndex(stale, is_listed=True)
    world.writer = KeyValueWriter(world.api, world.pairs, world._is_recorded)  # type: ignore[arg-type]

    with pytest.raises(KeyExists):
        await world.change(setting(3, overwrite=False))
    await world.change(Change("merge", TEAM, "k", {"a": 1}))

    assert world.value() == {"a": 1}


async def test_a_key_that_somebody_made_just_now_counts(world: World) -> None:
    body = world.given(TEAM, "k", "by hand")
    world.objects.remove(body)
    body["metadata"]["uid"] = "later"

    with pytest.raises(KeyExists):
        await world.change(setting(1, overwrite=False))
    assert world.value() == "by hand"


async def test_a_key_that_somebody_deleted_just_now_is_made_anew(world: World) -> None:
    await world.change(setting(1))
    world.api.objects.clear()

    await world.change(setting(2), "a1")

    assert world.value() == 2


async def test_an_object_of_another_key_is_never_taken(world: World) -> None:
    body = world.given(TEAM, "other", 1, name=key_value_name(TEAM, "k"))

    with pytest.raises(PairNameTaken, match="of another key"):
        await world.change(setting(2))
    assert world.api.objects["t", body["metadata"]["name"]]["spec"]["value"] == 1


async def test_what_is_over_is_deleted_unless_it_was_given_more_time(world: World) -> None:
    world.given(TEAM, "k", 1, expirationDate=in_seconds(-1))
    name = key_value_name(TEAM, "k")
    world.api.objects["t", name] = world.api.objects["t", name] | {
        "metadata": {"resourceVersion": "2"}
    }
    await world.reconciler.reconcile("t", name)
    assert ("t", name) in world.api.objects
    world.given(TEAM, "soon", 1, expirationDate=in_seconds(50))
    left = await world.reconciler.reconcile("t", key_value_name(TEAM, "soon"))
    assert left is not None and 40 < left <= 50


@pytest.mark.parametrize("seed", range(100))
async def test_whenever_the_controller_dies_each_change_happens_once_and_in_its_order(
    world: World, seed: int
) -> None:
    """Attempts are asked for in any order, and again until their end is written."""
    dice = random.Random(seed)
    kinds = [setting("a"), setting("b", overwrite=False), DELETION]
    kinds.append(Change("merge", TEAM, "k", {"m": 1}))
    asked = {f"a{n}": dice.choice(kinds) for n in range(8)}
    expected: Any = None
    done: set[str] = set()

    while len(world.recorded) < len(asked):
        attempt = dice.choice([name for name in asked if name not in world.recorded])
        change = asked[attempt]
        refused = False
        try:
            await world.change(change, attempt)
        except KeyExists:
            refused = True
        if attempt not in done and not refused:
            assert change.overwrite or expected is None, "exactly one may be the first"
            if change.kind != "delete" or expected is not None:
                done.add(attempt)  # else it changed nothing, and has its turn when asked again
            expected = _after(change, expected)
        assert world.value() == expected
        if dice.random() < 0.5:
            world.recorded.add(attempt)
        if dice.random() < 0.3:
            world.restart()
        for _, name in list(world.api.objects):
            await world.reconciler.reconcile("t", name)
        if dice.random() < 0.3:
            world.restart()


def _after(change: Change, value: Any) -> Any:
    if change.kind == "delete":
        return None
    if change.kind == "merge":
        return {**(value if isinstance(value, dict) else {}), **change.value}
    return change.value


@pytest.mark.parametrize(
    ("attempt", "recorded"),
    [
        ("run/u/r1/1", True),
        ("run/u/r1/2", False),
        ("run/u/archived/1", True),
        ("run/deleted/r1/2", True),
        ("gone/u/r1/2", True),
        ("nonsense", True),
    ],
)
def test_an_attempt_is_asked_for_until_its_end_is_written(attempt: str, recorded: bool) -> None:
    attempts = [{"number": 1, "state": "FAILED"}, {"number": 2, "state": "RUNNING"}]
    executions = ObjectStore()
    executions.put(
        {
            "metadata": {"namespace": "t", "name": "run", "uid": "u", "resourceVersion": "1"},
            "status": {"taskRuns": [{"id": "r1", "attempts": attempts}]},
        }
    )

    assert recorded_in(executions, "t", attempt) is recorded


@pytest.mark.parametrize(
    ("one", "other"), [(("a.b", "c"), ("a", "b.c")), ((TEAM, "K"), (TEAM, "k"))]
)
def test_no_two_keys_have_one_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert key_value_name(*one) != key_value_name(*other)
