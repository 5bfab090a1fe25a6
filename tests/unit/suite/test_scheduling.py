"""Some end-to-end tests stay in one worker."""

from __future__ import annotations

from pathlib import Path

from e2e.fixtures.scheduling import TOGETHER, ByFixture

FOLDER = Path(__file__).parents[3] / "e2e" / "tests"


def test_the_files_that_are_named_exist() -> None:
    assert [name for name in TOGETHER if not (FOLDER / name).is_file()] == []


def test_tests_of_one_group_go_to_one_worker_and_others_to_any() -> None:
    scheduler = ByFixture.__new__(ByFixture)
    stores, azure, other = (
        scheduler._split_scope(f"e2e/tests/{test}")
        for test in ("test_stores.py::test_a[x/y]", "test_azure.py::test_b", "test_kv.py::test_c")
    )
    assert stores == azure == "stores"
    assert other == "e2e/tests/test_kv.py::test_c"
