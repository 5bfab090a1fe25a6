"""Files of triggers: who has a signed address puts that one file, and can do nothing else."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

import pytest

from penstock.storage import arrivals
from penstock.storage.arrivals import (
    ROUTE,
    arrival_path,
    arrivals_key,
    is_arrival,
    signed_address,
)
from penstock.storage.errors import StorageError
from penstock.storage.signing import OneObject
from penstock.storage.uris import ExecutionPlace
from penstock.storage_service.urls import OBJECTS, url_of
from penstock.tasks.remote.transfer import connect
from tests.fixtures.storageservice import Running

CONTENT = b"{n: 1}\n" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PLACE = ExecutionPlace("company.team", "flow", "flow-heard-1234")


def put(running: Running, address: str, content: bytes = CONTENT, method: str = "PUT") -> int:
    connection, target = connect(running.url + address)
    connection.request(method, target, content if method == "PUT" else None)
    status = connection.getresponse().status
    connection.close()
    return status


def address(running: Running, path: str, content: bytes = CONTENT) -> str:
    key = arrivals_key(running.key)
    return signed_address(key, "team", path, len(content), hashlib.sha256(content).hexdigest())


def test_a_file_of_a_trigger_is_its_executions_own(service: Running) -> None:
    # when
    path = arrival_path(PLACE, "messages.ion")
    status = put(service, address(service, path))
    # then
    assert status == 201
    assert PLACE.holds(path)
    with service.storage.of("team").open(path) as file:
        assert file.read() == CONTENT


def test_no_two_files_have_one_path() -> None:
    assert arrival_path(PLACE, "a") != arrival_path(PLACE, "a")


def test_an_address_is_for_one_content(service: Running) -> None:
    signed = address(service, arrival_path(PLACE, "a"))
    assert put(service, signed, CONTENT[:-1]) == 400
    assert put(service, signed, b"x" + CONTENT[1:]) == 422
    assert put(service, signed) == 201


@pytest.mark.parametrize(
    "path",
    [
        "/company/team/_files/a",
        PLACE.task_file("make", "tr1", "a"),
        f"{PLACE.folder}trigger/a",
        f"{PLACE.folder}trigger/0123456789abcdef/more/a",
    ],
)
def test_the_key_of_arrivals_opens_nothing_else(service: Running, path: str) -> None:
    assert not is_arrival(path)
    assert put(service, address(service, path)) == 403


def test_an_address_reads_nothing_and_counts_at_its_own_route_alone(service: Running) -> None:
    signed = address(service, arrival_path(PLACE, "a"))
    assert put(service, signed) == 201
    assert put(service, signed, method="GET") == 405
    assert put(service, OBJECTS + signed.removeprefix(ROUTE)) == 403
    assert put(service, OBJECTS + signed.removeprefix(ROUTE), method="GET") == 403


def test_the_key_of_tasks_files_signs_for_no_arrival(service: Running) -> None:
    wanted = OneObject("PUT", "team", arrival_path(PLACE, "a"), 2**33, len(CONTENT), DIGEST)
    signed = url_of(wanted, wanted.signature(service.key))
    assert put(service, ROUTE + signed.removeprefix(OBJECTS)) == 403


def test_an_address_ends(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "LIFETIME", -1.0)
    assert put(service, address(service, arrival_path(PLACE, "a"))) == 403


def test_another_tenants_name_is_another_address(service: Running) -> None:
    signed = address(service, arrival_path(PLACE, "a"))
    parts = urlsplit(signed)
    moved = parts._replace(path=parts.path.replace("/team/", "/other/", 1)).geturl()
    assert put(service, moved) == 403


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\nb", "x" * 300])
def test_a_name_that_no_file_has_is_refused(name: str) -> None:
    with pytest.raises(StorageError):
        arrival_path(PLACE, name)
