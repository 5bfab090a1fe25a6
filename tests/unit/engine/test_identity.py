"""The names of executions that others make."""

from __future__ import annotations

import pytest

from penstock.engine.interface.identity import derived_name
from penstock.storage.uris import own_part


@pytest.mark.parametrize(
    "name", ["orders-x7k2p", "run.1", "a--b", "a.-b", "x" * 63, "1." * 31 + "1", "long-" * 14 + "."]
)
def test_a_derived_name_is_also_that_of_a_folder(name: str) -> None:
    """The path of a file names the execution in whose folder it lies."""
    made = derived_name(name, "task-run", 1)
    assert own_part(made) == made
    assert len(made) <= 63
    assert own_part(f"{made}-12") == f"{made}-12"  # one of several


def test_names_that_look_alike_have_others_derived() -> None:
    names = ("run.1", "run-1", "run--1")
    assert len({derived_name(name, "r", 1) for name in names}) == 3
