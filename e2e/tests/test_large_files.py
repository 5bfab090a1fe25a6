"""Large files go to a bucket in parts: a real S3 server, behind a line that breaks.

Only the Jobs of the cluster are made up.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from e2e.bench.podclient import moved
from e2e.fixtures.line import Line, line_to
from e2e.fixtures.objectstore import versitygw
from e2e.fixtures.urls import asked
from penstock.storage.errors import AccessDenied, FileDamaged, StorageError, StorageUnavailable
from penstock.storage.settings import opened
from penstock.storage_service.multipart import PART_BYTES, S3Parts
from penstock.tasks.remote import transfer, uploading
from penstock.tasks.remote.storage import Remote
from tests.fixtures.storageservice import GRANT, Running, serving

MIB = 1024**2
PART = 5 * MIB
"""The least that S3 takes as a part that is not the last."""
LARGEST = 1024**3


@dataclass
class Far:
    """A storage service with a bucket, and the line to that."""

    service: Running
    line: Line

    @property
    def unfinished(self) -> int:
        """The number of uploads that were begun and neither completed nor aborted."""
        files = self.service.storage.filesystem
        return len(files.call_s3("list_multipart_uploads", Bucket="penstock").get("Uploads", ()))


@pytest.fixture(scope="module", params=[PART])
def far(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    folder: Path = tmp_path_factory.mktemp("s3")
    with (
        versitygw(folder / "files") as store,
        line_to(store.port) as line,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in store.environment.items():
            patch.setenv(name, value)
        storage = opened(store.settings_at(line.port))
        with serving(storage, LARGEST, partial(S3Parts, part_bytes=request.param)) as service:
            yield Far(service, line)


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "LARGE", 2 * PART)
    monkeypatch.setattr(transfer, "FIRST_PAUSE", 0.001)


def begun(remote: Remote, name: str, content: bytes) -> dict[str, Any]:
    """Begin an upload in parts; gives it as an operation names it."""
    digest = hashlib.sha256(content).hexdigest()
    answer = remote.service.operate("begin", {"name": name}, size=len(content), sha256=digest)
    return {"name": name, "upload": answer["upload"]}


def part(remote: Remote, upload: dict[str, Any], number: int, content: bytes) -> dict[str, Any]:
    """The URL to which a part is sent."""
    digest = hashlib.sha256(content).hexdigest()
    return remote.service.operate("part", upload, number=number, sha256=digest)


def test_a_part_that_breaks_off_is_sent_again_alone(far: Far) -> None:
    # given
    content = os.urandom(3 * PART + 1_234_567)
    remote = far.service.client()
    far.line.cut_after(2 * MIB, 4 * MIB)
    carried = far.line.carried
    # when
    uri = remote.files.put("broken", io.BytesIO(content))
    # then
    assert far.line.cuts_left == 0
    assert far.line.carried - carried < len(content) + 7 * MIB
    assert far.unfinished == 0
    # when
    far.line.cut_after(6 * MIB, 2 * MIB)
    with remote.files.open(uri) as file:
        found = file.read()
    # then
    assert far.line.cuts_left == 0
    assert found == content


def test_a_file_that_changes_on_its_way_is_not_kept(far: Far) -> None:
    # given
    class Changing(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1
            if self.tell() == 2 * PART and self.reads > 20:  # the third part, the second time
                self.getbuffer()[2 * PART] ^= 1
            return super().read(size)

    files = far.service.client().files
    # then
    with pytest.raises(FileDamaged, match="did not match"):
        files.put("changing", Changing(os.urandom(3 * PART)))
    assert far.unfinished == 0
    assert not files.exists("kestra:///company/team/flow/executions/run-1/tasks/make/tr1/changing")


def test_a_store_that_stays_away_is_told(far: Far) -> None:
    # given
    far.line.cut_after(*[2 * MIB] * transfer.ATTEMPTS)
    # then
    with pytest.raises(StorageUnavailable, match=r"`away` can't be written.*broke 10 times"):
        far.service.client().files.put("away", io.BytesIO(os.urandom(3 * PART)))
    assert far.unfinished == 0


def test_a_store_that_is_gone_is_told_and_takes_no_file_for_missing(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    remote = far.service.client()
    uri = remote.files.put("there", io.BytesIO(b"there"))
    monkeypatch.setattr(transfer, "ATTEMPTS", 1)
    far.line.is_down = True
    # then
    try:
        with pytest.raises(StorageUnavailable, match="the object store does not answer"):
            remote.files.exists(uri)
    finally:
        far.line.is_down = False
    assert remote.files.exists(uri)


def test_the_url_of_a_part_is_for_that_part(far: Far) -> None:
    # given
    first, last = os.urandom(PART), b"the end"
    remote = far.service.client()
    upload = begun(remote, "a", first + last)
    two = part(remote, upload, 2, last)
    url, headers = two["url"], two["headers"]
    # then
    assert asked(url, "PUT", b"The end", headers) == 400
    assert asked(url, "PUT", b"the end!", headers) == 403
    assert asked(url.replace("partNumber=2", "partNumber=1"), "PUT", last, headers) == 403
    assert asked(url.replace("/a?", "/b?"), "PUT", last, headers) == 403
    assert asked(url, "DELETE", b"", headers) == 403
    with pytest.raises(StorageError, match="2 parts, and no number 3"):
        part(remote, upload, 3, last)
    # when
    assert asked(url, "PUT", last, headers) == 200
    # then
    with pytest.raises(StorageError, match=f"not whole: 7 of {PART + 7} bytes"):
        remote.service.operate("complete", upload)
    # when
    one = part(remote, upload, 1, first)
    assert asked(one["url"], "PUT", first, one["headers"]) == 200
    uri = remote.service.operate("complete", upload)["uri"]
    # then
    assert remote.service.operate("complete", upload)["uri"] == uri  # the first answer got lost
    assert asked(url, "PUT", last, headers) == 404
    remote.service.operate("abort", upload)
    with remote.files.open(uri) as file:
        assert file.read() == first + last


def test_an_upload_is_whose_it_is(far: Far) -> None:
    # given
    content = os.urandom(PART)
    remote = far.service.client()
    upload = begun(remote, "mine", content)
    other = far.service.client(task_run="tr2", job="job-2")
    forged = {**upload, "upload": upload["upload"][:-1] + "_"}
    # then
    for who, named, why in (
        (other, upload, "another file"),
        (remote, {**upload, "name": "b"}, "another file"),
        (remote, forged, "signature is not right"),
        (remote, {**upload, "upload": GRANT.token(far.service.key)}, "signature is not right"),
    ):
        for do in ("part", "complete", "abort"):
            with pytest.raises(AccessDenied, match=why):
                who.service.operate(do, named, number=1, sha256="0" * 64)
    # when
    remote.service.operate("abort", upload)
    # then
    with pytest.raises(StorageError, match="somebody aborted it"):
        remote.service.operate("complete", upload)


@pytest.mark.parametrize("far", [PART_BYTES], indirect=True)
def test_a_large_file_moves_in_bounded_memory(far: Far, tmp_path: Path) -> None:
    # given
    source, back = tmp_path / "source", tmp_path / "back"
    with source.open("wb") as file:
        for number in range(5):
            file.seek(number * PART_BYTES)
            file.write(os.urandom(MIB))
        file.truncate(4 * PART_BYTES + 2 * MIB)
    grant = replace(GRANT, job="large")
    far.service.known.start(grant)
    far.line.cut_after(30 * MIB, 100 * MIB)
    # when
    token = grant.token(far.service.key)
    put = moved(far.service.url, token, "put", str(source), str(PART_BYTES))
    got = moved(far.service.url, token, "get", put["uri"], str(back))
    # then
    assert far.line.cuts_left == 0
    assert hashlib.file_digest(back.open("rb"), "sha256").digest() == (
        hashlib.file_digest(source.open("rb"), "sha256").digest()
    )
    assert max(put["peak_mib"], got["peak_mib"]) < 64
