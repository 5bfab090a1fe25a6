"""The flows of a run: those of the file that is run, and those that stand ready for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from penstock.cli.errors import INVALID, UserError
from penstock.cli.flow_files import all_flows, find_flow_files, read_flow_files
from penstock.cli.problems import warning_line
from penstock.flow.parse import FlowParser
from penstock.local.files import FlowFile
from penstock.local.flows import LocalFlows
from penstock.local.ignoring import FolderProblem


def read_flows_of_run(
    file: Path, given: Iterable[Path], parser: FlowParser
) -> tuple[FlowFile, LocalFlows]:
    """Read the file that is run and what `--flow` names: files, and folders with all flows in them.

    A named file has to be valid. What is wrong in a folder is told, and left out. A flow of a named
    file takes the place of one of the same name in a folder. Raises :class:`UserError`.
    """
    given = tuple(given)
    paths = [file, *(path for path in given if not path.is_dir())]
    named = read_flow_files(paths, parser)
    flows = all_flows(named)
    ready = _Shelf(flows, {path.resolve() for path in paths})
    for folder in given:
        if folder.is_dir():
            ready.add_folder(folder, parser)
    return named[0], flows


class _Shelf:
    """Adds the flows of folders to those of the files that were named."""

    def __init__(self, flows: LocalFlows, read: set[Path]) -> None:
        self._flows = flows
        self._named = {(flow.namespace, flow.id) for flow in flows}
        self._read = read
        self._places: dict[tuple[str, str], str] = {}

    def add_folder(self, folder: Path, parser: FlowParser) -> None:
        try:
            found = find_flow_files([folder], parser)
        except FolderProblem as error:
            raise UserError(f"--flow {folder}: {error}", INVALID) from error
        for file in found.files:
            path = Path(file.name).resolve()
            if path not in self._read:
                self._read.add(path)
                self._add(file)
        if found.empty:
            raise UserError(f"--flow {folder}: the folder holds no flow", INVALID)

    def _add(self, file: FlowFile) -> None:
        if file.problems:
            for problem in file.problems:
                click.echo(warning_line(file.name, problem), err=True)
            click.echo(f"warning: what is not valid in {file.name} is left out", err=True)
        for flow in (found.flow for found in file.flows if found.flow is not None):
            key = (flow.namespace, flow.id)
            other = self._places.setdefault(key, file.name)
            if key in self._named:
                continue
            if self._flows.get(*key) is not None:
                where = other if other == file.name else f"{other} and {file.name}"
                raise UserError(
                    f"the flow {flow.namespace}.{flow.id} stands twice, in {where}: name the file "
                    "that is meant with a --flow of its own",
                    INVALID,
                )
            self._flows.add(flow)
