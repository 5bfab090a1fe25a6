"""The disk that the caches of all sources share."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.git import GitError
from penstock.git.disk import CacheDisk, CacheFull

MIB = 1024 * 1024


def write(disk: CacheDisk, key: str, size: int) -> None:
    """Use a cache, so that it has so many bytes afterwards."""
    with disk.used(key) as cache:
        cache.path.mkdir(exist_ok=True)
        (cache.path / "pack").write_bytes(b"x" * size)
        cache.make_room()


def keys(disk: CacheDisk) -> list[str]:
    return sorted(path.name for path in disk.root.iterdir())


def test_what_was_not_used_for_longest_makes_way(tmp_path: Path) -> None:
    disk = CacheDisk(tmp_path / "cache", 3 * MIB)
    for key in ("a", "b", "a", "c"):
        write(disk, key, MIB - 4096)
    assert keys(disk) == ["a", "b", "c"]
    write(disk, "d", MIB)
    assert keys(disk) == ["a", "c", "d"]


def test_what_is_used_stays_and_the_one_that_grows_gets_no_room(tmp_path: Path) -> None:
    disk = CacheDisk(tmp_path / "cache", 3 * MIB)
    write(disk, "used", 2 * MIB)
    with disk.used("used"), pytest.raises(CacheFull, match="tried again") as caught:
        write(disk, "new", 5 * MIB // 4)
    assert caught.value.reason == "GitOperationFailed"
    assert "used" in keys(disk)


def test_one_that_never_fits_is_told(tmp_path: Path) -> None:
    disk = CacheDisk(tmp_path / "cache", MIB)
    with pytest.raises(GitError, match=r"git\.cacheSize") as caught:
        write(disk, "a", 2 * MIB)
    assert caught.value.reason == "TooLarge"


def test_what_lies_there_from_before_counts(tmp_path: Path) -> None:
    # given: a service that has ended
    write(CacheDisk(tmp_path / "cache", 10 * MIB), "old", 2 * MIB)
    # when
    disk = CacheDisk(tmp_path / "cache", 3 * MIB)
    write(disk, "new", 2 * MIB)
    # then
    assert keys(disk) == ["new"]


def test_a_cache_that_somebody_deleted_is_no_matter(tmp_path: Path) -> None:
    disk = CacheDisk(tmp_path / "cache", 3 * MIB)
    with disk.used("a") as cache:
        cache.make_room()
    assert keys(disk) == []
