"""The storage service, asked for files of further executions: the grant says which it opens."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from penstock.storage.errors import AccessDenied
from penstock.storage.grants import MOST_HANDED, marks_of
from penstock.storage.uris import ExecutionPlace, parse
from penstock.tasks.remote.storage import Remote
from tests.fixtures.storageservice import GRANT, Running

CHILD = ExecutionPlace("company.other", "load", "child-1")


def made_by_child(service: Running, name: str = "report.csv") -> str:
    """The URI of a file of an execution that another one called."""
    theirs = replace(GRANT, place=CHILD, owner="uid-child", job="job-child", parents=())
    return service.client(theirs).files.put(name, io.BytesIO(b"12"))


def handed(service: Running, *uris: str) -> Remote:
    """The pod of a task whose execution was handed files."""
    return service.client(handed=marks_of([parse(uri, "") for uri in uris]))


def test_a_file_that_the_grant_names_is_read_and_measured(service: Running) -> None:
    # given
    uri = made_by_child(service)
    own = handed(service, uri)
    # then
    with own.files.open(uri) as file:
        assert file.read() == b"12"
    assert own.files.size(uri) == 2
    assert own.files.exists(uri)


def test_another_file_of_the_same_execution_is_refused(service: Running) -> None:
    # given
    own = handed(service, made_by_child(service))
    # then
    with pytest.raises(AccessDenied, match="nor as an output of an execution that it called"):
        own.files.open(made_by_child(service, "draft.csv"))
    with pytest.raises(AccessDenied):
        service.client().files.open(made_by_child(service))


def test_one_that_has_the_right_to_delete_deletes_what_it_was_handed(service: Running) -> None:
    # given
    uri = made_by_child(service)
    able = service.client(rights=frozenset({"delete"}), handed=marks_of([parse(uri, "")]))
    # then
    with pytest.raises(AccessDenied, match="`delete`"):
        handed(service, uri).files.delete(uri)
    assert able.files.delete(uri)


def test_a_grant_may_open_as_many_files_as_one_may_name(service: Running) -> None:
    # given
    uri = made_by_child(service)
    others = [CHILD.task_file("t", "r", f"{number}.csv") for number in range(MOST_HANDED - 1)]
    # when
    own = service.client(handed=marks_of([parse(uri, ""), *others]))
    # then
    assert own.files.size(uri) == 2


def test_what_was_handed_costs_the_api_server_one_look_at_the_job(service: Running) -> None:
    # given
    uri = made_by_child(service)
    own = handed(service, uri)
    service.known.asked.clear()
    # when
    for _ in range(3):
        own.files.size(uri)
    # then
    assert service.known.asked == [("jobs", GRANT.job)]
