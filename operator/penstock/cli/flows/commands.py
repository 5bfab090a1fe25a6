"""The commands for flows in the cluster, with their options. Only click is imported here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.cli import options

if TYPE_CHECKING:
    from penstock.cli.printing import Format

_FILES = click.argument(
    "files",
    metavar="FILE…",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    nargs=-1,
    required=True,
)


@click.command("execute")
@options.flow_namespace
@options.flow_id
@options.kubernetes_namespace
@click.option(
    "--input",
    "-i",
    "inputs",
    metavar="ID=VALUE",
    multiple=True,
    help="A value for an input; a file's path for one of type FILE (at most 1 MiB).",
)
@click.option("--label", "labels", metavar="KEY=VALUE", multiple=True, help="A further label.")
@click.option(
    "--revision",
    metavar="N",
    type=click.IntRange(1),
    help="The revision to run; the newest where it is not given.",
)
@click.option("--follow", "-f", is_flag=True, help="Show it until it has ended.")
@click.option("--logs", is_flag=True, help="With --follow: show what the tasks print, too.")
@click.option(
    "--output",
    "-o",
    type=click.Choice(["json", "yaml", "name"]),
    help="Print the Execution, or its name alone; with --follow once it has ended.",
)
def execute(output: Format | None, **given: Any) -> int:
    """Start an execution of a flow in the cluster.

    Its inputs are checked before anything is created. Ctrl-C ends --follow, and not the execution.

    Exit code: 0 when the Execution was created, 2 when the flow does not take the inputs. With
    --follow: 0 when it ended SUCCESS or WARNING, 1 when it ended otherwise.
    """
    from penstock.cli.flows.execute import Request, execute_flow

    return execute_flow(Request(**given), output)


@click.command("list")
@options.any_flow_namespace
@options.kubernetes_namespace
@options.output_format
def list_(namespace: str | None, tenant: str | None, output: Format | None) -> int:
    """List the flows of all flow namespaces, or of one."""
    from penstock.cli.flows.show import list_flows

    return list_flows(namespace, tenant, output)


@click.command()
@options.flow_namespace
@options.flow_id
@options.kubernetes_namespace
@options.output_format
def get(namespace: str, flow: str, tenant: str | None, output: Format | None) -> int:
    """Show a flow: whether it is accepted, its inputs, its triggers, and what to know of it."""
    from penstock.cli.flows.show import show_flow

    return show_flow(namespace, flow, tenant, output)


@click.command()
@options.flow_namespace
@_FILES
@options.kubernetes_namespace
def create(namespace: str, files: tuple[Path, ...], tenant: str | None) -> int:
    """Create the flows of files, which have to be of that flow namespace.

    The files are checked first; where one is not valid nothing is created. Waits up to 10 s for
    the controller, and tells what it says.

    Exit code: 0 when all were accepted, 1 when one was not, 2 when a file is not valid.
    """
    from penstock.cli.flows.write import create_flows

    return create_flows(namespace, files, tenant)


@click.command()
@options.flow_namespace
@_FILES
@options.kubernetes_namespace
def update(namespace: str, files: tuple[Path, ...], tenant: str | None) -> int:
    """Change flows to what files say. Each that differs becomes a new revision.

    A flow that a GitSource keeps is refused: it is changed in Git. The rest is as of `create`.
    """
    from penstock.cli.flows.write import update_flows

    return update_flows(namespace, files, tenant)


@click.command()
@options.flow_namespace
@options.flow_id
@options.kubernetes_namespace
def delete(namespace: str, flow: str, tenant: str | None) -> int:
    """Delete a flow. Its triggers stop; its Executions stay, and those that run go on.

    A flow that a GitSource keeps is refused: its file is deleted in Git.
    """
    from penstock.cli.flows.write import delete_flow

    return delete_flow(namespace, flow, tenant)


@click.command()
@options.flow_namespace
@options.any_flow_id
@options.kubernetes_namespace
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a file for each flow into this folder.",
)
def export(namespace: str, flow: str | None, tenant: str | None, folder: Path | None) -> int:
    """Print a flow as a plain flow file, or all flows of a flow namespace.

    Comments of the file from which it came are not kept in the cluster.
    """
    from penstock.cli.flows.export import export_flows

    return export_flows(namespace, flow, tenant, folder)


FLOW_COMMANDS = (execute, list_, get, create, update, delete, export)
