"""The metric of the bytes that each Kubernetes namespace keeps."""

from __future__ import annotations

import io
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from penstock.controller.files.stored_bytes import StoredBytes
from penstock.storage.files import Storage


def shown(counted: StoredBytes) -> str:
    registry = CollectorRegistry()
    registry.register(counted)
    return generate_latest(registry).decode()


def test_what_each_namespace_keeps_is_counted(tmp_path: Path) -> None:
    # given
    storage = Storage.local(str(tmp_path))
    for tenant, path, size in (("a", "/x/1", 10), ("a", "/x/y/2", 5), ("b", "/z", 7)):
        storage.of(tenant).put(path, io.BytesIO(b"." * size))
    storage.put("/.penstock/key", io.BytesIO(b"of nobody"))
    counted = StoredBytes(storage)
    assert "kubernetes_namespace=" not in shown(counted)
    # when
    counted.take(counted.count())
    # then
    text = shown(counted)
    assert 'penstock_storage_bytes{kubernetes_namespace="a"} 15.0' in text
    assert 'penstock_storage_files{kubernetes_namespace="a"} 2.0' in text
    assert 'penstock_storage_bytes{kubernetes_namespace="b"} 7.0' in text
    assert text.count("penstock_storage_bytes{") == 2


def test_only_namespaces_that_are_served_are_counted(tmp_path: Path) -> None:
    storage = Storage.local(str(tmp_path))
    for tenant in ("a", "b"):
        storage.of(tenant).put("/x", io.BytesIO(b"."))
    assert StoredBytes(storage, ["b", "c"]).count() == {"b": (1, 1)}
