"""`penstock flow test`: unit tests of flows, for people, for CI and for editors."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from penstock.cli.arguments import duration
from penstock.cli.errors import FAILED, INVALID, OK, UserError
from penstock.cli.flow_files import load_plugins
from penstock.cli.junit import junit_xml
from penstock.cli.problems import error_line
from penstock.local.flowtests.files import FlowShelf, TestFile, find_test_files
from penstock.local.flowtests.fixtures import with_fixture_type
from penstock.local.flowtests.results import CaseResult, Verdict
from penstock.local.flowtests.running import Runner
from penstock.types import expressions, flow_parser

_COLORS = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "red",
    Verdict.ERROR: "red",
    Verdict.SKIPPED: "yellow",
}


def test_flows(
    paths: Sequence[Path],
    flows: Sequence[Path],
    plugins: Sequence[str],
    *,
    timeout: str,
    junit: Path | None,
    as_json: bool,
) -> int:
    """Run all tests, show what came of them, and return the exit code."""
    limit = duration("--timeout", timeout)
    assert limit is not None
    loaded = load_plugins(plugins)
    parser = flow_parser(with_fixture_type(loaded.types))
    files = _read(paths)
    invalid = [file for file in files if file.problems]
    folders = [path for path in paths if path.is_dir()]
    shelf = FlowShelf([*flows, *folders], parser)
    gc.enable()
    gc.freeze()
    runner = Runner(parser, loaded, limit)
    seen = [(found, shelf.beside(file.path)) for file in files for found in file.tests]
    results = asyncio.run(runner.run(seen))
    if junit is not None:
        _write(junit, junit_xml(results, invalid))
    if as_json:
        told = [*map(_as_json, results), *map(_file_as_json, invalid)]
        click.echo(json.dumps(told, indent=2, default=str))
    else:
        _print(results, invalid)
    if invalid:
        return INVALID
    well = all(result.verdict in (Verdict.PASSED, Verdict.SKIPPED) for result in results)
    return OK if well else FAILED


def _read(paths: Iterable[Path]) -> list[TestFile]:
    """All files with tests. Prints what is wrong with them."""
    files: dict[Path, TestFile] = {}
    for path in paths:
        found = list(find_test_files(path, expressions()))
        if not found:
            raise UserError(f"{path} holds no test: a test has `flowId` and `testCases`", INVALID)
        for file in found:
            files.setdefault(file.path.resolve(), file)
    for file in files.values():
        for problem in file.problems:
            click.echo(error_line(str(file.path), problem), err=True)
    return list(files.values())


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise UserError(f"--junit {file}: {error.strerror}") from error


def _print(results: Sequence[CaseResult], invalid: Sequence[TestFile]) -> None:
    for result in results:
        name = f"{result.found.test.id} > {result.case.id}"
        click.echo(f"{_in_color(result.verdict)} {name} ({result.seconds:.2f}s)")
        for line in _details(result):
            click.echo(f"  {line}")
    for file in invalid:
        click.echo(f"{_in_color(Verdict.ERROR)} {file.path} is not valid")
    counts = Counter(item.verdict for item in results)
    counts[Verdict.ERROR] += len(invalid)
    words = [f"{counts[verdict]} {verdict.lower()}" for verdict in Verdict if counts[verdict]]
    click.echo(", ".join(words))


def _in_color(verdict: Verdict) -> str:
    return click.style(f"{verdict:<7}", fg=_COLORS[verdict])


def _details(result: CaseResult) -> Iterable[str]:
    """What is to be said of a case that did not pass."""
    if result.error is not None:
        yield f"{result.found.file}:{result.line}: {result.error}"
    yield from result.failures()
    status = result.status
    if result.verdict is Verdict.FAILED and status is not None and status.message:
        yield f"the execution ended {status.state}: {status.message}"


def _file_as_json(file: TestFile) -> dict[str, Any]:
    """A file that is not valid, in the shape of a case."""
    unknown = dict.fromkeys(("test", "case", "namespace", "flowId", "execution"))
    return unknown | {
        "file": str(file.path),
        "line": file.problems[0].line or 1,
        "verdict": str(Verdict.ERROR),
        "seconds": 0,
        "error": "; ".join(map(str, file.problems)),
        "assertions": [],
    }


def _as_json(result: CaseResult) -> dict[str, Any]:
    test, status = result.found.test, result.status
    return {
        "file": result.found.file,
        "line": result.line,
        "test": test.id,
        "case": result.case.id,
        "namespace": test.namespace,
        "flowId": test.flow_id,
        "verdict": str(result.verdict),
        "seconds": round(result.seconds, 3),
        "error": result.error,
        "execution": None
        if status is None
        else {
            "name": result.execution,
            "state": str(status.state),
            "message": status.message,
        },
        "assertions": [
            {
                "line": looked.line,
                "value": looked.assertion.value,
                "operator": outcome.operator,
                "expected": outcome.expected,
                "actual": outcome.actual,
                "passed": outcome.passed,
                "error": outcome.error,
                "description": looked.assertion.description,
            }
            for looked in result.looked
            for outcome in looked.outcomes
        ],
    }
