"""The grant of an attempt says which files of further executions its task may use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from penstock.controller.runtime.indexes import ObjectStore
from penstock.kubernetes.api.client import EXECUTIONS, FLOWS, JOBS
from penstock.storage.errors import StorageError
from penstock.storage.files import Storage
from penstock.storage.grants import LONGEST_TOKEN, MOST_HANDED, Grant, marks_of
from penstock.storage.key import create_key
from penstock.storage.uris import ExecutionPlace, uri_of
from penstock.tasks.remote.storage import GRANT_VARIABLE
from tests.fixtures.controller import Controller, execution, flow, until
from tests.fixtures.executions import begun, called_by, places
from tests.fixtures.storageservice import GRANT

SIZE = """
    id: flow
    namespace: company.team
    inputs: [{id: uri, type: STRING}]
    tasks:
      - {id: size, type: io.kestra.plugin.core.storage.Size, uri: "{{ inputs.uri }}"}
"""
OWN = ExecutionPlace("company.team", "flow", "run-1")
CHILD = ExecutionPlace("company.other", "load", "child-1")


def of_child(name: str = "report.csv") -> str:
    return CHILD.task_file("make", "r", name)


class Given:
    """An execution that called another one, which gave one of its two files as an output."""

    def __init__(self) -> None:
        self.executions = ObjectStore()
        self.add(OWN)
        self.add(CHILD, **called_by("run-1"), outputs={"report": uri_of(of_child())})

    def add(self, place: ExecutionPlace, **status: Any) -> None:
        body = begun(place, f"uid-{place.execution}", **status)
        body["metadata"] |= {"namespace": "team", "resourceVersion": "1"}
        self.executions.put(body)

    def handed(self, named_in: Any) -> set[str]:
        """The files of others that a task may use which is told this."""
        own = begun(OWN, "uid-run-1")
        own["metadata"]["namespace"] = "team"
        access = places(self.executions)
        return set(access.handed(own, access.parents(own), named_in))


@pytest.fixture
def given() -> Given:
    return Given()


@pytest.mark.parametrize(
    "properties",
    [
        {"from": uri_of(of_child())},
        {"commands": ["echo", f"cat {uri_of(of_child())} | wc -l"]},
        {"inputFiles": {"a.csv": uri_of(of_child())}},
        {"inputFiles": '{"a.csv": "' + uri_of(of_child()) + '"}'},
        [None, {"inputFiles": {"deep": uri_of(of_child())}}],
    ],
)
def test_what_a_task_names_and_its_execution_was_handed_is_opened(
    given: Given, properties: Any
) -> None:
    assert given.handed(properties) == {of_child()}


def test_what_was_not_handed_is_not_opened_whoever_names_it(given: Given) -> None:
    named = [uri_of(of_child("draft.csv")), "kestra:///company/x/executions/gone/tasks/a/b/c"]
    assert given.handed({"files": named}) == set()


def test_what_it_was_given_is_known_in_the_step_in_which_it_begins(given: Given) -> None:
    # given: an execution that another one called, as it is before its first status
    sibling = replace(CHILD, execution="sibling-1")
    given.add(sibling, **called_by("run-1"), inputs={"file": uri_of(of_child())})
    asked = begun(sibling, "uid-sibling-1")
    asked["metadata"]["namespace"] = "team"
    asked["status"] = {}
    access = places(given.executions)
    # then
    assert access.handed(asked, (OWN,), {"uri": uri_of(of_child())}) == {of_child()}


def test_its_own_files_and_those_of_namespaces_need_no_mention(given: Given) -> None:
    own = uri_of(OWN.task_file("make", "r", "a"))
    assert given.handed({"from": [own, "nsfile:///a", "kestra:///company/team/_files/a"]}) == set()


def test_a_child_of_an_earlier_execution_of_the_name_hands_on_nothing(given: Given) -> None:
    # given
    caller = {"execution": "run-1", "uid": "uid-of-an-earlier-run-1"}
    given.add(CHILD, calledBy=caller, outputs={"report": uri_of(of_child())})
    # then
    assert given.handed(uri_of(of_child())) == set()


async def test_the_job_of_a_task_has_a_grant_for_the_file_of_a_child(tmp_path: Path) -> None:
    # given: an execution that another one called, and whose output its first task names
    key = create_key(Storage.local(str(tmp_path / "storage")))
    controller = Controller(tmp_path)
    controller.server.put(FLOWS, flow(SIZE))
    body = controller.server.put(
        EXECUTIONS, execution("run-1", spec={"inputs": {"uri": uri_of(of_child())}})
    )
    child = begun(CHILD, "uid-child", outputs={"report": uri_of(of_child())})
    caller = {"execution": "run-1", "uid": body["metadata"]["uid"]}
    child["status"]["calledBy"] = caller
    child["metadata"]["namespace"] = "team"
    controller.server.put(EXECUTIONS, child)
    # when
    async with controller.running():
        await until(lambda: controller.server.all(JOBS))
    # then
    (job,) = controller.server.all(JOBS)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    token = next(item["value"] for item in container["env"] if item["name"] == GRANT_VARIABLE)
    grant = Grant.verified(token, key)
    assert grant.why_not_handed(of_child()) is None
    assert grant.why_not_handed(of_child("draft.csv")) is not None


def test_a_token_with_all_files_that_there_may_be_fits_into_a_variable_and_a_header(
    tmp_path: Path,
) -> None:
    # given
    key = create_key(Storage.local(str(tmp_path)))
    paths = [of_child(f"{number}.csv") for number in range(MOST_HANDED)]
    # when
    token = replace(GRANT, handed=marks_of(paths)).token(key)
    # then
    assert len(token) < LONGEST_TOKEN - 16 * 1024
    read = Grant.verified(token, key)
    assert all(read.why_not_handed(path) is None for path in paths)
    assert read.why_not_handed(of_child("another.csv")) is not None


def test_a_task_that_names_too_many_is_told_so() -> None:
    paths = [of_child(f"{number}.csv") for number in range(MOST_HANDED + 1)]
    with pytest.raises(StorageError, match=f"{MOST_HANDED + 1} files of other executions"):
        marks_of(paths)


def test_many_files_are_looked_for_in_one_reading(given: Given) -> None:
    # given: as many executions as files, all named by one that was given them
    uris = []
    for number in range(300):
        place = replace(CHILD, execution=f"child-{number}")
        uris.append(uri_of(place.task_file("make", "r", "out.csv")))
        given.add(place, **called_by("run-1"), outputs={"out": uris[-1]})
    # then
    assert len(given.handed({"files": uris})) == 300
