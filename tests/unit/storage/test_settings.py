"""What an administrator may say of the storage."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

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
        ({"quotaGib": -1}, "greater than or equal to 0"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_said(said: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        StorageSettings.model_validate(said)


def test_the_quota_of_a_namespace_is_half_of_the_volume_unless_it_is_given(tmp_path: Path) -> None:
    # given: a folder that is made later
    volume = StorageSettings(url=f"file://{tmp_path}/not/yet")
    bucket = StorageSettings(url="s3://bucket")
    # then
    assert volume.quota_bytes() == shutil.disk_usage(tmp_path).total // 2
    assert bucket.quota_bytes() is None
    for settings in (volume, bucket):
        assert settings.model_copy(update={"quota_gib": 1.5}).quota_bytes() == 1.5 * 1024**3
        assert settings.model_copy(update={"quota_gib": 0}).quota_bytes() is None


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
