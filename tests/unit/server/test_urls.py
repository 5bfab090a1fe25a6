"""Which URLs a pod gets: an object store's own, or the service's."""

from __future__ import annotations

from penstock.storage.files import Storage
from penstock.storage.presigned import SignedUrl
from penstock.storage_service.urls import OwnUrls, StoreUrls, urls_for
from tests.fixtures.storageservice import GRANT


class Store:
    """A store that shows where a URL leads, and takes ten bytes at once."""

    largest = 10

    def get(self, at: str) -> SignedUrl:
        return SignedUrl(f"https://store{at}")

    def put(self, at: str, size: int, digest: str) -> SignedUrl:
        return SignedUrl(f"https://store{at}", {"size": str(size)}, checked=False)


def test_what_the_store_does_not_take_at_once_goes_by_the_service() -> None:
    # given
    urls = StoreUrls(Storage.local("/files"), Store(), OwnUrls(b"key"))
    # then
    assert urls.get(GRANT, "/a").url == "https://store/files/team/a"
    assert urls.put(GRANT, "/a", 10, "0" * 64).url == "https://store/files/team/a"
    larger = urls.put(GRANT, "/a", 11, "0" * 64)
    assert larger.url.startswith("/o/team/a?")
    assert larger.checked


def test_a_volume_has_urls_of_the_service() -> None:
    assert isinstance(urls_for(Storage.local("/files"), b"key"), OwnUrls)
