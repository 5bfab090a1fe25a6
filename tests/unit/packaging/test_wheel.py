"""The wheel holds the package and says that it is typed."""

from __future__ import annotations

from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.unit.docs.snippets import ROOT


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files of the package in a wheel that was built."""
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_type_checkers_of_those_who_import_it_read_its_types(shipped: set[str]) -> None:
    assert "penstock/py.typed" in shipped


def test_every_module_is_in_it_and_nothing_else_of_the_repository(shipped: set[str]) -> None:
    modules = (ROOT / "operator").glob("penstock/**/*.py")

    assert {str(path.relative_to(ROOT / "operator")) for path in modules} <= shipped
    assert {path.split("/")[0] for path in shipped} == {"penstock"}
