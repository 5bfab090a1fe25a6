"""URLs signed for Google: checked by what Google says of signatures of version 4, by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from penstock.storage import google_files
from penstock.storage.errors import StorageError
from penstock.storage.google_urls import GoogleUrls
from penstock.storage.presigned import NoPresigning

DIGEST = "0" * 64
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SAID = {
    "type": "service_account",
    "project_id": "penstock",
    "private_key_id": "1",
    "private_key": KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode(),
    "client_email": "storage@penstock.iam.gserviceaccount.com",
    "client_id": "1",
    "token_uri": "http://127.0.0.1:9/token",
}


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> google_files.GoogleFiles:
    """A store in which is one object."""

    def info(at: str) -> dict[str, Any]:
        if at.endswith("/there"):
            return {"generation": "123"}
        raise FileNotFoundError(at)

    monkeypatch.setenv(google_files.CREDENTIALS, json.dumps(SAID))
    files = google_files.opened({})
    monkeypatch.setattr(files, "info", info)
    return files


def check(method: str, url: str, headers: Mapping[str, str]) -> None:
    """Check a signature as Google does. Raises ``InvalidSignature`` where Google would refuse the
    request."""
    parts = urlsplit(url)
    query, _, signature = parts.query.rpartition("&X-Goog-Signature=")
    given = dict(item.split("=", 1) for item in query.split("&"))
    sent = {"host": parts.netloc, **{name.lower(): value for name, value in headers.items()}}
    signed = given["X-Goog-SignedHeaders"].replace("%3B", ";").split(";")
    assert signed == sorted(sent)
    canonical = "\n".join(
        (
            method,
            parts.path,
            "&".join(sorted(query.split("&"))),
            *(f"{name}:{sent[name]}" for name in signed),
            "",
            ";".join(signed),
            "UNSIGNED-PAYLOAD",
        )
    )
    scope = given["X-Goog-Credential"].replace("%2F", "/").partition("/")[2]
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join((given["X-Goog-Algorithm"], given["X-Goog-Date"], scope, hashed))
    KEY.public_key().verify(
        bytes.fromhex(signature), to_sign.encode(), padding.PKCS1v15(), hashes.SHA256()
    )


def test_a_url_to_read_is_signed_for_one_object(files: google_files.GoogleFiles) -> None:
    # when
    url = GoogleUrls.of(files).get("bucket/files/a #1?b=c%20ü").url
    # then
    path = quote("/bucket/files/a #1?b=c%20ü", safe="/-._~")
    assert url.startswith(f"https://storage.googleapis.com{path}?")
    assert "X-Goog-Expires=900" in url
    check("GET", url, {})
    for method, other in (("PUT", url), ("GET", url.replace("/files/a", "/files/b"))):
        with pytest.raises(InvalidSignature):
            check(method, other, {})


def test_a_url_to_write_is_signed_for_one_write_of_one_size(
    files: google_files.GoogleFiles,
) -> None:
    # when
    new = GoogleUrls.of(files).put("bucket/a", 12, DIGEST)
    there = GoogleUrls.of(files).put("bucket/there", 12, DIGEST)
    # then
    assert new.headers == {
        "x-goog-content-length-range": "12,12",
        "x-goog-if-generation-match": "0",
        "x-goog-meta-penstock-sha256": DIGEST,
    }
    assert there.headers["x-goog-if-generation-match"] == "123"
    assert not new.checked
    check("PUT", new.url, new.headers)
    for name in new.headers:
        with pytest.raises(InvalidSignature):
            check("PUT", new.url, {**new.headers, name: "1"})


def test_only_a_key_signs(files: google_files.GoogleFiles) -> None:
    # given
    files.credentials.credentials = object()
    # then
    with pytest.raises(NoPresigning, match="only the key of a service account"):
        GoogleUrls.of(files)


def test_a_key_that_is_not_right_is_told_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ('{"private_key": "abc"', '{"type": "service_account", "private_key": "abc"}'):
        monkeypatch.setenv(google_files.CREDENTIALS, text)
        with pytest.raises(StorageError, match="GOOGLE_APPLICATION_CREDENTIALS_JSON") as caught:
            google_files.opened({})
        assert "abc" not in str(caught.value)
