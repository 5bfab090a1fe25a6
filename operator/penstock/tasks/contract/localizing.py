"""What stands for files and folders in a task's texts becomes paths of where it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from penstock.storage.folders import OUTPUT_DIR, WORKING_DIR
from penstock.storage.uris import URI_IN_TEXT


class Localizing:
    """Replaces URIs and what stands for folders. Each URI has one path, in a folder of its own, so
    that two files of one name do not meet.
    """

    def __init__(self, work: str, output: str, fetched: str, *, with_uris: bool = True) -> None:
        self._work = work
        self._output = output
        self._fetched = fetched
        self._with_uris = with_uris
        self.paths: dict[str, str] = {}
        """Where each URI that was met is to be fetched to."""
        self.with_output = False
        """Whether the output directory was named."""

    def text(self, text: str) -> str:
        """The text with paths."""
        self.with_output = self.with_output or OUTPUT_DIR in text
        text = text.replace(WORKING_DIR, self._work).replace(OUTPUT_DIR, self._output)
        return URI_IN_TEXT.sub(self._path, text) if self._with_uris else text

    def tree(self, value: Any) -> Any:
        """A JSON value with paths in all of its texts."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.tree(item) for key, item in value.items()}
        return [self.tree(item) for item in value] if isinstance(value, list) else value

    def _path(self, match: re.Match[str]) -> str:
        uri = match.group()
        if uri not in self.paths:
            name = unquote(uri.rpartition("/")[2]).replace("/", "_") or "file"
            if name in (".", "..") or "\0" in name:
                name = "file"
            self.paths[uri] = f"{self._fetched}/{len(self.paths)}/{name}"
        return self.paths[uri]
