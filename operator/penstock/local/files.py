"""Flow files as they lie in a checkout: plain Kestra flows and Flow manifests side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.flow.document import Flow
from penstock.flow.loading import MAX_BYTES, SourceDocument, load_documents
from penstock.flow.parse import FlowParser
from penstock.flow.problems import InvalidFlow, Location, Problem
from penstock.local.ignoring import (
    FolderProblem,
    excluded,
    ignore_file_in,
    ignore_files_above,
    is_left_out,
)
from penstock.resources.manifests import flow_in, is_meant_as_flow, is_text_of_flow, name_in

SUFFIXES = frozenset({".yaml", ".yml"})
MAX_ENTRIES = 200_000
"""The most files and folders that are looked at below one folder."""


@dataclass(frozen=True)
class FoundFlow:
    """One flow of a file, valid or not."""

    document: SourceDocument
    """The flow as it is written, without the envelope of a manifest."""
    flow: Flow | None
    """The flow; None where it is not valid."""
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    resource_name: str | None = None
    """The name of the Flow, where the document is a manifest that says it."""

    def value_at(self, location: Location) -> Any:
        """The value at a place of the flow as it is written; None where there is none."""
        value = self.document.value
        for part in location:
            try:
                value = value[part]
            except (LookupError, TypeError):
                return None
        return value


@dataclass(frozen=True)
class FlowFile:
    """A file, its flows, and what is wrong with it."""

    name: str
    """The file's name as the person gave it."""
    flows: tuple[FoundFlow, ...]
    own_problems: tuple[Problem, ...] = ()
    """The problems of the file as a whole."""

    @property
    def problems(self) -> list[Problem]:
        return [*self.own_problems, *(item for flow in self.flows for item in flow.problems)]

    @property
    def warnings(self) -> list[Problem]:
        return [item for flow in self.flows for item in flow.warnings]


def find_files(paths: Iterable[Path], exclude: Iterable[str] = ()) -> Iterator[Path]:
    """Yield the named files, and of named folders every YAML file below them that is not hidden.

    No file is found twice. In folders, the files that `.penstockignore` or ``exclude`` names are
    left out, and so is a link that leads out of its folder. Raises :class:`FolderProblem`.
    """
    patterns = tuple(exclude)
    seen: set[Path] = set()
    for path in paths:
        found = sorted(_yaml_below(path, patterns)) if path.is_dir() else [path]
        for file in found:
            real = file.resolve()
            if real not in seen:
                seen.add(real)
                yield file


def _yaml_below(folder: Path, exclude: Sequence[str]) -> Iterator[Path]:
    root = folder.resolve()
    rules = {folder: ignore_files_above(folder)}
    by_command = excluded(exclude, folder)
    looked_at = 0
    for name, folders, files in os.walk(folder):
        here = Path(name)
        looked_at += len(folders) + len(files)
        if looked_at > MAX_ENTRIES:
            raise FolderProblem(
                f"{folder} holds more than {MAX_ENTRIES} files and folders: name the folder of the "
                "flows, or leave out the others in a .penstockignore"
            )
        own = [*rules.pop(here, ()), *ignore_file_in(here)]
        all_rules = [*own, *by_command]
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not is_left_out(here / name, all_rules, is_folder=True)
        )
        rules |= {here / name: own for name in folders}
        for file in (here / name for name in sorted(files)):
            hidden = file.name.startswith(".") or file.suffix.lower() not in SUFFIXES
            if hidden or is_left_out(file, all_rules, is_folder=False):
                continue
            if file.is_file() and file.resolve().is_relative_to(root):
                yield file


def read_flow_file(path: Path, parser: FlowParser) -> FlowFile:
    """Read and check every flow in a file that was named. Manifests of other kinds are skipped, any
    other document is taken for a flow.
    """
    try:
        return read_flows(str(path), _content(path), parser)
    except OSError as error:
        return _unreadable(path, error)


def read_flows(name: str, content: bytes, parser: FlowParser) -> FlowFile:
    """Read and check every flow in the content of a file, as `read_flow_file` does."""
    try:
        documents = load_documents(content)
    except InvalidFlow as error:
        return FlowFile(name, (), error.problems)
    if not documents:
        return FlowFile(name, (), (Problem((), "the file is empty", "empty", 1),))
    return FlowFile(name, tuple(_checked(documents, parser)))


def read_flows_among_others(path: Path, parser: FlowParser) -> FlowFile | None:
    """Read and check the flows in a file of a folder in which any YAML may lie.

    None where no document of the file is meant as a flow, by its top-level keys.
    """
    try:
        content = _content(path)
    except OSError as error:
        return _unreadable(path, error)
    try:
        documents = load_documents(content)
    except InvalidFlow as error:
        return FlowFile(str(path), (), error.problems) if is_text_of_flow(content) else None
    meant = [document for document in documents if is_meant_as_flow(document.value)]
    flows = tuple(_checked(meant, parser))
    return FlowFile(str(path), flows) if flows else None


def _content(path: Path) -> bytes:
    with path.open("rb") as file:  # one byte more than allowed, so that a huge file is refused
        return file.read(MAX_BYTES + 1)


def _unreadable(path: Path, error: OSError) -> FlowFile:
    problem = Problem((), f"can't be read: {error.strerror}", "unreadable")
    return FlowFile(str(path), (), (problem,))


def _checked(documents: Iterable[SourceDocument], parser: FlowParser) -> Iterator[FoundFlow]:
    """The flows in documents, without those that are manifests of another kind."""
    for document in documents:
        found = flow_in(document)
        if found is not None:
            yield replace(_check(found, parser), resource_name=name_in(document))


def _check(document: SourceDocument, parser: FlowParser) -> FoundFlow:
    try:
        parsed = parser.parse(document)
    except InvalidFlow as error:
        return FoundFlow(document, None, error.problems, error.warnings)
    return FoundFlow(document, parsed.flow, (), parsed.warnings)
