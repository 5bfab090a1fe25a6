"""`penstock flow validate`: what is wrong with flow files, line by line or as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from penstock.catalog import flow_parser
from penstock.cli.errors import FAILED, NOT_CARRIED, OK
from penstock.cli.problems import error_line, warning_line
from penstock.flow.parse import FlowParser
from penstock.flow.problems import Problem
from penstock.flow.types import TYPE_NOT_CARRIED
from penstock.local.files import FlowFile, find_files, read_flow_file


def validate_files(paths: Iterable[Path], *, as_json: bool) -> int:
    """Check the files, print what was found, and return the exit code."""
    parser = flow_parser()
    verdicts: list[dict[str, Any]] = []
    codes: set[str] = set()
    for path in find_files(paths):
        file = _read(path, parser)
        codes |= {problem.code for problem in file.problems}
        if as_json:
            verdicts.append(_verdict(file))
        else:
            _print(file)
    if as_json:
        click.echo(json.dumps(verdicts, indent=2))
    if not codes:
        return OK
    return NOT_CARRIED if codes == {TYPE_NOT_CARRIED} else FAILED


def _read(path: Path, parser: FlowParser) -> FlowFile:
    """One file; a fault of Penstock's in it does not keep the others from being checked."""
    try:
        return read_flow_file(path, parser)
    except Exception as error:
        if os.environ.get("PENSTOCK_DEBUG"):
            raise
        words = f"penstock failed: {type(error).__name__}: {error}; PENSTOCK_DEBUG=1 shows where"
        return FlowFile(str(path), (), (Problem((), words, "internal"),))


def _print(file: FlowFile) -> None:
    for problem in file.problems:
        click.echo(error_line(file.name, problem))
    for warning in file.warnings:
        click.echo(warning_line(file.name, warning), err=True)


def _verdict(file: FlowFile) -> dict[str, Any]:
    missing = {
        str(flow.value_at(problem.location))
        for flow in file.flows
        for problem in flow.problems
        if problem.code == TYPE_NOT_CARRIED
    }
    return {
        "file": file.name,
        "valid": not file.problems,
        "errors": [_as_json(problem) for problem in file.problems],
        "warnings": [_as_json(warning) for warning in file.warnings],
        "missingTypes": sorted(missing),
    }


def _as_json(problem: Problem) -> dict[str, Any]:
    return {
        "path": problem.path,
        "line": problem.line,
        "code": problem.code,
        "message": problem.message,
    }
