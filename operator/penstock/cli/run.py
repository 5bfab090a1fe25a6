"""`penstock run`: a flow file, executed on this machine and shown while it runs."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from penstock.cli.errors import FAILED, INVALID, OK, PAUSED, UserError
from penstock.cli.flow_files import choose_flow, load_plugins
from penstock.cli.request import Options, Request
from penstock.cli.run_files import read_flows_of_run
from penstock.cli.screen import open_display
from penstock.flow.document import Flow
from penstock.flow.model import did_you_mean
from penstock.local.answers import Answers, asked_inputs, held_runs
from penstock.local.execution import LocalExecution
from penstock.local.flows import LocalFlows
from penstock.local.hosts import LocalHosts
from penstock.local.plugins import Plugins
from penstock.local.resource import Made, execution_resource, new_spec
from penstock.local.services import LocalServices
from penstock.local.surroundings import Surroundings, local_environment
from penstock.local.tasks import LocalTasks
from penstock.local.watching import Audience
from penstock.local.workspaces import Workspaces
from penstock.local.world import LocalWorld
from penstock.resources.execution import State
from penstock.storage.errors import StorageError
from penstock.storage.execution import NamespaceFiles
from penstock.types import flow_parser


def run_flow(options: Options) -> int:
    """Run a flow to its end, show it, and return the exit code."""
    request = Request.read(options)
    plugins = load_plugins(options.plugins)
    file, flows = read_flows_of_run(options.file, options.flows, flow_parser(plugins.types))
    if options.triggers:
        return _run_triggers(options, request, plugins, flows)
    flow = choose_flow(file, options.flow_id)
    trigger = None if request.trigger is None else request.trigger.of(flow)
    _warn_of_unknown_inputs(flow, request.inputs)
    gc.enable()
    gc.freeze()
    with ExitStack() as stack:
        hosts = LocalHosts(stack.enter_context(LocalServices.opened()))
        tasks = LocalTasks(hosts, stack.enter_context(Workspaces()), plugins)
        name = Made.new(flow.id).name
        inputs = _prepare(hosts, flow, name, request)
        stream = sys.stderr if options.as_json else sys.stdout
        display = stack.enter_context(open_display(stream))
        world = _world(request, flows, tasks, display, hosts)
        spec = new_spec(flow, inputs, request.labels).model_copy(update={"trigger": trigger})
        execution = world.start(spec, name)
        asyncio.run(_run(world, request.timeout))
        if execution.refusal is None:
            display.ended(execution.status)
    if execution.refusal is not None:
        click.echo(f"error: {execution.status.message}", err=True)
    _tell_what_waits(world)
    if options.as_json:
        resources = [execution_resource(item) for item in world]
        _print_json(resources if options.all else resources[0])
    return _exit_code(execution, world)


def _run_triggers(options: Options, request: Request, plugins: Plugins, flows: LocalFlows) -> int:
    """Run what the triggers of the flows start at their dates, until somebody stops it."""
    given = (request.inputs, request.labels, request.trigger, options.flow_id)
    if any(given) or request.namespace_files:
        raise UserError(
            "--triggers starts what the triggers say: --input, --label, --trigger, --id and "
            "--namespace-file do not go with it",
            INVALID,
        )
    # Nothing else that this command does needs what listens.
    from penstock.cli.sources import LocalGateway, listening

    gc.enable()
    gc.freeze()
    with ExitStack() as stack:
        hosts = LocalHosts(stack.enter_context(LocalServices.opened()))
        tasks = LocalTasks(hosts, stack.enter_context(Workspaces()), plugins)
        display = stack.enter_context(open_display(sys.stderr if options.as_json else sys.stdout))
        hosts.services.set_pairs(request.pairs)
        world = _world(request, flows, tasks, display, hosts)
        world.arm(_warn)
        services = hosts.services
        gateway = LocalGateway(flows, world, services.storage, _warn)
        if world.next_date is None and not gateway.armed:
            raise UserError("no trigger of these flows has a date, or listens to a source", INVALID)
        if world.next_date is not None:
            click.echo(
                f"the next date is {world.next_date.isoformat()}; stop with Ctrl-C", err=True
            )
        if gateway.armed:
            many = "a trigger" if len(gateway.armed) == 1 else f"{len(gateway.armed)} triggers"
            click.echo(f"listening for {many}; stop with Ctrl-C", err=True)
            world.stay_open()
        asyncio.run(_run(world, request.timeout, listening(gateway, services.secrets)))
    _tell_what_waits(world)
    if options.as_json:
        _print_json([execution_resource(item) for item in world])
    bad = [item for item in world if item.status.state not in (State.SUCCESS, State.WARNING)]
    return FAILED if bad else OK


def _warn(text: str) -> None:
    click.echo(f"warning: {text}", err=True)


def _world(
    request: Request, flows: LocalFlows, tasks: LocalTasks, display: Audience, hosts: LocalHosts
) -> LocalWorld:
    """Put together what executions run in."""
    environment = {**local_environment(), **request.environment}
    surroundings = Surroundings(environment, request.variables, hosts.functions, hosts.services)
    answers = _with_files(request.answers, hosts)
    return LocalWorld(flows, tasks, display, surroundings, answers)


async def _run(
    world: LocalWorld,
    timeout: timedelta | None,
    meanwhile: AbstractAsyncContextManager[None] | None = None,
) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, world.stop, f"killed by {number.name}")
    async with meanwhile or nullcontext():
        await world.run(timeout)


def _prepare(hosts: LocalHosts, flow: Flow, name: str, request: Request) -> dict[str, Any]:
    """Put pairs and files where the execution finds them; its inputs, with URIs for files."""
    inputs: dict[str, Any] = dict(request.inputs)
    try:
        hosts.services.set_pairs(request.pairs)
        namespace = NamespaceFiles(hosts.services.storage, flow.namespace)
        for path, file in request.namespace_files.items():
            with file.open("rb") as source:
                namespace.put(path, source)
        for declared in flow.inputs:
            given = inputs.get(declared.id)
            if declared.type == "FILE" and given and "://" not in given:
                stored = hosts.stored_input(name, flow, declared.id, Path(given))
                inputs[declared.id] = stored
    except (StorageError, OSError) as error:
        raise UserError(str(error), INVALID) from error
    return inputs


def _with_files(answers: Answers | None, hosts: LocalHosts) -> Answers | None:
    """The answers, able to hand files over."""

    def stored(execution: LocalExecution, input_id: str, path: str) -> str:
        flow = execution.flow
        if flow is None or not Path(path).is_file():
            return path
        return hosts.stored_input(execution.name, flow, input_id, Path(path))

    return None if answers is None else replace(answers, stored=stored)


def _warn_of_unknown_inputs(flow: Flow, given: Mapping[str, str]) -> None:
    """The engine ignores them, as Kestra does; a person who mistyped one wants to know."""
    known = [item.id for item in flow.inputs]
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known)
            click.echo(f"warning: the flow has no input `{name}`{hint}", err=True)


def _tell_what_waits(world: LocalWorld) -> None:
    for execution in world:
        if execution.finished:
            continue
        for run in held_runs(execution):
            asked = asked_inputs(execution, run)
            inputs = "".join(f" --resume {item.id}=…" for item in asked)
            click.echo(
                f"paused: the task {run.task_id} of {execution.name} waits for somebody; "
                f"to resume it run again with{inputs or f' --resume {run.task_id}'}",
                err=True,
            )


def _print_json(value: Any) -> None:
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(value, indent=2, ensure_ascii=not is_utf8))


def _exit_code(execution: LocalExecution, world: LocalWorld) -> int:
    if execution.refusal == "InvalidInputs":
        return INVALID
    if execution.finished and execution.status.state not in (State.SUCCESS, State.WARNING):
        return FAILED
    return OK if all(item.finished for item in world) else PAUSED
