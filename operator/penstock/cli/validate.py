"""`penstock flow validate`: what is wrong with flow files, line by line or as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import click

from penstock.cli.errors import FAILED, INVALID, NOT_CARRIED, OK
from penstock.cli.flow_files import FoundFiles, find_flow_files
from penstock.cli.problems import error_line, warning_line
from penstock.cli.validate_summary import Summary, missing_types
from penstock.flow.loading import SourceDocument
from penstock.flow.parse import FlowParser, ParsedFlow
from penstock.flow.problems import InvalidFlow, Problem
from penstock.local.files import FlowFile, FoundFlow
from penstock.types import flow_parser

Output = Literal["text", "json", "json-report"]


def validate_files(
    paths: Iterable[Path], *, exclude: Iterable[str] = (), output: Output, verbose: bool = False
) -> int:
    """Check the files, print what was found and what it comes to, and return the exit code."""
    found = find_flow_files(paths, _Parser.of(flow_parser()), exclude)
    found = replace(found, files=tuple(_with_duplicates(found.files)))
    summary = Summary.of(found)
    if output == "text":
        for file in found.files:
            _print(file)
    else:
        verdicts = [_verdict(file) for file in found.files]
        report = {"summary": summary.as_json(), "files": verdicts}
        click.echo(json.dumps(verdicts if output == "json" else report, indent=2))
    for line in summary.lines(verbose=verbose):
        click.echo(line, err=True)
    _tell_of_empty_folders(found)
    if found.empty:
        return INVALID
    if summary.refused:
        return FAILED
    return NOT_CARRIED if summary.not_served else OK


@dataclass(frozen=True)
class _Parser(FlowParser):
    """A fault of Penstock's in one flow does not keep the others from being checked."""

    @classmethod
    def of(cls, parser: FlowParser) -> _Parser:
        return cls(
            parser.types, parser.check_expression, parser.check_trigger, parser.read_template
        )

    def parse(self, document: SourceDocument) -> ParsedFlow:
        try:
            return super().parse(document)
        except InvalidFlow:
            raise
        except Exception as error:
            if os.environ.get("PENSTOCK_DEBUG"):
                raise
            fault = f"{type(error).__name__}: {error}; PENSTOCK_DEBUG=1 shows where"
            message = f"penstock failed: {fault}"
            raise InvalidFlow([Problem((), message, "internal")]) from error


def _with_duplicates(files: Iterable[FlowFile]) -> Iterable[FlowFile]:
    """The files, with a warning at each flow that stands in another place already."""
    first: dict[tuple[str, str], str] = {}
    for file in files:
        flows = []
        for flow in file.flows:
            value = flow.document.value
            names = (value.get("namespace"), value.get("id")) if isinstance(value, dict) else ()
            if len(names) == 2 and all(isinstance(name, str) for name in names):
                line = flow.document.line_of(("id",)) or 1
                key = (str(names[0]), str(names[1]))
                flow = _told_of(flow, key, first.get(key), line)
                first.setdefault(key, f"{file.name}:{line}")
            flows.append(flow)
        yield replace(file, flows=tuple(flows))


def _told_of(flow: FoundFlow, key: tuple[str, str], other: str | None, line: int) -> FoundFlow:
    if other is None:
        return flow
    message = (
        f"the flow {'.'.join(key)} stands in {other} already: only one of the two is taken; "
        "give this one another id"
    )
    warning = Problem(("id",), message, "duplicate_flow", line, warning=True)
    return replace(flow, warnings=(*flow.warnings, warning))


def _print(file: FlowFile) -> None:
    for problem in file.problems:
        click.echo(error_line(file.name, problem))
    for warning in file.warnings:
        click.echo(warning_line(file.name, warning), err=True)


def _tell_of_empty_folders(found: FoundFiles) -> None:
    for folder in found.empty:
        click.echo(
            f"error: {folder} holds no flow: a flow is YAML with `id`, `namespace` and `tasks`; "
            "name a file to have it checked whatever it holds",
            err=True,
        )


def _verdict(file: FlowFile) -> dict[str, Any]:
    return {
        "file": file.name,
        "valid": not file.problems,
        "errors": [_as_json(problem) for problem in file.problems],
        "warnings": [_as_json(warning) for warning in file.warnings],
        "missingTypes": sorted(missing_types(file)),
    }


def _as_json(problem: Problem) -> dict[str, Any]:
    return {
        "path": problem.path,
        "line": problem.line,
        "code": problem.code,
        "message": problem.message,
    }
