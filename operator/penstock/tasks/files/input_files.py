"""The files of a task's working directory: how they are placed, found and kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Any, Protocol

from penstock.tasks.contract.records import save
from penstock.tasks.contract.services import Files, NamespaceFiles, Origin
from penstock.tasks.contract.task import NamespaceFilesOption, TaskFailure
from penstock.tasks.files.globs import matcher

_URIS = ("kestra://", "nsfile://", "file://")
_FULL = (ENOSPC, EDQUOT)


class NamespacesSeen(Protocol):
    """The services that give namespace files."""

    @property
    def origin(self) -> Origin: ...

    def namespace_files(self, namespace: str | None = None) -> NamespaceFiles: ...


def is_uri(text: str) -> bool:
    """Whether the given content of a file is the URI of another."""
    return text.startswith(_URIS)


def file_map(name: str, given: str | Mapping[str, Any] | None) -> dict[str, str]:
    """Contents and URIs by file name, from a map or its JSON. Raises :class:`TaskFailure`."""
    if isinstance(given, str):
        given = _from_json(name, given)
    files = {}
    for file, content in (given or {}).items():
        if isinstance(content, dict | list):
            raise TaskFailure(f"property `{name}.{file}`: must be text or a URI")
        if isinstance(content, bool):
            content = str(content).lower()
        files[checked_name(name, file)] = "" if content is None else str(content)
    return files


def patterns(name: str, given: str | list[str] | None) -> list[str]:
    """The patterns of a property that is a list, a text, or a JSON list in a text."""
    if isinstance(given, str) and given.lstrip().startswith("["):
        try:
            return list(map(str, json.loads(given)))
        except (ValueError, TypeError):
            raise TaskFailure(f"property `{name}`: must be a JSON list") from None
    return [given] if isinstance(given, str) else given or []


def checked_name(name: str, file: str) -> str:
    """A file's name, where it stays below the working directory. Raises :class:`TaskFailure`."""
    parts = file.split("/")
    if not file or "\0" in file or any(part in ("", ".", "..") for part in parts):
        raise TaskFailure(
            f"property `{name}`: `{file}` does not name a file below the working directory"
        )
    return file


@contextmanager
def file_errors(name: str) -> Iterator[None]:
    """Turn an error of the disk into a :class:`TaskFailure` that names the file."""
    try:
        yield
    except OSError as error:
        words = "the disk of the pod is full" if error.errno in _FULL else error.strerror or error
        raise TaskFailure(f"`{name}`: {words}") from error


def place(directory: Path, name: str, content: str, files: Files | None) -> None:
    """Write a file into the directory: the text, or the file that the URI names."""
    at = target(directory, name)
    if not is_uri(content):
        at.write_text(content, encoding="utf-8", errors="surrogateescape", newline="")
    elif content.startswith("file://"):
        raise TaskFailure(
            f"`{content}`: files of the machine are not served; use nsfile:// or kestra://"
        )
    elif files is None:
        raise TaskFailure(f"`{content}` can't be fetched: there is no internal storage")
    else:
        with files.open(content) as source, at.open("wb") as file:
            save(source, file)


def place_namespace_files(
    directory: Path, option: NamespaceFilesOption, services: NamespacesSeen
) -> Iterator[str]:
    """Write namespace files into the directory. Yields warnings."""
    if not option.enabled:
        return
    included, excluded = (
        matcher(listed, anywhere=True) for listed in (option.include, option.exclude)
    )
    own: set[str] = set()
    for namespace in option.namespaces or [services.origin.namespace]:
        files = services.namespace_files(namespace)
        for path in files.paths():
            if excluded(path) or (option.include and not included(path)):
                continue
            name = f"{namespace}/{path}" if option.folder_per_namespace else path
            if name not in own and (directory / name).exists():
                if option.if_exists == "FAIL":
                    raise TaskFailure(f"the namespace file `{name}` exists already")
                if option.if_exists == "WARN":
                    yield f"the namespace file `{name}` exists already and is left as it is"
                if option.if_exists != "OVERWRITE":
                    continue
            own.add(name)
            at = target(directory, name)
            with file_errors(name), files.open(path) as source, at.open("wb") as file:
                save(source, file)


def found(directory: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Yield the files that match, by name. A link that leads out of the directory is skipped."""
    matches = matcher(wanted)
    root = directory.resolve()
    for file in sorted(directory.rglob("*")):
        name = file.relative_to(directory).as_posix()
        if matches(name) and file.is_file() and file.resolve().is_relative_to(root):
            yield name, file


def keep(directory: Path, wanted: Iterable[str], files: Files) -> dict[str, str]:
    """Keep the files that match, and give their URIs by name."""
    kept = {}
    for name, file in found(directory, wanted):
        with file.open("rb") as source:
            kept[name] = files.put(name, source)
    return kept


def target(directory: Path, name: str) -> Path:
    """The path at which a file of that name is written. Raises :class:`TaskFailure`."""
    at = directory / name
    try:
        if not at.parent.resolve().is_relative_to(directory.resolve()) or at.is_symlink():
            raise TaskFailure(f"`{name}` leads out of the working directory")
        at.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise TaskFailure(f"`{name}`: a part of the path is a file") from None
    if at.is_dir():
        raise TaskFailure(f"`{name}` is a folder")
    return at


def _from_json(name: str, text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise TaskFailure(f"property `{name}`: must be a map of file names, or the JSON of one")
    return value
