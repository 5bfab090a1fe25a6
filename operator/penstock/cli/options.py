"""The arguments and options that several commands share. Only click is imported here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from penstock.cli.known_names import Kind

FORMATS = ("json", "yaml", "wide", "name")


def _names(kind: Kind) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """The completion of a name by what is in the cluster."""

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
        from penstock.cli.known_names import known_names

        return known_names(kind, context.params, typed)

    return complete


def _plain_name(context: click.Context, parameter: click.Parameter, given: Any) -> Any:
    """The name alone of what `-o name` prints: `execution.penstock.dev/NAME`."""
    if isinstance(given, tuple):
        return tuple(_KIND.sub("", name) for name in given)
    return _KIND.sub("", given) if given is not None else None


_KIND = re.compile(r"^executions?(\.penstock\.dev)?/")

kubernetes_namespace = click.option(
    "--namespace", "-n", "tenant", help="The Kubernetes namespace; that of the current context."
)
flow_namespace = click.argument(
    "namespace", metavar="FLOW_NAMESPACE", shell_complete=_names("namespace")
)
any_flow_namespace = click.argument(
    "namespace", metavar="[FLOW_NAMESPACE]", required=False, shell_complete=_names("namespace")
)
flow_id = click.argument("flow", metavar="FLOW", shell_complete=_names("flow"))
any_flow_id = click.argument(
    "flow", metavar="[FLOW]", required=False, shell_complete=_names("flow")
)
execution_name = click.argument(
    "execution",
    metavar="EXECUTION",
    callback=_plain_name,
    shell_complete=_names("execution"),
)
execution_names = click.argument(
    "executions",
    metavar="EXECUTION…",
    nargs=-1,
    required=True,
    callback=_plain_name,
    shell_complete=_names("execution"),
)
output_format = click.option(
    "--output",
    "-o",
    type=click.Choice(FORMATS),
    help="The resources as JSON or YAML, the table with more columns, or the names alone.",
)
data_format = click.option(
    "--output", "-o", type=click.Choice(["json", "yaml"]), help="As JSON or YAML."
)
task_run = (
    click.option("--task", metavar="ID", help="The task that is meant."),
    click.option("--value", metavar="VALUE", help="The loop's value, where the task is in a loop."),
    click.option("--task-run", metavar="ID", help="The task run, in place of --task and --value."),
)
