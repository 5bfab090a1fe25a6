"""The storage service, asked for files of further executions."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from penstock.storage.errors import AccessDenied, StorageUnavailable
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.remote.storage import Remote
from tests.fixtures.executions import begun
from tests.fixtures.storageservice import GRANT, Running

CHILD = ExecutionPlace("company.other", "load", "child-1")


@pytest.fixture
def own(service: Running) -> Remote:
    """The pod of a task whose execution called another one, which gave one of its two files."""
    return service.client()


def made_by_child(service: Running, *, given: bool = True) -> str:
    """The URI of a file of the child; whether its outputs name it."""
    files = service.client(
        replace(GRANT, place=CHILD, owner="uid-child", job="job-child", parents=())
    ).files
    uri = files.put("report.csv", io.BytesIO(b"12"))
    caller = {"execution": "run-1", "uid": GRANT.owner}
    outputs = {"report": uri} if given else {}
    body = begun(CHILD, "uid-child", calledBy=caller, outputs=outputs)
    service.known.executions["team", "child-1"] = body
    return uri


def test_the_output_of_a_child_is_read_and_measured(service: Running, own: Remote) -> None:
    # given
    uri = made_by_child(service)
    # then
    with own.files.open(uri) as file:
        assert file.read() == b"12"
    assert own.files.size(uri) == 2
    assert own.files.exists(uri)


def test_what_the_child_did_not_give_is_refused(service: Running, own: Remote) -> None:
    uri = made_by_child(service, given=False)
    with pytest.raises(AccessDenied, match="nor as an output of an execution that it called"):
        own.files.open(uri)


def test_one_that_has_the_right_to_delete_deletes_what_it_was_handed(
    service: Running, own: Remote
) -> None:
    # given
    uri = made_by_child(service)
    able = service.client(rights=frozenset({"delete"}))
    # then
    with pytest.raises(AccessDenied, match="`delete`"):
        own.files.delete(uri)
    assert able.files.delete(uri)


@pytest.mark.parametrize(
    "changed",
    [
        {"calledBy": None},
        {"calledBy": {"execution": "run-1", "uid": "uid-of-an-earlier-run-1"}},
        {"calledBy": {"execution": "another", "uid": "uid-another"}},
    ],
)
def test_a_child_of_somebody_else_hands_on_nothing(
    service: Running, own: Remote, changed: dict[str, Any]
) -> None:
    # given
    uri = made_by_child(service)
    service.known.executions["team", "child-1"]["status"] |= changed
    # then
    with pytest.raises(AccessDenied):
        own.files.open(uri)


def test_a_namesake_of_the_grants_execution_is_not_it(service: Running, own: Remote) -> None:
    # given
    uri = made_by_child(service)
    service.known.executions["team", "run-1"]["metadata"]["uid"] = "uid-later"
    # then
    with pytest.raises(AccessDenied, match="the execution of the grant is gone"):
        own.files.open(uri)


def test_a_deleted_execution_is_named(service: Running, own: Remote) -> None:
    # given
    uri = made_by_child(service)
    del service.known.executions["team", "child-1"]
    # then
    with pytest.raises(AccessDenied, match="no execution `child-1` any more"):
        own.files.open(uri)


def test_what_is_the_grants_own_costs_no_look(service: Running, own: Remote) -> None:
    # given
    uri = own.files.put("a", io.BytesIO(b"x"))
    service.known.asked.clear()
    # when
    own.files.size(uri)
    # then
    assert ("executions", "run-1") not in service.known.asked


def test_what_was_handed_counts_for_a_while(service: Running, own: Remote) -> None:
    # given
    uri = made_by_child(service)
    own.files.size(uri)
    # when: nobody is asked a second time
    service.known.asked.clear()
    own.files.size(uri)
    # then
    assert ("executions", "child-1") not in service.known.asked


def test_where_the_api_server_is_away_the_task_comes_again(service: Running, own: Remote) -> None:
    # given
    uri = made_by_child(service)
    service.known.away.add("child-1")
    # then
    with pytest.raises(StorageUnavailable, match="`child-1` can't be looked up"):
        own.service.operate("stat", {"uri": uri}, patient=False)
    # when
    service.known.away.clear()
    assert own.files.size(uri) == 2
