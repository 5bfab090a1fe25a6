"""Which names of types are taken for types, and which for slips of the pen."""

from __future__ import annotations

from importlib.resources import files

import pytest

from penstock.flow.known_types import hint_for, is_known, may_exist, use_of
from penstock.types import task_types

LINES = [
    line
    for line in files("penstock.flow")
    .joinpath("known_types.txt")
    .read_text("utf-8")
    .replace("\n  ", " ")
    .splitlines()
    if line and not line.startswith("#")
]
LISTED = [
    f"io.kestra.{package}.{kind}"
    for package, _, kinds in (line.partition(":") for line in LINES)
    for kind in kinds.split()
]


def test_the_list_has_every_package_and_type_once() -> None:
    packages = [line.partition(":")[0] for line in LINES]
    assert len(set(packages)) == len(packages)
    assert len(set(LISTED)) == len(LISTED)


def test_a_listed_type_is_never_called_a_slip() -> None:
    assert [name for name in LISTED if not may_exist(name) or not is_known(name.upper())] == []


def test_what_penstock_carries_is_listed() -> None:
    carried = [name for task_type in task_types() for name in (task_type.name, *task_type.aliases)]
    assert [name for name in carried if not is_known(name)] == []


def test_every_old_name_of_a_core_task_is_carried_under_its_new_one() -> None:
    old = [name for name in LISTED if name.startswith("io.kestra.core.tasks.")]
    assert "io.kestra.core.tasks.flows.ForEachItem" in old
    unserved = {"io.kestra.core.tasks.scripts.Node"}
    assert {name for name in old if task_types().find(name) is None} == unserved


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("io.kestra.plugin.core.log.Log", "task"),
        ("io.kestra.plugin.core.trigger.Toggle", "task"),
        ("io.kestra.plugin.core.trigger.Schedule", "trigger"),
        ("io.kestra.core.models.triggers.types.Flow", "trigger"),
        ("io.kestra.plugin.core.http.Trigger", "trigger"),
        ("io.kestra.plugin.kafka.RealtimeTrigger", "trigger"),
        ("io.kestra.plugin.dbt.cloud.TriggerRun", "task"),
        ("io.kestra.plugin.core.condition.Not", "condition"),
        ("io.kestra.core.models.conditions.types.NotCondition", "condition"),
        ("io.kestra.plugin.core.runner.Process", "task runner"),
        ("io.kestra.plugin.scripts.runner.docker.Docker", "task runner"),
        ("io.kestra.plugin.ai.provider.OpenAI", "plugin"),
    ],
)
def test_a_name_tells_where_its_type_belongs(name: str, use: str) -> None:
    assert use_of(name) == use


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a",
        "a.b",
        "a..B",
        "io.kestra.plugin.X",
        "com.company.thing",
        "com.company.my task.X",
    ],
)
def test_what_is_no_name_of_a_type(name: str) -> None:
    assert not may_exist(name)
    assert hint_for(name) == ""
