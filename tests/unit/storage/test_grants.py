"""What the key signs: grants and URLs, and nothing that was changed."""

from __future__ import annotations

import base64
import io
import json
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from penstock.storage.errors import AccessDenied, StorageError, StorageUnavailable
from penstock.storage.files import Storage
from penstock.storage.grants import Grant
from penstock.storage.key import KEY_PATH, create_key, read_key
from penstock.storage.logtokens import LogToken
from penstock.storage.signing import sign
from penstock.storage.uploads import Upload
from penstock.storage.uris import ExecutionPlace

KEY = b"k" * 32
GRANT = Grant(
    tenant="team",
    place=ExecutionPlace("company", "flow", "run"),
    owner="uid",
    task="täsk",
    task_run="tr",
    job="job",
    expires=datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1),
    parents=(ExecutionPlace("company", "caller", "run-0"),),
    rights=frozenset({"delete", "logs"}),
)


def test_a_grant_comes_back_as_it_was_given() -> None:
    assert Grant.verified(GRANT.token(KEY), KEY) == GRANT


def test_a_grant_is_the_same_text_whenever_it_is_made() -> None:
    other_order = replace(GRANT, rights=frozenset({"logs", "delete"}))
    assert GRANT.token(KEY) == other_order.token(KEY)


def test_an_upload_comes_back_as_it_was_given_and_is_no_grant() -> None:
    # given
    upload = Upload("team", "/a/b", "id", size=25, digest="0" * 64, part_bytes=10)
    # then
    assert Upload.verified(upload.token(KEY), KEY) == upload
    with pytest.raises(AccessDenied, match="the upload's signature"):
        Upload.verified(GRANT.token(KEY), KEY)
    with pytest.raises(AccessDenied, match="the grant's signature"):
        Grant.verified(upload.token(KEY), KEY)


@pytest.mark.parametrize(
    ("size", "sizes"), [(0, []), (9, [9]), (10, [10]), (11, [10, 1]), (30, [10, 10, 10])]
)
def test_an_upload_has_parts_of_one_size_and_a_rest(size: int, sizes: list[int]) -> None:
    assert Upload("team", "/a", "id", size, "0" * 64, part_bytes=10).sizes == sizes


def test_a_grant_that_was_changed_is_refused() -> None:
    # given
    payload, signature = GRANT.token(KEY).split(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**said, "tenant": "x"}).encode()).decode()
    # then
    for token in (
        f"{forged}.{signature}",
        f"{payload}.",
        payload,
        "",
        ".",
        f"{payload}.{'0' * 64}",
    ):
        with pytest.raises(AccessDenied, match="signature"):
            Grant.verified(token, KEY)


def test_what_was_signed_as_a_url_is_no_grant() -> None:
    # given
    payload = GRANT.token(KEY).split(".")[0]
    # then
    with pytest.raises(AccessDenied, match="signature"):
        Grant.verified(f"{payload}.{sign(KEY, 'url', payload.encode())}", KEY)


def test_a_grant_ends() -> None:
    past = replace(GRANT, expires=datetime.now(UTC) - timedelta(seconds=2))
    with pytest.raises(AccessDenied, match="expired"):
        Grant.verified(past.token(KEY), KEY)


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    # given
    storage = Storage.local(str(tmp_path))
    with pytest.raises(StorageUnavailable, match="no signing key yet"):
        read_key(storage)
    # when
    key = create_key(storage)
    # then
    assert create_key(storage) == read_key(storage) == key
    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / ".penstock/key").stat().st_mode) == 0o600


def test_with_another_key_what_was_signed_before_opens_nothing(tmp_path: Path) -> None:
    # given
    storage = Storage.local(str(tmp_path))
    before = create_key(storage)
    of_logs = LogToken(GRANT.tenant, GRANT.place, "uid", 2**36)
    grant, token = GRANT.token(before), of_logs.text(before)
    # when
    (tmp_path / ".penstock/key").unlink()
    key = create_key(storage)
    # then
    with pytest.raises(AccessDenied):
        Grant.verified(grant, key)
    with pytest.raises(AccessDenied):
        LogToken.verified(key, GRANT.tenant, GRANT.place, token)


def test_a_key_that_is_none_is_not_used(storage: Storage) -> None:
    storage.put(KEY_PATH, io.BytesIO(b""))
    with pytest.raises(StorageUnavailable, match="holds no signing key"):
        create_key(storage)


def test_tenants_are_apart(storage: Storage) -> None:
    # given
    storage.of("a").put("/x/y", io.BytesIO(b"of a"))
    # then
    assert storage.exists("/a/x/y")
    assert not storage.of("b").exists("/x/y")
    assert list(storage.of("a").list("/x/")) == ["/x/y"]


@pytest.mark.parametrize("name", ["", ".", "..", ".penstock", "a/b", "A", "a\n", "-a", "a" * 64])
def test_a_tenant_is_a_kubernetes_namespace(storage: Storage, name: str) -> None:
    with pytest.raises(StorageError, match="not the name of a Kubernetes namespace"):
        storage.of(name)
