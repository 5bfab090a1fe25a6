"""The table of conditions: whoever names a reason gets the conditions that belong to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.git.model import Reason as GitReason
from penstock.resources.conditions import (
    EXECUTION,
    FLOW,
    GIT_SOURCE,
    KEY_VALUE,
    OWNERS,
    READY,
    SOURCE_INVALID,
    Condition,
    NotOwned,
    Owner,
    Polarity,
    is_ready,
    tells_of_wait,
)
from penstock.resources.reasons import (
    EXECUTION_STATES,
    SOURCE_REASONS,
    TRIED_AGAIN,
    WAITS_FOR_A_PERSON,
    WAITS_THAT_PASS,
    Health,
)

NOW = datetime(2031, 5, 4, 3, 2, 1, 999, tzinfo=UTC)
WITH_CONDITIONS = (FLOW, EXECUTION, GIT_SOURCE)
FOREIGN = Condition(
    type="Audited", status="False", reason="Late", last_transition_time=NOW, observed_generation=7
)
"""What somebody else says of the object."""


def shown(conditions: list[Condition]) -> dict[str, tuple[str, str]]:
    return {item.type: (item.status, item.reason) for item in conditions}


def judged(owner: Owner, reason: str, before: list[Condition] | None = None) -> list[Condition]:
    return owner.judged(before or [], reason, "so it is", NOW, 1)


# --- what a reason means --------------------------------------------------------------------------


def test_a_flow_that_is_accepted_again_is_not_stalled_any_more() -> None:
    invalid = judged(FLOW, "Invalid")
    assert shown(invalid) == {"Ready": ("False", "Invalid"), "Stalled": ("True", "Invalid")}
    assert shown(judged(FLOW, "Accepted", invalid)) == {"Ready": ("True", "Accepted")}


def test_a_source_whose_spec_cannot_be_read_waits_for_a_person() -> None:
    assert shown(judged(GIT_SOURCE, "InvalidSpec")) == {
        "Ready": ("False", "InvalidSpec"),
        "Stalled": ("True", "InvalidSpec"),
    }


def test_a_source_that_git_fails_for_is_not_stalled_by_what_was_wrong_before() -> None:
    before = judged(GIT_SOURCE, "InvalidURL")
    assert shown(judged(GIT_SOURCE, "Timeout", before)) == {"Ready": ("False", "Timeout")}


def test_what_is_in_the_way_says_nothing_of_how_an_execution_ends() -> None:
    running = judged(EXECUTION, "Running")
    waits = EXECUTION.waiting(running, "QuotaExceeded", "pods: 0", NOW, 1, stalled=False)
    assert shown(waits) == {
        "Succeeded": ("Unknown", "Running"),
        "Ready": ("False", "QuotaExceeded"),
        "Reconciling": ("True", TRIED_AGAIN),
    }
    assert waits[2].message == "QuotaExceeded: pods: 0"
    assert tells_of_wait(waits)
    assert not tells_of_wait(judged(EXECUTION, "Running", waits))


@pytest.mark.parametrize("stalled", [True, False])
def test_a_word_of_the_api_server_that_nobody_knows_is_a_refusal(stalled: bool) -> None:
    told = GIT_SOURCE.waiting([], "418", "a teapot", NOW, 1, stalled=stalled)
    assert shown(told)["Ready"] == ("False", "Refused")


def test_a_file_that_broke_is_told_beside_the_health_of_its_flow() -> None:
    accepted = judged(FLOW, "Accepted")
    broken = FLOW.marked(accepted, SOURCE_INVALID, "Invalid", "line 3", NOW, 1)
    assert shown(broken)["SourceInvalid"] == ("True", "Invalid")
    assert is_ready(broken)
    assert FLOW.marked(broken, SOURCE_INVALID, None, "", NOW, 1) == accepted
    assert "SourceInvalid" not in shown(judged(FLOW, "Duplicate", broken))


# --- what nobody may write ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda: judged(FLOW, "Running"),
        lambda: judged(EXECUTION, "Accepted"),
        lambda: judged(GIT_SOURCE, "Tired"),
        lambda: GIT_SOURCE.marked([], SOURCE_INVALID, "Invalid", "", NOW, 1),
        lambda: FLOW.marked([], SOURCE_INVALID, "Tired", "", NOW, 1),
        lambda: FLOW.marked([], READY, "Tired", "", NOW, 1),
    ],
)
def test_only_what_the_table_has_is_written(write: Callable[[], object]) -> None:
    with pytest.raises(NotOwned):
        write()


def test_a_key_value_has_no_conditions() -> None:
    assert KEY_VALUE.waiting([FOREIGN], "Forbidden", "", NOW, 1, stalled=True) == [FOREIGN]


# --- whatever happens -----------------------------------------------------------------------------

_WAITS = [(item.word, False) for item in WAITS_THAT_PASS]
_WAITS += [(item.word, True) for item in WAITS_FOR_A_PERSON]
_ANY_WAIT = st.sampled_from([*_WAITS, ("Unheard", True), ("Unheard", False)])


@pytest.mark.parametrize("owner", WITH_CONDITIONS, ids=lambda owner: owner.kind)
@given(data=st.data())
def test_the_rules_of_kstatus_hold_whatever_happens(owner: Owner, data: st.DataObject) -> None:
    conditions, now = [FOREIGN], NOW
    words = {*owner.reasons, *SOURCE_REASONS, TRIED_AGAIN}
    words |= {item.word for item in (*WAITS_THAT_PASS, *WAITS_FOR_A_PERSON)}
    bad = {owned.type for owned in owner.owned if owned.polarity is Polarity.BAD}
    for _ in range(data.draw(st.integers(1, 6))):
        before, now = conditions, now + timedelta(minutes=1)
        if data.draw(st.booleans()):
            reason = data.draw(st.sampled_from(sorted(owner.reasons)))
            conditions = owner.judged(before, reason, reason, now, 2)
            assert owner.judged(conditions, reason, reason, now + timedelta(1), 2) == conditions
        else:
            reason, stalled = data.draw(_ANY_WAIT)
            conditions = owner.waiting(before, reason, reason, now, 2, stalled=stalled)

        ours = {item.type: item for item in conditions if item != FOREIGN}
        assert FOREIGN in conditions, "what others say stays"
        assert ours.keys() <= {owned.type for owned in owner.owned}
        assert {item.reason for item in ours.values()} <= words
        assert "Ready" in ours
        assert not {"Stalled", "Reconciling"} <= ours.keys()
        assert {item.status for type, item in ours.items() if type in bad} <= {"True"}
        for old in before:
            new = ours.get(old.type)
            if new is not None:
                assert (new.last_transition_time == old.last_transition_time) is (
                    new.status == old.status
                )


@pytest.mark.parametrize("owner", WITH_CONDITIONS, ids=lambda owner: owner.kind)
def test_every_reason_means_one_health_and_is_a_word_for_kubernetes(owner: Owner) -> None:
    form = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
    for reason in (*owner.reasons.values(), *WAITS_THAT_PASS, *WAITS_FOR_A_PERSON):
        assert form.fullmatch(reason.word)
        assert reason.says.endswith(".")
        assert reason.remedy or reason.health in (
            Health.HEALTHY, Health.PROGRESSING, Health.RETRIED
        ), reason.word  # fmt: skip


def test_each_kind_of_resource_is_in_the_table() -> None:
    assert set(OWNERS) == {"Flow", "Execution", "GitSource", "TriggerState", "KeyValue"}


def test_every_reason_of_git_is_one_of_a_source() -> None:
    assert set(get_args(GitReason)) <= GIT_SOURCE.reasons.keys()


def test_the_states_of_an_execution_are_reasons_of_it() -> None:
    assert {reason.word for reason in EXECUTION_STATES} <= EXECUTION.reasons.keys()
