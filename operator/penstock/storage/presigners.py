"""The presigner of a store: its credentials sign URLs, or there is none."""

from __future__ import annotations

from fsspec import AbstractFileSystem

from penstock.storage.presigned import NoPresigning, Presigner


def presigner(files: AbstractFileSystem) -> Presigner:
    """The presigner of a store. Raises :class:`NoPresigning`.

    It may ask the store: call it in a thread.
    """
    if "az" in files.protocol:
        from penstock.storage.azure_urls import AzureUrls

        return AzureUrls.of(files)
    if "gs" in files.protocol:
        from penstock.storage.google_urls import GoogleUrls

        return GoogleUrls.of(files)
    raise NoPresigning("the files lie on a volume")
