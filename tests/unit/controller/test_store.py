"""The store: the newest version stays, and what is deleted does not come back."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.controller.runtime.indexes import ObjectStore, is_finished


def body(version: int, uid: str = "u1", name: str = "a") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": f"{version}"}
    }


def test_an_older_version_never_replaces_a_newer_one() -> None:
    store = ObjectStore()
    assert store.put(body(5))
    assert not store.put(body(4))
    assert store.put(body(10)), "versions are compared as numbers, not as text"
    assert store.get("ns", "a") == body(10)


def test_what_is_deleted_never_comes_back_but_a_new_one_of_its_name_may() -> None:
    store = ObjectStore()
    store.put(body(5))
    assert store.remove(body(6))
    assert not store.put(body(5))
    assert not store.put(body(7))
    assert store.get("ns", "a") is None
    assert store.put(body(8, uid="u2"))


def test_a_late_deletion_leaves_the_successor() -> None:
    store = ObjectStore()
    store.put(body(8, uid="u2"))
    assert not store.remove(body(6, uid="u1"))
    assert len(store) == 1
    assert list(store) == [body(8, uid="u2")]


@pytest.mark.parametrize(
    ("status", "controls", "finished"),
    [
        ({}, [], False),
        ({"state": "PAUSED"}, [], False),
        ({"state": "FAILED"}, [], True),
        ({"state": "RETRIED"}, [], True),
        ({"state": "FAILED", "afterExecution": "RUNNING"}, [], False),
        ({"state": "FAILED", "afterExecution": "SUCCESS"}, [], True),
        ({"state": "FAILED"}, [{"id": "again", "restart": {}}], False),
        ({"state": "FAILED", "controls": [{"id": "again"}]}, [{"id": "again"}], True),
        ({"state": "FAILED", "controls": [{"id": "again"}]}, [{"id": "more"}], False),
    ],
)
def test_an_execution_is_finished_once_nothing_runs_and_nobody_wants_anything(
    status: dict[str, Any], controls: list[Any], finished: bool
) -> None:
    execution = body(1) | {"spec": {"controls": controls}, "status": status}
    assert is_finished(execution) is finished
