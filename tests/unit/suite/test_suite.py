"""How the end-to-end tests are run: in two parts, of which neither is lost."""

from __future__ import annotations

from typing import cast

import pytest

from e2e.fixtures.controller import Controller
from e2e.fixtures.kubernetes import Kubernetes
from e2e.suite import PARTS, combined

TOGETHER, ALONE = PARTS


def test_all_tests_are_in_one_of_the_parts() -> None:
    assert TOGETHER.arguments([])[-2:] == ["-m", "not alone"]
    assert ALONE.arguments([])[-4:] == ["-m", "alone", "-n", "0"]


def test_what_a_person_gives_reaches_both_parts_and_makes_none_run_beside_the_others() -> None:
    # given
    given = ["-k", "retry or kill", "-x", "-n", "3", "-m", "cluster or docs"]
    # when
    together, alone = (part.arguments(given) for part in PARTS)
    # then
    assert together[-2:] == ["-m", "(cluster or docs) and not alone"]
    assert alone[-4:] == ["-m", "(cluster or docs) and alone", "-n", "0"]
    for arguments in (together, alone):
        assert arguments[arguments.index("-k") + 1] == "retry or kill"
        assert "-x" in arguments
    assert [together[n + 1] for n, word in enumerate(together) if word == "-n"][-1] == "3"


@pytest.mark.parametrize(
    ("statuses", "wanted"),
    [
        ([0, 0], 0),
        ([1, 0], 1),
        ([0, 1], 1),
        ([1, 2], 1),
        ([0, 5], 0),
        ([5, 0], 0),
        ([5, 5], 5),
        ([5, 1], 1),
        ([-9, 0], -9),
    ],
)
def test_one_part_that_fails_fails_the_whole(statuses: list[int], wanted: int) -> None:
    """5 is pytest's word for "no test was selected"."""
    assert combined(statuses) == wanted


def test_a_controller_that_others_need_is_not_killed() -> None:
    controller = Controller(cast("Kubernetes", None), "penstock-system", is_spare=False)
    with pytest.raises(AssertionError, match="mark this one `alone`"):
        controller.kill()
