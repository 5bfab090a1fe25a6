"""The chart's values: their schema, and that they say the same as the controller's settings."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from penstock.controller.runtime.settings import ExecutionSettings, Settings
from penstock.kubernetes.pods.podspec import JobDefaults
from penstock.storage.settings import StorageSettings
from penstock.tasks.pod.main import camel

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts/penstock"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
SETTINGS = SCHEMA["properties"]["settings"]["properties"]


def test_every_value_is_in_the_schema_and_no_other_is_taken() -> None:
    for path, value, schema in _pairs(VALUES, SCHEMA, ()):
        assert schema is not None, path
        closed = isinstance(value, dict) and "properties" in schema
        assert not closed or schema["additionalProperties"] is False, path


def test_every_value_is_documented() -> None:
    """A comment stands above each value, or above the group of like values that it is in."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    assert sum(line.lstrip().startswith("#") for line in lines) > 40


@pytest.mark.parametrize(
    ("model", "values", "schema"),
    [
        (Settings, VALUES["settings"], SETTINGS),
        (
            ExecutionSettings,
            VALUES["settings"]["executions"],
            SETTINGS["executions"]["properties"],
        ),
        (
            StorageSettings,
            VALUES["settings"]["storage"],
            SETTINGS["storage"]["properties"],
        ),
    ],
)
def test_the_settings_are_those_of_the_controller(
    model: type[BaseModel], values: dict[str, Any], schema: dict[str, Any]
) -> None:
    names = {field.alias or name for name, field in model.model_fields.items()}

    assert set(schema) == names
    assert set(values) == names


def test_the_values_are_the_defaults_of_the_controller() -> None:
    given = Settings.model_validate(VALUES["settings"])

    assert given.model_copy(update={"jobs": {}}) == Settings()


def test_the_defaults_of_jobs_are_those_of_the_controller() -> None:
    names = {camel(field.name) for field in fields(JobDefaults)}

    assert set(SETTINGS["jobs"]["properties"]) == names
    assert JobDefaults.from_mapping(VALUES["settings"]["jobs"]).script_user == 65532


def test_one_version_everywhere() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert chart["version"] == chart["appVersion"] == project["version"]


def _pairs(
    value: Any, schema: dict[str, Any] | None, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any, dict[str, Any] | None]]:
    yield path, value, schema
    if isinstance(value, dict) and schema is not None and "properties" in schema:
        for name, item in value.items():
            yield from _pairs(item, schema["properties"].get(name), (*path, name))
