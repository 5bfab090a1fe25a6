"""What an administrator may say of the storage."""

from __future__ import annotations

import sys

import pytest
from pydantic import ValidationError

import penstock.storage
from penstock.storage.errors import StorageError
from penstock.storage.settings import StorageSettings, opened


def test_the_default_is_a_folder() -> None:
    assert opened(StorageSettings()).at("/a/b") == "/var/lib/penstock/a/b"


def test_a_bucket_has_a_prefix() -> None:
    # given
    said = {
        "url": "s3://bucket/some/prefix/",
        "options": {"endpoint_url": "http://127.0.0.1:9", "client_kwargs": {"region_name": "x"}},
    }
    # when
    storage = opened(StorageSettings.model_validate(said))
    # then
    assert storage.of("team").at("/a/b") == "bucket/some/prefix/team/a/b"
    assert not storage.is_local


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"url": "ftp://x/y"}, "begins with file://"),
        ({"url": "/var/lib"}, "begins with file://"),
        ({"url": "file://host/x"}, "names no folder"),
        ({"url": "file:///"}, "names no folder"),
        ({"url": "s3:///x"}, "names no bucket"),
        ({"url": "s3://key:secret@bucket"}, "more than a bucket"),
        (
            {"url": "s3://b", "options": {"endpoint": "x"}},
            "`storage.options.endpoint` is not known",
        ),
        ({"url": "s3://b", "options": {"secret": "x"}}, "`storage.options.secret` is not known"),
        (
            {"url": "s3://b", "options": {"client_kwargs": {"aws_secret_access_key": "x"}}},
            "credentials come from a Secret",
        ),
        ({"options": {"endpoint_url": "x"}}, "is not known for file://"),
        ({"serviceUrl": "10.0.0.1"}, "must begin with http"),
        ({"maxFileGib": 0}, "greater than 0"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_said(said: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        StorageSettings.model_validate(said)


@pytest.mark.parametrize(
    ("scheme", "package", "extra"), [("gs", "gcsfs", "gcs"), ("az", "adlfs", "azure")]
)
def test_a_package_that_is_missing_is_said(
    scheme: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    for name in (*sys.modules, package):
        if name.startswith(("penstock.storage.google_", "penstock.storage.azure_")):
            monkeypatch.delitem(sys.modules, name)
            monkeypatch.delattr(penstock.storage, name.rpartition(".")[2], raising=False)
        elif name.partition(".")[0] == package:
            monkeypatch.setitem(sys.modules, name, None)
    # then
    with pytest.raises(StorageError, match=rf"needs the package `{package}`.*penstock\[{extra}\]"):
        opened(StorageSettings(url=f"{scheme}://bucket"))


def test_an_account_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StorageError, match=r"needs the name of the storage account"):
        opened(StorageSettings(url="az://container"))
