"""The commands for triggers in the cluster, with their options. Only click is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from penstock.cli import options

if TYPE_CHECKING:
    from penstock.cli.printing import Format
    from penstock.cli.triggers.control import Action

_trigger = click.argument("trigger", metavar="TRIGGER")


@click.group()
def trigger() -> None:
    """Look at the triggers of flows in the cluster, and say what they are to do."""


@trigger.command("list")
@options.any_flow_namespace
@options.any_flow_id
@options.kubernetes_namespace
@options.output_format
def list_(
    namespace: str | None, flow: str | None, tenant: str | None, output: Format | None
) -> int:
    """List the triggers of all flows, of those of a flow namespace, or of one flow."""
    from penstock.cli.triggers.show import list_triggers

    return list_triggers(namespace, flow, tenant, output)


@trigger.command()
@options.flow_namespace
@options.flow_id
@_trigger
@options.kubernetes_namespace
def disable(namespace: str, flow: str, trigger: str, tenant: str | None) -> int:
    """Let a trigger start nothing until it is enabled."""
    from penstock.cli.triggers.control import set_disabled

    return set_disabled(namespace, flow, trigger, tenant, disabled=True)


@trigger.command()
@options.flow_namespace
@options.flow_id
@_trigger
@options.kubernetes_namespace
def enable(namespace: str, flow: str, trigger: str, tenant: str | None) -> int:
    """Let a trigger start executions, also where the flow has it disabled.

    Dates that passed while it was disabled are not made up for: see `backfill`.
    """
    from penstock.cli.triggers.control import set_disabled

    return set_disabled(namespace, flow, trigger, tenant, disabled=False)


@trigger.command()
@options.flow_namespace
@options.flow_id
@_trigger
@options.kubernetes_namespace
@click.option("--start", metavar="DATE", help="The first date, such as 2026-01-01T00:00:00Z.")
@click.option("--end", metavar="DATE", help="The last date; now where it is not given.")
@click.option("--input", "-i", "inputs", metavar="ID=VALUE", multiple=True, help="An input.")
@click.option("--label", "labels", metavar="KEY=VALUE", multiple=True, help="A further label.")
@click.option("--pause", "action", flag_value="pause", help="Start nothing of it until --resume.")
@click.option("--resume", "action", flag_value="resume", help="Let a paused one go on.")
@click.option("--cancel", "action", flag_value="cancel", help="Give up the rest of it.")
def backfill(
    namespace: str,
    flow: str,
    trigger: str,
    tenant: str | None,
    start: str | None,
    end: str | None,
    inputs: tuple[str, ...],
    labels: tuple[str, ...],
    action: Action | None,
) -> int:
    """Go through dates of the past: an execution for each from --start to --end.

    One that runs is steered by --pause, --resume and --cancel. `penstock trigger list -o wide`
    shows how far it is.
    """
    from penstock.cli.triggers.control import Backfill, request_backfill, steer_backfill

    wanted = Backfill(start, end, inputs, labels)
    if action is None:
        return request_backfill(namespace, flow, trigger, tenant, wanted)
    return steer_backfill(namespace, flow, trigger, tenant, wanted, action)


@trigger.command()
@options.flow_namespace
@options.flow_id
@_trigger
@options.kubernetes_namespace
@click.option("--body", metavar="TEXT|@FILE", help="What is sent to a webhook; `-` reads stdin.")
@click.option(
    "--header", "headers", metavar="NAME=VALUE", multiple=True, help="One of its headers."
)
@click.option(
    "--parameter", "parameters", metavar="NAME=VALUE", multiple=True, help="Of its query."
)
@options.data_format
def test(
    namespace: str,
    flow: str,
    trigger: str,
    tenant: str | None,
    output: Format | None,
    body: str | None,
    headers: tuple[str, ...],
    parameters: tuple[str, ...],
) -> int:
    """Say what a trigger would start now, or why nothing. Nothing is started.

    Of a Flow trigger it says what is met already, of a webhook its address, and what a request
    with such a body would start; of others what their listener reported last.
    """
    from penstock.cli.triggers.requests import request_of
    from penstock.cli.triggers.show import show_verdict

    request = request_of(body, headers, parameters)
    return show_verdict(namespace, flow, trigger, tenant, output, request)
