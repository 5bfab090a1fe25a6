"""The tasks that upload, download and delete files of a namespace."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal
from urllib.parse import unquote

from penstock.tasks.contract.records import encoded
from penstock.tasks.contract.services import Metric
from penstock.tasks.contract.task import Context, TaskFailure
from penstock.tasks.files.globs import matcher
from penstock.tasks.files.input_files import file_map, found, is_uri, patterns


@dataclass(frozen=True)
class UploadFiles:
    """Writes files to a namespace.

    ```yaml
    id: upload
    type: io.kestra.plugin.core.namespace.UploadFiles
    namespace: company.team
    filesMap:
      conf/app.yml: "{{ outputs.write.uri }}"
    ```
    """

    namespace: str
    """The namespace."""
    files: str | list[str] | dict[str, Any] | None = None
    """Patterns of files of the working directory, or URIs."""
    files_map: str | dict[str, Any] | None = None
    """The URI or the text of each file, by its path in the namespace."""
    destination: str = "/"
    """The folder below which the files are written."""
    conflict: Literal["OVERWRITE", "ERROR", "SKIP"] = "OVERWRITE"
    """What to do where a file exists already."""

    def run(self, context: Context) -> Mapping[str, Any]:
        if self.files is None and self.files_map is None:
            raise TaskFailure("one of `files` and `filesMap` is needed")
        target = context.services.namespace_files(self.namespace)
        folder = self.destination.strip("/")
        for name, source in self._sources(context):
            with closing(source):
                context.wait(0)
                path = f"{folder}/{name}" if folder else name
                if self.conflict != "OVERWRITE" and target.exists(path):
                    if self.conflict == "ERROR":
                        raise TaskFailure(f"the namespace file `{path}` exists already")
                    context.log(f"the namespace file `{path}` exists already and is left as it is")
                    continue
                target.put(path, source)
        return {"files": None}

    def _sources(self, context: Context) -> Iterator[tuple[str, BinaryIO]]:
        services = context.services
        maps = [self.files_map, self.files if isinstance(self.files, dict) else None]
        for given in maps:
            for name, content in file_map("filesMap", given).items():
                if is_uri(content):
                    yield name, services.files.open(content)
                else:
                    yield name, io.BytesIO(encoded(content))
        texts = patterns("files", None if isinstance(self.files, dict) else self.files)
        for uri in filter(is_uri, texts):
            yield unquote(uri.rpartition("/")[2]), services.files.open(uri)
        globs = [text for text in texts if not is_uri(text)]
        for name, file in found(services.directory, globs):
            yield name, file.open("rb")


@dataclass(frozen=True)
class DownloadFiles:
    """Copies files of a namespace to the execution.

    ```yaml
    id: download
    type: io.kestra.plugin.core.namespace.DownloadFiles
    namespace: company.team
    files: ["conf/*.yml"]
    ```
    """

    namespace: str
    """The namespace."""
    files: str | list[str]
    """Patterns of the files."""
    destination: str = ""
    """A folder to put before the files' names."""

    def run(self, context: Context) -> Mapping[str, Any]:
        source = context.services.namespace_files(self.namespace)
        wanted = matcher(patterns("files", self.files), anywhere=True)
        folder = self.destination.strip("/")
        uris = {}
        for path in filter(wanted, source.paths()):
            context.wait(0)
            with source.open(path) as file:
                name = f"{folder}/{path}" if folder else path
                uris[path] = context.services.files.put(name, file)
        return {"files": uris}


@dataclass(frozen=True)
class DeleteFiles:
    """Deletes files of a namespace.

    ```yaml
    id: delete
    type: io.kestra.plugin.core.namespace.DeleteFiles
    namespace: company.team
    files: ["conf/app.yml"]
    ```
    """

    namespace: str
    """The namespace."""
    files: str | list[str]
    """Patterns of the files."""
    delete_parent_folder: bool | None = None
    """No effect: a folder without files does not exist."""

    def run(self, context: Context) -> Mapping[str, Any]:
        target = context.services.namespace_files(self.namespace)
        wanted = matcher(patterns("files", self.files), anywhere=True)
        deleted = sum(target.delete(path) for path in filter(wanted, target.paths()))
        context.services.publish(Metric("counter", "deleted", deleted))
        return {"files": None}
