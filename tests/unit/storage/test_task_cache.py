"""Kept outputs of tasks: they are bounded, whatever their properties are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from penstock.storage.files import Storage
from penstock.storage.task_cache import MOST_ENTRIES, TaskCaches, Use
from penstock.storage.uris import ExecutionPlace

PLACE = ExecutionPlace("company.team", "flow", "run-1")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_oldest_outputs_of_a_task_go_where_there_are_too_many(storage: Storage) -> None:
    # given
    caches = TaskCaches(storage)

    def use(number: int, task: str = "t") -> Use:
        return Use(PLACE, task, "r", f"{number:04}")

    caches.keep(use(0, "other"), {}, NOW)
    # when
    for number in range(MOST_ENTRIES + 1):
        caches.keep(use(number), {"n": number}, NOW + timedelta(seconds=number))
    # then
    found = [caches.find(use(number), None, NOW) for number in range(MOST_ENTRIES + 1)]
    assert found[0] is None
    assert found[-1] == {"n": MOST_ENTRIES}
    assert 0 < sum(outputs is not None for outputs in found) < MOST_ENTRIES
    assert all(outputs is not None for outputs in found[len(found) // 2 :])
    assert caches.find(use(0, "other"), None, NOW) == {}
