"""Which objects of a bucket are new: what a trigger remembers, and how little of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.listener.sources import objects
from penstock.listener.sources.objects import Found, Memory
from penstock.resources.trigger_state import fits_memory

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def found(key: str, version: str = "1", minutes: int = 0) -> Found:
    return Found(key, version, NOON + timedelta(minutes=minutes), {"key": key})


def test_an_object_is_new_until_it_was_seen_and_again_when_it_changes() -> None:
    memory = Memory.read(None)
    assert memory.change(found("a")) == "CREATE"
    memory.add(found("a"))
    again = Memory.read(memory.cursor())
    assert again.change(found("a")) is None
    assert again.change(found("a", "2")) == "UPDATE"


@pytest.mark.parametrize("cursor", ["text", 7, [], {"seen": 1}, {"since": "x", "seen": [["?", 1]]}])
def test_a_cursor_that_cant_be_read_is_none(cursor: Any) -> None:
    assert Memory.read(cursor).change(found("a")) == "CREATE"


def test_the_memory_has_room_for_the_newest_and_takes_older_ones_for_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given
    monkeypatch.setattr(objects, "MOST_REMEMBERED", 3)
    memory = Memory()
    for number in range(5):
        memory.add(found(f"{number}", minutes=number))
    # when
    again = Memory.read(memory.cursor())
    # then
    assert [again.change(found(f"{number}", minutes=number)) for number in range(5)] == [None] * 5
    assert again.change(found("late", minutes=1)) is None
    assert again.change(found("new", minutes=3)) == "CREATE"
    assert len(again.seen) == 3


def test_a_full_memory_fits_where_triggers_keep_it() -> None:
    memory = Memory()
    for number in range(objects.MOST_REMEMBERED + 1):
        memory.add(found(f"{number}", minutes=number))
    assert fits_memory({"of": "x" * 100, "cursor": memory.cursor()})


def test_what_is_forgotten_is_new_again() -> None:
    memory = Memory()
    memory.add(found("old"))
    memory.add(found("new", minutes=60))
    memory.forget((NOON + timedelta(minutes=30)).timestamp())
    assert memory.change(found("old")) == "CREATE"
    assert memory.change(found("new", minutes=60)) is None
