"""What the controller lets a task's result change: nothing but what its Job was made for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from penstock.tasks.contract.kv_effects import (
    MAX_VALUE_BYTES,
    Change,
    EffectRefused,
    PairUse,
    wanted_change,
)

USE = PairUse("company.team", "k", changes=True)
SET: dict[str, Any] = {"kv": "set", "namespace": "company.team", "key": "k", "value": 1}


@pytest.mark.parametrize(
    ("effect", "change"),
    [
        (SET, Change("set", "company.team", "k", 1)),
        (
            SET | {"ttl": 90, "overwrite": False, "description": "why"},
            Change("set", "company.team", "k", 1, timedelta(seconds=90), False, "why"),
        ),
        (SET | {"kv": "merge", "value": {"a": 1}}, Change("merge", "company.team", "k", {"a": 1})),
        (SET | {"kv": "delete"}, Change("delete", "company.team", "k")),
        (SET | {"value": [None, 2**63 - 1, -(2**63), 1.5, True]}, ...),
    ],
)
def test_what_is_granted_is_done(effect: dict[str, Any], change: Any) -> None:
    wanted = wanted_change([effect], USE)

    assert wanted is not None
    assert wanted.value == effect["value"] if change is ... else wanted == change


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (SET | {"namespace": "other"}, "another key"),
        (SET | {"namespace": "company"}, "another key"),
        (SET | {"namespace": None}, "another key"),
        (SET | {"key": "other"}, "another key"),
        (SET | {"key": ["k"]}, "another key"),
        (SET | {"kv": "purge"}, "unknown kind"),
        (SET | {"kv": ["set"]}, "unknown kind"),
        ("set everything", "unknown kind"),
        (None, "unknown kind"),
        (SET | {"value": "x" * MAX_VALUE_BYTES}, "256 KiB"),
        (SET | {"value": {"a": [2**63]}}, "64 bits"),
        (SET | {"kv": "merge", "value": 3}, "only a map"),
        (SET | {"ttl": "PT1H"}, "no number"),
        (SET | {"ttl": True}, "no number"),
        (SET | {"ttl": -1}, "less than none"),
        (SET | {"ttl": 1e300}, "more than an age"),
    ],
)
def test_what_is_not_granted_is_refused(effect: Any, words: str) -> None:
    with pytest.raises(EffectRefused, match=words):
        wanted_change([effect], USE)


@pytest.mark.parametrize("use", [None, PairUse("company.team", "k"), PairUse("company.team")])
def test_a_task_that_changes_nothing_can_ask_for_nothing(use: PairUse | None) -> None:
    with pytest.raises(EffectRefused, match="which its type can't make"):
        wanted_change([SET], use)
    assert wanted_change([], use) is None


def test_one_result_makes_one_change() -> None:
    with pytest.raises(EffectRefused, match="more than one"):
        wanted_change([SET, SET], USE)


def test_a_change_that_was_lost_on_its_way_is_no_success() -> None:
    with pytest.raises(EffectRefused, match="gone before it was read"):
        wanted_change([], USE)


def test_a_grant_comes_back_from_its_text() -> None:
    assert PairUse.from_json(USE.to_json()) == USE
    for text in ("", "[]", "3", '{"namespace": "a", "more": 1}'):
        assert PairUse.from_json(text) is None
