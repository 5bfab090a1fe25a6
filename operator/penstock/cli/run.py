"""`penstock run`: a flow file, executed on this machine and shown while it runs."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import sys
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from penstock.catalog import expressions, flow_parser
from penstock.cli.arguments import duration, pairs
from penstock.cli.display import open_display
from penstock.cli.errors import FAILED, INVALID, OK, PAUSED, UserError
from penstock.cli.problems import error_line, warning_line
from penstock.engine.engine import Engine
from penstock.flow.document import Flow
from penstock.flow.model import did_you_mean
from penstock.local.execution import LocalExecution, local_environment
from penstock.local.files import FlowFile, read_flow_file
from penstock.local.flows import DuplicateFlow, LocalFlows
from penstock.local.resource import execution_resource, new_identity, new_spec
from penstock.resources.execution import ExecutionStatus, State
from penstock.tasks.local import run_locally


def run_flow(
    file: Path,
    inputs: Iterable[str],
    others: Iterable[Path],
    flow_id: str | None,
    labels: Iterable[str],
    *,
    timeout: str | None,
    as_json: bool,
) -> int:
    """Run a flow to its end, show it, and return the exit code."""
    given = pairs("--input", inputs)
    more_labels = pairs("--label", labels)
    limit = duration("--timeout", timeout)
    flow = _choose(_read([file, *others]), flow_id)
    _warn_of_unknown_inputs(flow, given)
    gc.enable()
    gc.freeze()
    identity = new_identity(flow, local_environment())
    spec = new_spec(flow, given, more_labels)
    stream = sys.stderr if as_json else sys.stdout
    with open_display(stream, identity.name, f"{flow.namespace}.{flow.id}") as display:
        engine = Engine(flow, expressions())
        execution = LocalExecution(engine, identity, spec, display, run_locally)
        status = asyncio.run(_run(execution, limit))
        if execution.refusal is None:
            display.ended(status)
    if execution.refusal is not None:
        click.echo(f"error: {status.message}", err=True)
    if as_json:
        _print_json(execution_resource(identity, spec, status, execution.refusal))
    return _exit_code(status, execution.refusal)


async def _run(execution: LocalExecution, timeout: timedelta | None) -> ExecutionStatus:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, execution.stop, f"killed by {number.name}")
    return await execution.run(timeout)


def _read(paths: Iterable[Path]) -> list[FlowFile]:
    """Every file, all of them valid, no flow given twice."""
    parser = flow_parser()
    files = [read_flow_file(path, parser) for path in dict.fromkeys(paths)]
    errors = [error_line(file.name, problem) for file in files for problem in file.problems]
    for file in files:
        for warning in file.warnings:
            click.echo(warning_line(file.name, warning), err=True)
    for line in errors:
        click.echo(line, err=True)
    if errors:
        raise click.exceptions.Exit(INVALID)
    known = LocalFlows()
    try:
        for file in files:
            for found in file.flows:
                if found.flow is not None:
                    known.add(found.flow)
    except DuplicateFlow as error:
        raise UserError(str(error), INVALID) from None
    return files


def _choose(files: list[FlowFile], flow_id: str | None) -> Flow:
    flows = [found.flow for found in files[0].flows if found.flow is not None]
    for flow in flows:
        if flow_id is None or flow.id == flow_id:
            return flow
    if flow_id is None:
        raise UserError(f"{files[0].name} holds no flow", INVALID)
    known = [flow.id for flow in flows]
    hint = did_you_mean(flow_id, known) or f"; it holds {', '.join(known)}"
    raise UserError(f"{files[0].name} holds no flow `{flow_id}`{hint}", INVALID)


def _warn_of_unknown_inputs(flow: Flow, given: Mapping[str, str]) -> None:
    """The engine ignores them, as Kestra does; a person who mistyped one wants to know."""
    known = [item.id for item in flow.inputs]
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known)
            click.echo(f"warning: the flow has no input `{name}`{hint}", err=True)


def _print_json(resource: Mapping[str, Any]) -> None:
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(resource, indent=2, ensure_ascii=not is_utf8))


def _exit_code(status: ExecutionStatus, refusal: str | None) -> int:
    if refusal == "InvalidInputs":
        return INVALID
    if status.state is State.PAUSED:
        return PAUSED
    return OK if status.state in (State.SUCCESS, State.WARNING) else FAILED
