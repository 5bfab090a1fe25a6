"""The oracle of slots tells who held one when, and finds that there were too many."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from e2e.fixtures.kubernetes import Object
from e2e.fixtures.slot_oracle import at_once, by_flow, intervals, never_more_at_once


def ran(name: str, *history: tuple[str, int]) -> Object:
    """An execution that came into states, each at a second."""
    steps = [{"state": state, "date": _at(second).isoformat()} for state, second in history]
    status = {"state": history[-1][0], "flow": {"name": "f"}, "history": steps}
    return {"metadata": {"name": name}, "status": status}


def _at(second: int) -> datetime:
    return datetime(2030, 1, 1, 0, 0, second, tzinfo=UTC)


def held(body: Object, deleted: int | None = None) -> list[tuple[int, int]]:
    found = intervals(body, None if deleted is None else _at(deleted))
    return [(item.start.second, item.end.second) for item in found]


def test_a_slot_is_held_from_the_first_task_to_the_end_pauses_included() -> None:
    waited = ran("a", ("CREATED", 1), ("QUEUED", 1), ("RUNNING", 3), ("PAUSED", 4), ("SUCCESS", 9))
    again = ran(
        "b", ("CREATED", 1), ("RUNNING", 1), ("FAILED", 2),
        ("RESTARTED", 3), ("QUEUED", 3), ("RUNNING", 5), ("SUCCESS", 6),
    )  # fmt: skip
    never = ran("c", ("CREATED", 1), ("QUEUED", 1), ("KILLING", 5), ("KILLED", 5))
    gone = ran("d", ("CREATED", 1), ("RUNNING", 2))
    assert held(waited) == [(3, 9)]
    assert held(again) == [(1, 2), (5, 6)]
    assert held(never) == []
    assert held(gone, deleted=7) == [(2, 7)]
    assert list(by_flow([waited, gone])) == ["f"]


def test_one_that_begins_when_another_one_ends_has_its_slot() -> None:
    first = ran("first", ("RUNNING", 1), ("SUCCESS", 3))
    second = ran("second", ("RUNNING", 3), ("SUCCESS", 5))
    meanwhile = ran("meanwhile", ("RUNNING", 2), ("SUCCESS", 4))
    found = [item for body in (first, second, meanwhile) for item in intervals(body)]
    assert [item.name for item in at_once(found)] == ["first", "meanwhile"]
    assert never_more_at_once(2, found, "these") == 2
    with pytest.raises(AssertionError, match="2 of these ran at once, the limit is 1: first"):
        never_more_at_once(1, found, "these")
