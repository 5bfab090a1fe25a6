"""Who may use the file of which execution: the rule, case by case."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from penstock.storage.access import (
    MAX_ANCESTORS,
    ExecutionRecord,
    ancestors,
    needed,
    why_not_handed,
)
from penstock.storage.errors import AccessDenied
from penstock.storage.uris import ExecutionPlace, paths_in, readable, uri_of


def place(name: str) -> ExecutionPlace:
    return ExecutionPlace("company.team", "flow", name)


def file(name: str, path: str = "report.csv") -> str:
    """The URI of a file that a task of an execution made."""
    return uri_of(place(name).task_file("make", "run", path))


def execution(name: str, parent: str | None = None, **of_record: Any) -> ExecutionRecord:
    return ExecutionRecord(name, place(name), parent, **of_record)


class World:
    """Executions that are recorded."""

    def __init__(self, *records: ExecutionRecord) -> None:
        self._records = {record.name: record for record in records}
        self.asked: list[str] = []

    def find(self, name: str) -> ExecutionRecord | None:
        self.asked.append(name)
        return self._records.get(name)

    def uses(self, name: str, uri: str) -> bool:
        """Whether an execution may read the file of a URI."""
        return self.refusal(name, uri) is None

    def refusal(self, name: str, uri: str) -> str | None:
        own = self._records[name]
        assert own.place is not None
        try:
            readable(
                uri,
                own.place,
                ancestors(own, self.find),
                refused=lambda path: why_not_handed(path, own, self.find),
            )
        except AccessDenied as error:
            return str(error)
        return None


FAMILY = World(
    execution("grand"),
    execution("parent", "grand", outputs={"f": file("child"), "other": file("foreign")}),
    execution("child", "parent", outputs={"f": file("child"), "of_nobody": file("foreign")}),
    execution("sibling", "parent", inputs={"given": file("child")}),
    execution("nephew", "sibling", inputs={"list": [{"at": file("child")}]}),
    execution("uninformed", "parent", inputs={"given": "text"}),
    execution("typed", inputs={"given": file("child"), "g": file("foreign")}),
    execution("below-typed", "typed", inputs={"given": file("foreign")}),
    execution("foreign"),
)
"""`grand` calls `parent`; that calls `child`, `sibling` and `uninformed`; `sibling` calls `nephew`.
Somebody typed URIs into the inputs of `typed`. `foreign` has nothing to do with anybody."""


@pytest.mark.parametrize(
    ("who", "uri", "may"),
    [
        ("child", file("child"), True),
        ("child", file("parent"), True),  # of who called it
        ("child", file("grand"), True),
        ("parent", file("child"), True),  # an output of its child
        ("parent", file("child", "draft.csv"), False),  # of its child, but no output
        ("grand", file("child"), True),  # handed up twice
        ("grand", file("parent"), False),  # nobody gave that one
        ("sibling", file("child"), True),  # handed across, as an input
        ("sibling", file("child", "draft.csv"), False),
        ("nephew", file("child"), True),  # and further down
        ("uninformed", file("child"), False),  # a sibling that was not given it
        ("uninformed", file("sibling"), False),
        ("child", file("foreign"), False),  # its own output names it: that gives nothing
        ("parent", file("foreign"), False),  # nor to who takes the output
        ("grand", file("foreign"), False),
        ("typed", file("foreign"), False),  # a person typed it
        ("typed", file("child"), False),
        ("below-typed", file("foreign"), False),  # handed on by one that has no right to it
        ("parent", file("deleted"), False),
        ("foreign", file("child"), False),
    ],
)
def test_who_uses_which_file(who: str, uri: str, may: bool) -> None:
    assert FAMILY.uses(who, uri) is may


def test_the_refusal_says_what_is_missing() -> None:
    told = FAMILY.refusal("parent", file("child", "draft.csv"))
    assert told is not None
    assert f"Unable to read the file '{file('child', 'draft.csv')}'" in told
    assert told.endswith(
        "the execution got it neither as an input, nor as an output of an execution that it called"
    )
    gone = FAMILY.refusal("parent", file("deleted"))
    assert gone is not None
    assert "there is no execution `deleted` any more" in gone


@pytest.mark.parametrize(
    "value",
    [
        file("child"),
        [file("child")],
        {"deep": {"er": [1, None, {"f": file("child")}]}},
        json.dumps({"f": file("child")}),
        f"The report is at {file('child')}.",
        file("child").replace("report", "rep%6Frt"),  # another spelling of the same path
    ],
)
def test_an_output_names_a_file_wherever_it_stands_in_it(value: Any) -> None:
    world = World(execution("parent"), execution("child", "parent", outputs={"o": value}))
    assert world.uses("parent", file("child"))


@pytest.mark.parametrize(
    "value",
    [
        file("child") + ".bak",
        file("child").replace("kestra:///", "kestra://host/"),
        file("child").removesuffix("report.csv") + "../run/report.csv",
        {file("child"): "as a key"},
        None,
        5,
    ],
)
def test_what_is_nearly_the_name_hands_on_nothing(value: Any) -> None:
    world = World(execution("parent"), execution("child", "parent", outputs={"o": value}))
    assert not world.uses("parent", file("child"))


def test_a_subflow_may_take_what_is_no_output_of_its_flow() -> None:
    # given: `outputs` of the Subflow itself, which reads the outputs of the child's tasks
    taken = {"child": {"outputs": {"f": file("child")}}, "other": {"f": file("child", "x")}}
    world = World(
        execution("parent", taken=taken), execution("child", "parent"), execution("other", "parent")
    )
    assert world.uses("parent", file("child"))
    assert not world.uses("parent", file("child", "x"))  # said by another child of it


def test_a_retry_and_a_replay_use_what_the_first_one_was_handed() -> None:
    world = World(
        execution("first"),
        execution("child", "first", outputs={"f": file("child")}),
        execution("again", repeats=["first"]),
        execution("and-again", repeats=["again"]),
    )
    for name in ("again", "and-again"):
        assert world.uses(name, file("first"))
        assert world.uses(name, file("child"))
    assert not world.uses("first", file("again"))


def test_a_replay_uses_of_who_called_the_first_one_only_what_that_one_was_given() -> None:
    # given: somebody asks for a replay of a child, and types another URI into its inputs
    world = World(
        execution("parent"),
        execution("child", "parent", inputs={"f": file("parent")}),
        execution("replay", repeats=["child"], inputs={"f": file("parent", "private.csv")}),
        execution("below-replay", "replay", inputs={"f": file("parent", "private.csv")}),
    )
    # then
    assert world.uses("child", file("parent", "private.csv"))
    assert world.uses("replay", file("parent"))
    assert not world.uses("replay", file("parent", "private.csv"))
    assert not world.uses("below-replay", file("parent", "private.csv"))
    replay = world.find("replay")
    assert replay is not None
    assert needed(replay, world.find) == ("child", "parent")


def test_a_trigger_hands_on_the_outputs_of_what_fired_it() -> None:
    world = World(
        execution("fired"),
        execution("child", "fired", outputs={"f": file("child")}),
        execution("next", started_by="fired", inputs={"outputs": {"f": file("child")}}),
        execution("late", started_by="fired", outputs={"f": file("late")}),
    )
    assert world.uses("next", file("child"))
    assert world.uses("next", file("fired"))
    assert not world.uses("late", file("child"))
    # what it starts calls nobody: its outputs go to none
    assert not world.uses("fired", file("late"))


def test_what_has_not_begun_hands_on_nothing() -> None:
    child = execution("child", "parent", outputs={"f": file("child")})
    world = World(execution("parent"), replace(child, place=None))
    assert not world.uses("parent", file("child"))


def test_circles_and_long_chains_come_to_an_end() -> None:
    # given: executions that claim to have called, and to do again, each other
    ring = [
        execution(
            f"r{index}",
            f"r{(index + 1) % 500}",
            repeats=[f"r{(index + 7) % 500}", f"r{(index + 11) % 500}"],
            inputs={"f": file("foreign")},
            outputs={"f": file("r0")},
        )
        for index in range(500)
    ]
    world = World(*ring, execution("foreign"))
    # then
    assert len(ancestors(ring[0], world.find)) == MAX_ANCESTORS
    assert not world.uses("r0", file("foreign"))
    assert len(world.asked) < 1000


def test_a_path_is_looked_for_under_few_names() -> None:
    # given: a path as an attacker writes it
    world = World(execution("mine"))
    uri = "kestra:///" + "executions/x/" * 70 + "tasks/a/b/c"
    # then
    assert not world.uses("mine", uri)
    assert len(world.asked) <= 4


def test_a_namespace_of_the_folders_name_is_no_hindrance() -> None:
    # given
    odd = ExecutionPlace("executions.executions", "executions", "child")
    uri = uri_of(odd.task_file("make", "run", "a"))
    child = ExecutionRecord("child", odd, "parent", outputs={"f": uri})
    # then
    assert World(execution("parent"), child).uses("parent", uri)


def test_all_files_of_a_text_are_found_once() -> None:
    text = f"{file('a')}, {file('b')} and {file('a')}; kestra:///../x, nsfile:///c"
    paths = [place(name).task_file("make", "run", "report.csv") for name in ("a", "b")]
    assert list(paths_in(text)) == paths


@pytest.mark.parametrize(
    "written", ["kestra:///n/f/executions/e/a", "kestra:///n/f/executions/e/%61"]
)
def test_what_is_read_to_find_a_file_is_bounded(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given executions that do each other again, with inputs as large as may be
    read = 0

    def counted(text: str) -> Iterator[str]:
        nonlocal read
        read += len(text)
        return paths_in(text)

    monkeypatch.setattr("penstock.storage.access.paths_in", counted)
    inputs = [written * 20] * 1_500
    line = [execution(f"again-{n}", repeats=(f"again-{n + 1}",), inputs=inputs) for n in range(64)]
    world = World(execution("first"), *line)

    # then
    assert not world.uses("again-0", file("first"))
    assert read <= 8 * 1024 * 1024


def test_a_file_is_found_however_its_uri_is_escaped() -> None:
    escaped = file("first").replace("report", "%72%65port")
    record = execution("second", parent="first", inputs={"of": [escaped]})
    world = World(execution("first"), record, execution("third", repeats=("second",)))
    assert world.uses("third", file("first"))
