"""Signed URLs: one object, one direction, until a time."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from dataclasses import replace
from http.client import HTTPResponse
from pathlib import Path

import pytest

from penstock.storage.errors import AccessDenied
from penstock.storage.owner import Owner, claim
from penstock.storage.signing import OneObject
from penstock.storage_service.urls import url_of
from penstock.tasks.remote.transfer import connect
from tests.fixtures.storageservice import Running

CONTENT = b"0123456789" * 100_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
GET = OneObject("GET", "team", "/company/a file", int(time.time()) + 3600)
PUT = replace(GET, method="PUT", size=len(CONTENT), digest=DIGEST)


@pytest.fixture
def stored(service: Running) -> Running:
    with service.storage.of("team").writing("/company/a file") as file:
        file.write(CONTENT)
    return service


def asked(
    running: Running,
    method: str,
    wanted: OneObject,
    body: bytes | None = None,
    *,
    signature: str | None = None,
    headers: dict[str, str] | None = None,
) -> HTTPResponse:
    signature = wanted.signature(running.key) if signature is None else signature
    connection, target = connect(running.url + url_of(wanted, signature))
    connection.request(method, target, body, headers or {})
    response = connection.getresponse()
    response.body = response.read()  # type: ignore[attr-defined]
    connection.close()
    return response


def test_a_file_is_read_and_written(stored: Running) -> None:
    # when
    written = asked(stored, "PUT", PUT, CONTENT)
    read = asked(stored, "GET", GET)
    # then
    assert written.status == 201
    assert (read.status, read.body) == (200, CONTENT)  # type: ignore[attr-defined]
    assert read.getheader("X-Penstock-SHA256") == DIGEST


def test_a_part_of_a_file_is_read(stored: Running) -> None:
    # when
    read = asked(stored, "GET", GET, headers={"Range": "bytes=999995-"})
    beyond = asked(stored, "GET", GET, headers={"Range": "bytes=1000000-"})
    # then
    assert (read.status, read.body) == (206, b"56789")  # type: ignore[attr-defined]
    assert read.getheader("Content-Range") == "bytes 999995-999999/1000000"
    assert beyond.status == 416


@pytest.mark.parametrize(
    "changed",
    [
        {"path": "/company/another"},
        {"path": "/company/../company/a file"},
        {"tenant": "others"},
        {"tenant": ".penstock", "path": "/key"},
        {"expires": GET.expires + 1},
        {"size": 3, "digest": DIGEST},
        {"namespace": "uid-of-another"},
    ],
    ids=["path", "way-up", "tenant", "key", "time", "content", "namespace"],
)
def test_a_signature_is_for_one_thing_alone(stored: Running, changed: dict[str, object]) -> None:
    # when
    signature = GET.signature(stored.key)
    other = replace(GET, **changed)  # type: ignore[arg-type]
    # then
    assert asked(stored, "GET", other, signature=signature).status == 403


@pytest.mark.parametrize("signature", ["", "0" * 64, "ä", "x" * 5000])
def test_what_is_no_signature_is_refused(stored: Running, signature: str) -> None:
    assert asked(stored, "GET", GET, signature=signature).status == 403


def test_a_url_has_one_direction(stored: Running) -> None:
    for method, wanted in (("PUT", GET), ("GET", PUT), ("HEAD", GET), ("DELETE", GET)):
        assert asked(stored, method, wanted, CONTENT[:0]).status in (400, 403, 405)
    assert stored.storage.of("team").size("/company/a file") == len(CONTENT)


def test_a_url_that_has_expired_is_refused(stored: Running) -> None:
    # when
    answer = asked(stored, "GET", replace(GET, expires=int(time.time()) - 1))
    # then
    assert answer.status == 403
    assert b"has expired" in answer.body  # type: ignore[attr-defined]


def test_another_content_than_was_signed_is_not_written(stored: Running) -> None:
    # when
    longer = asked(stored, "PUT", PUT, CONTENT + b"x")
    other = asked(stored, "PUT", PUT, b"x" * len(CONTENT))
    # then
    assert longer.status == 400
    assert other.status == 422
    assert asked(stored, "GET", GET).body == CONTENT  # type: ignore[attr-defined]


def test_an_upload_that_breaks_off_leaves_nothing(stored: Running, tmp_path: Path) -> None:
    # given: an upload that has begun
    unfinished = tmp_path / "storage/.unfinished"
    connection, target = connect(stored.url + url_of(PUT, PUT.signature(stored.key)))
    connection.putrequest("PUT", target)
    connection.putheader("Content-Length", str(len(CONTENT)))
    connection.endheaders(b"x" * 1000)
    _until(lambda: list(unfinished.glob("*")))
    # when
    connection.close()
    # then
    _until(lambda: not list(unfinished.iterdir()))
    assert asked(stored, "GET", GET).body == CONTENT  # type: ignore[attr-defined]


def _until(what: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to it in time"
        time.sleep(0.005)


def test_a_url_of_an_earlier_namespace_opens_nothing_of_a_later_one(stored: Running) -> None:
    # given: a namespace that was made anew, whose folder is claimed
    tenant = stored.storage.of("team")
    claim(tenant, Owner("uid-first", "installation"))
    claim(tenant, Owner("uid-second", "installation"))
    with tenant.writing("/company/a file") as file:
        file.write(b"of somebody else")
    # then
    early, late = replace(GET, namespace="uid-first"), replace(GET, namespace="uid-second")
    assert asked(stored, "GET", early).status == 403
    assert asked(stored, "PUT", replace(PUT, namespace="uid-first"), CONTENT).status == 403
    assert asked(stored, "GET", late).status == 200


def test_a_folder_that_nobody_has_claimed_is_anybodys(stored: Running) -> None:
    assert asked(stored, "GET", replace(GET, namespace="uid-first")).status == 200


def test_a_grant_gives_urls_for_its_own_namespace_alone(stored: Running) -> None:
    # given
    claim(stored.storage.of("team"), Owner("uid-second", "installation"))
    # then
    with pytest.raises(AccessDenied, match="earlier namespace"):
        stored.client(namespace="uid-first").files.put("a", io.BytesIO(b"x"))
    assert stored.client(namespace="uid-second").files.put("a", io.BytesIO(b"x"))
