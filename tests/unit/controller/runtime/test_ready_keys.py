"""Keys that are ready: namespaces take turns, and within one the first that came is the first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.controller.runtime.queue import Key, ReadyKeys


def took(ready: ReadyKeys) -> Key:
    """Take the key whose turn it is."""
    taken = ready.take()
    assert taken is not None
    return taken


def key(namespace: str, name: object) -> Key:
    return Key("Execution", namespace, str(name))


def test_a_namespace_waits_for_one_key_of_another_however_many_that_has() -> None:
    # given
    ready = ReadyKeys()
    for number in range(2_000):
        ready.add(key("busy", number))
    # when
    ready.add(key("quiet", "a"))
    ready.add(key("quiet", "b"))
    # then
    taken = [took(ready) for _ in range(4)]
    assert taken == [key("busy", 0), key("quiet", "a"), key("busy", 1), key("quiet", "b")]
    assert len(ready) == 1_998


def test_who_comes_back_all_the_time_does_not_overtake_who_waits() -> None:
    # given
    ready = ReadyKeys()
    for namespace in ("a", "b", "c"):
        ready.add(key(namespace, 0))
    # when: the first namespace has a new key each time that one of it was taken
    taken = []
    for number in range(1, 5):
        taken.append(took(ready).namespace)
        if taken[-1] == "a":
            ready.add(key("a", number))
    # then
    assert taken == ["a", "b", "c", "a"]


STEPS = st.lists(st.one_of(st.none(), st.sampled_from("abcd")), max_size=60)
"""What is done to the keys: one of a namespace is added, or one is taken (None)."""


@given(STEPS)
def test_no_key_is_lost_overtaken_or_passed_over(steps: list[str | None]) -> None:
    ready = ReadyKeys()
    model: dict[str, list[Key]] = {}
    waits: dict[str, int] = {}
    for number, namespace in enumerate(steps):
        if namespace is not None:
            added = key(namespace, number)
            ready.add(added)
            model.setdefault(namespace, []).append(added)
            waits.setdefault(namespace, 0)
        elif model:
            taken = took(ready)
            # Within a namespace the first that came is the first.
            assert taken == model[taken.namespace].pop(0)
            # A namespace waits for one key of each other that was there when its wait began.
            assert waits.pop(taken.namespace) < 4
            waits = {name: turns + 1 for name, turns in waits.items()}
            if model[taken.namespace]:
                waits[taken.namespace] = 0
            else:
                del model[taken.namespace]
        assert len(ready) == sum(map(len, model.values()))
        assert sorted(ready) == sorted(item for keys in model.values() for item in keys)
