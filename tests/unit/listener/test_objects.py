"""What a trigger that looks for objects fires for, and what it remembers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from penstock.listener.sources.objects import Listing, choose
from penstock.listener.sources.seen import MOST_SEEN, Found, Memory, batch_of
from penstock.resources.trigger_state import fits_memory

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_oldest_come_first_and_the_others_stay_new() -> None:
    # given
    listing = Listing([found("young", 2), found("old", 0), found("middle", 1)])

    # when
    first = choose(listing, Memory(), "CREATE_OR_UPDATE", 2)
    second = choose(listing, first.after, "CREATE_OR_UPDATE", 2)

    # then
    assert names(first.taken) == ["old", "middle"]
    assert names(second.taken) == ["young"]


@pytest.mark.parametrize(
    ("on", "at_first", "when_changed"),
    [
        ("CREATE", [("a", "CREATE")], []),
        ("UPDATE", [], [("a", "UPDATE")]),
        ("CREATE_OR_UPDATE", [("a", "CREATE")], [("a", "UPDATE")]),
    ],
)
def test_on_says_which_changes_fire(
    on: str, at_first: list[tuple[str, str]], when_changed: list[tuple[str, str]]
) -> None:
    # when
    first = choose(Listing([found("a")]), Memory(), on, 9)
    changed = choose(Listing([found("a", version="2")]), remembered(first.after), on, 9)
    quiet = choose(Listing([found("a", version="2")]), remembered(changed.after), on, 9)

    # then
    assert [(each.name, change) for each, change in first.taken] == at_first
    assert [(each.name, change) for each, change in changed.taken] == when_changed
    assert not quiet.taken


def test_a_change_that_has_to_wait_is_still_a_change() -> None:
    # given
    known = choose(Listing([found("a"), found("b")]), Memory(), "CREATE_OR_UPDATE", 9).after
    listing = Listing([found("a", 1, "2"), found("b", 2, "2")])

    # when
    first = choose(listing, known, "CREATE_OR_UPDATE", 1)
    second = choose(listing, remembered(first.after), "CREATE_OR_UPDATE", 1)

    # then
    assert [(each.name, change) for each, change in second.taken] == [("b", "UPDATE")]


def test_what_is_gone_is_forgotten_and_fires_when_it_comes_back() -> None:
    # given
    known = choose(Listing([found("a")]), Memory(), "CREATE", 9).after

    # when
    gone = choose(Listing([]), known, "CREATE", 9)
    back = choose(Listing([found("a")]), gone.after, "CREATE", 9)

    # then
    assert gone.after.cursor() is None
    assert names(back.taken) == ["a"]


def test_a_listing_that_is_not_whole_makes_nothing_forgotten() -> None:
    # given
    known = choose(Listing([found("put-aside")]), Memory(), "CREATE", 9).after

    # when
    after = choose(Listing([found("new")], is_whole=False), known, "CREATE", 9).after

    # then
    assert not choose(Listing([found("put-aside")]), after, "CREATE", 9).taken


def test_a_batch_that_was_under_way_comes_first_under_its_key() -> None:
    # given
    first = choose(Listing([found("a"), found("b")]), Memory(), "CREATE", 9)

    # when
    listing = Listing([found("b"), found("earlier", -5)])
    again = choose(listing, remembered(first.under_way), "CREATE", 9)

    # then
    assert names(again.taken) == ["b"] and again.key == first.key
    assert names(choose(listing, again.after, "CREATE", 9).taken) == ["earlier"]


def test_an_execution_has_room_for_what_it_is_given() -> None:
    # given
    large = [found(f"{each}-{'x' * 100_000}", each) for each in range(4)]

    # when
    taken = choose(Listing(large), Memory(), "CREATE", 100).taken

    # then
    assert len(taken) == 2


def test_an_object_that_can_not_be_copied_is_put_aside_alone() -> None:
    # given
    listing = Listing([found("a"), found("huge", 1, size=2**31), found("z", 2)])

    # when
    first = choose(listing, Memory(), "CREATE", 9)
    second = choose(listing, first.after, "CREATE", 9)
    third = choose(listing, second.after, "CREATE", 9)

    # then
    assert [names(each.taken) for each in (first, second, third)] == [["a"], ["huge"], ["z"]]


def test_as_many_as_a_trigger_can_remember_fit_its_memory() -> None:
    # given
    listing = Listing([found(f"inbox/{each}.csv") for each in range(MOST_SEEN)])

    # when
    choice = choose(listing, Memory(), "CREATE", 100_000)
    whole = Memory(frozenset(each.mark for each in listing.objects))

    # then
    fullest = whole.with_batch(batch_of([each for each, _ in choice.taken])).cursor()
    assert fits_memory({"of": "0123456789", "cursor": fullest})


@pytest.mark.parametrize("cursor", [None, "text", {"seen": "?"}, {"seen": 7, "batch": "x"}])
def test_a_memory_that_can_not_be_read_is_none(cursor: object) -> None:
    assert Memory.of(cursor) == Memory()


def found(name: str, minutes: int = 0, version: str = "1", size: int = 1) -> Found:
    return Found(name, version, NOON + timedelta(minutes=minutes), {"key": name}, size)


def names(taken: object) -> list[str]:
    return [each.name for each, _ in taken]  # type: ignore[attr-defined]


def remembered(memory: Memory) -> Memory:
    """The memory, as another listener finds it."""
    return Memory.of(memory.cursor())
