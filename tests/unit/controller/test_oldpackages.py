"""Kept packages are deleted when they are old."""

from __future__ import annotations

import io
import time
from pathlib import Path

from penstock.controller.gc.package_cache import PackageCleaner
from penstock.storage.files import Storage
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.pod.package_cache import KEPT_SECONDS


def test_what_is_old_goes_and_nothing_else(tmp_path: Path) -> None:
    # given
    root = Storage.local(str(tmp_path))
    now = int(time.time())
    old, fresh = f"k {now - KEPT_SECONDS - 1}\n".encode(), f"k {now - KEPT_SECONDS + 99}\n".encode()

    def put(namespace: str, flow: str, name: str, content: bytes) -> str:
        path = ExecutionPlace(namespace, flow, "run").cache_file(name)
        root.of("ns").put(path, io.BytesIO(content))
        return path

    gone = [put("company.cache", "flow", "packages-a", old), put("company", "b", "packages-b", old)]
    left = [
        put("company.cache", "flow", "packages-c", fresh),
        put("company", "b", "packages-d", b"no entry"),
        put("company", "b", "wd1", old),
    ]
    others = ["/company/_files/cache/packages-e", "/company/b/executions/cache/packages-f"]
    for path in others:
        root.of("ns").put(path, io.BytesIO(old))
    root.put("/.penstock/cache/packages-g", io.BytesIO(old))
    # when
    PackageCleaner(root).delete()
    # then
    assert sorted(root.of("ns").list("/")) == sorted([*left, *others])
    assert list(root.list("/.penstock/")) == ["/.penstock/cache/packages-g"]
    assert not set(gone).intersection(root.of("ns").list("/"))


def test_only_tenants_that_are_served_are_looked_at(tmp_path: Path) -> None:
    root = Storage.local(str(tmp_path))
    path = ExecutionPlace("company", "flow", "run").cache_file("packages-a")
    for tenant in ("mine", "theirs"):
        root.of(tenant).put(path, io.BytesIO(b"k 1\n"))
    PackageCleaner(root, ["mine"]).delete()
    assert not root.of("mine").exists(path)
    assert root.of("theirs").exists(path)
