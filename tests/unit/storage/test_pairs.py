"""Key-value pairs of namespaces."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from penstock.storage.errors import StorageError
from penstock.storage.files import Storage
from penstock.storage.kv import KeyExists, KeyValues, Pair, ancestry


@pytest.mark.parametrize("value", ["text", 3, 1.5, True, None, {"a": [1, None]}, "\ud800"])
def test_a_value_comes_back_as_it_was(storage: Storage, value: Any) -> None:
    # given
    pairs = KeyValues(storage)
    # when
    pairs.set("company", "k", value)
    # then
    assert pairs.get("company", "k") == Pair(value)
    assert pairs.get("company.team", "k") is None


def test_keys_by_prefix(storage: Storage) -> None:
    # given
    pairs = KeyValues(storage)
    for key in ("b", "a.json", "ab"):
        pairs.set("company", key, 1)
    pairs.set("company.team", "other", 1)
    # then
    assert pairs.keys("company") == ["a.json", "ab", "b"]
    assert pairs.keys("company", "a") == ["a.json", "ab"]


def test_what_is_over_is_not_there(storage: Storage) -> None:
    # given
    pairs = KeyValues(storage)
    pairs.set("company", "over", 1, timedelta(seconds=-1))
    pairs.set("company", "holds", 1, timedelta(days=1))
    # then
    assert pairs.keys("company") == ["holds"]
    assert pairs.get("company", "over") is None
    assert not pairs.delete("company", "over")


def test_a_key_may_be_kept_from_being_overwritten(storage: Storage) -> None:
    # given
    pairs = KeyValues(storage)
    pairs.set("company", "k", 1, overwrite=False)
    # then
    with pytest.raises(KeyExists, match="Cannot set value for key 'k'"):
        pairs.set("company", "k", 2, overwrite=False)
    assert pairs.get("company", "k") == Pair(1)


def test_a_key_is_inherited_from_the_nearest_namespace_above(storage: Storage) -> None:
    # given
    pairs = KeyValues(storage)
    pairs.set("company", "a", "far")
    pairs.set("company", "b", "far")
    pairs.set("company.team", "b", "near")
    # then
    assert list(ancestry("company.team.x")) == ["company.team.x", "company.team", "company"]
    assert pairs.inherited("company.team.x", "a") == Pair("far")
    assert pairs.inherited("company.team.x", "b") == Pair("near")
    assert pairs.inherited("other", "a") is None


@pytest.mark.parametrize("key", ["", ".a", "a/b", "../a", "a b", "é", "x" * 300, "a\n"])
def test_what_is_no_key_is_refused(storage: Storage, key: str) -> None:
    with pytest.raises(StorageError, match="is not a key"):
        KeyValues(storage).set("company", key, 1)
