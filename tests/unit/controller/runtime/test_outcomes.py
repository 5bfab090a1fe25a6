"""Each error decides on the next try, and nothing is tried too often."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from penstock.controller.runtime.outcomes import (
    HURRIED,
    LEAST_PAUSE,
    LONGEST_PAUSE,
    LONGEST_RETRY,
    LONGEST_STALLED,
    After,
    Again,
    AtOnce,
    Done,
    Outcome,
    Pace,
    Retry,
    Stalled,
    outcome_of,
)
from penstock.controller.runtime.queue import Key
from penstock.kubernetes.api.client import ApiError
from penstock.kubernetes.api.configmap_store import NameTaken, ValueLost
from penstock.storage.errors import StorageUnavailable

KEY = Key("Execution", "ns", "a")
TERMINATING = (
    "configmaps is forbidden: unable to create in namespace x because it is being terminated"
)
QUOTA = "secrets is forbidden: exceeded quota: small, requested: count/secrets=1"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Again(), AtOnce()),
        (ApiError(409, "Conflict", "modified"), Retry("Conflict", "modified", 0.02)),
        (ApiError(404, "NotFound", "gone"), Retry("NotFound", "gone")),
        (ApiError(403, "Forbidden", TERMINATING), Retry("NamespaceTerminating", TERMINATING, 5.0)),
        (ApiError(403, "Forbidden", QUOTA), Retry("QuotaExceeded", QUOTA, 1.0)),
        (ApiError(403, "Forbidden", "no"), Stalled("Forbidden", "no")),
        (ApiError(401, "Unauthorized", "no"), Retry("Unauthorized", "no")),
        (ApiError(413, "RequestEntityTooLarge", "no"), Stalled("RequestEntityTooLarge", "no")),
        (ApiError(429, "TooManyRequests", "wait", 7), Retry("TooManyRequests", "wait", at_least=7)),
        (ApiError(503, "Unavailable", "down"), Retry("Unavailable", "down")),
        (ApiError(0, "Unreachable", "lost"), Retry("Unreachable", "lost")),
        (ValueLost("ValueGone", "put it back"), Stalled("ValueGone", "put it back")),
        (StorageUnavailable("away"), Retry("StorageUnavailable", "away")),
    ],
    ids=str,
)
def test_every_error_has_one_meaning(error: Exception, outcome: Outcome) -> None:
    assert outcome_of(error) == outcome


def test_a_foreign_config_map_stalls_and_says_what_to_do() -> None:
    outcome = outcome_of(NameTaken("run-1-outputs-x"))
    assert isinstance(outcome, Stalled)
    assert outcome.reason == "NameClash"
    assert "run-1-outputs-x" in outcome.message
    assert "delete it" in outcome.message


def test_of_what_is_invalid_the_fields_are_told_and_never_the_values() -> None:
    text = 'Execution.penstock.dev "run" is invalid: spec.inputs: Invalid value: "hunter2"'
    outcome = outcome_of(ApiError(422, "Invalid", text, fields=["spec.inputs"]))
    message = 'Execution.penstock.dev "run" is invalid in spec.inputs'
    assert outcome == Stalled("Invalid", message)


def test_an_error_of_our_own_says_nothing_that_could_be_secret() -> None:
    outcome = outcome_of(ValueError("the password hunter2 is wrong"))
    assert isinstance(outcome, Retry)
    assert "hunter2" not in outcome.message
    assert "ValueError" in outcome.message
    assert isinstance(outcome.error, ValueError), "for the log"


def waits(outcomes: Sequence[Outcome]) -> list[float]:
    pace = Pace()
    return [pace.seconds(KEY, outcome, 0.0) or 0.0 for outcome in outcomes]


RETRY = Retry("Unavailable", "down")
CONFLICT = Retry("Conflict", "modified", 0.02)
STALLED = Stalled("Forbidden", "no")


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (RETRY, [0.2, 0.4, 0.8, 1.6]),
        (CONFLICT, [0.02, 0.2, 0.4, 0.8]),
        (Retry("QuotaExceeded", "", 1.0), [1, 2, 4, 8]),
        (STALLED, [5, 10, 20, 40]),
        (Retry("TooManyRequests", "", at_least=3), [3, 3, 3, 3]),
    ],
    ids=str,
)
def test_what_fails_waits_longer_each_time(outcome: Outcome, expected: list[float]) -> None:
    for found, about in zip(waits([outcome] * 4), expected, strict=True):
        assert about * 0.8 <= found <= about * 1.2


@pytest.mark.parametrize(("outcome", "most"), [(RETRY, LONGEST_RETRY), (STALLED, LONGEST_STALLED)])
def test_no_wait_is_endless(outcome: Outcome, most: float) -> None:
    assert 0.8 * most <= waits([outcome] * 200)[-1] <= 1.2 * most


@pytest.mark.parametrize("well", [Done(), After(3.0)])
def test_what_ends_well_begins_from_the_first_wait_again(well: Outcome) -> None:
    found = waits([RETRY, RETRY, RETRY, well, RETRY])
    assert found[-1] < 0.3


def test_keys_wait_for_themselves() -> None:
    pace = Pace()
    for _ in range(5):
        pace.seconds(KEY, RETRY, 0.0)
    other = pace.seconds(Key("Execution", "ns", "b"), RETRY, 0.0)
    assert other is not None and other < 0.3


def test_news_of_what_has_just_failed_waits_a_moment_and_no_longer() -> None:
    pace = Pace()
    pace.seconds(KEY, STALLED, 100.0)
    assert pace.pause(KEY, 100.0) == LEAST_PAUSE
    assert pace.pause(KEY, 100.0 + LEAST_PAUSE) == 0
    for _ in range(20):
        pace.seconds(KEY, STALLED, 200.0)
    assert pace.pause(KEY, 200.0) == LONGEST_PAUSE
    pace.seconds(KEY, Done(), 201.0)
    assert pace.pause(KEY, 201.0) == 0


@pytest.mark.parametrize("outcome", [AtOnce(), After(0.01)])
def test_whoever_goes_on_at_once_for_ever_is_slowed_down(outcome: Outcome) -> None:
    found = waits([outcome] * (HURRIED + 5))
    assert max(found[:HURRIED]) <= 0.01
    assert min(found[HURRIED:]) >= LEAST_PAUSE
