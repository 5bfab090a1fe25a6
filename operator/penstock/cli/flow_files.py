"""Flow files as the command line names them: which there are, and which are to be run."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from penstock.cli.errors import INVALID, UserError
from penstock.cli.problems import error_line, warning_line
from penstock.flow.document import Flow
from penstock.flow.loading import MAX_BYTES
from penstock.flow.model import did_you_mean
from penstock.flow.parse import FlowParser
from penstock.flow.problems import Problem
from penstock.local.files import (
    FlowFile,
    find_files,
    read_flow_file,
    read_flows,
    read_flows_among_others,
)
from penstock.local.flows import DuplicateFlow, LocalFlows
from penstock.local.plugins import PluginError, Plugins


def load_plugins(modules: Iterable[str]) -> Plugins:
    """Import the plugins of `--plugin`. Raises :class:`UserError`."""
    try:
        return Plugins.of(modules)
    except PluginError as error:
        raise UserError(f"--plugin: {error}", INVALID) from error


STANDARD_INPUT = Path("-")


@dataclass(frozen=True)
class FoundFiles:
    """What was found under the files and folders of a command line."""

    files: tuple[FlowFile, ...]
    """Files that hold flows, and those that were named, whatever they hold."""
    passed_over: tuple[Path, ...]
    """YAML files of folders in which nothing is meant as a flow."""
    empty: tuple[Path, ...]
    """The folders that were named and hold no flow."""


def find_flow_files(
    paths: Iterable[Path], parser: FlowParser, exclude: Iterable[str] = ()
) -> FoundFiles:
    """Read the files that are named, and those of folders that hold flows; `-` is standard input.

    A file that is named is taken for a flow; in a folder flows may lie among any YAML. What
    ``exclude`` or a `.penstockignore` names is left out of folders. Raises
    :class:`~penstock.local.ignoring.FolderProblem`.
    """
    patterns = tuple(exclude)
    read: dict[Path, FlowFile | None] = {}
    names: dict[Path, Path] = {}
    empty: list[Path] = []
    for path in dict.fromkeys(paths):
        is_folder = path.is_dir()
        keys = []
        for file in find_files([path], patterns):
            key = file.resolve()
            keys.append(key)
            if read.get(key) is None:
                read[key] = _read(file, parser, among_others=is_folder)
                names[key] = file
        if is_folder and all(read[key] is None for key in keys):
            empty.append(path)
    return FoundFiles(
        tuple(file for file in read.values() if file is not None),
        tuple(names[key] for key, file in read.items() if file is None),
        tuple(empty),
    )


def _read(file: Path, parser: FlowParser, *, among_others: bool) -> FlowFile | None:
    if file == STANDARD_INPUT:
        content = sys.stdin.buffer.read(MAX_BYTES + 1)
        return read_flows(str(file), content, parser)
    return read_flows_among_others(file, parser) if among_others else read_flow_file(file, parser)


def read_flow_files(paths: Iterable[Path], parser: FlowParser) -> list[FlowFile]:
    """Read the files. Prints what is wrong with them, and ends the command where something is."""
    files = [read_flow_file(path, parser) for path in dict.fromkeys(paths)]
    for file in files:
        for warning in filter(_matters_here, file.warnings):
            click.echo(warning_line(file.name, warning), err=True)
    errors = [error_line(file.name, problem) for file in files for problem in file.problems]
    for line in errors:
        click.echo(line, err=True)
    if errors:
        raise click.exceptions.Exit(INVALID)
    return files


def all_flows(files: Iterable[FlowFile]) -> LocalFlows:
    """The flows of all files. Raises :class:`UserError` where one is given twice."""
    flows = LocalFlows()
    try:
        for file in files:
            for found in file.flows:
                if found.flow is not None:
                    flows.add(found.flow)
    except DuplicateFlow as error:
        raise UserError(str(error), INVALID) from None
    return flows


def choose_flow(file: FlowFile, flow_id: str | None) -> Flow:
    """The flow of a file that is to be run: the first one, or that of the id."""
    flows = [found.flow for found in file.flows if found.flow is not None]
    for flow in flows:
        if flow_id is None or flow.id == flow_id:
            return flow
    if flow_id is None:
        raise UserError(f"{file.name} holds no flow", INVALID)
    known = [flow.id for flow in flows]
    hint = did_you_mean(flow_id, known) or f"; it holds {', '.join(known)}"
    raise UserError(f"{file.name} holds no flow `{flow_id}`{hint}", INVALID)


def _matters_here(warning: Problem) -> bool:
    """What is not served on a cluster yet may well be served here."""
    return warning.code != "not_served" or warning.location[:1] == ("listeners",)
