"""The commands for Executions in the cluster, with their options. Only click is imported here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from penstock.cli import options

if TYPE_CHECKING:
    from penstock.cli.printing import Format

_STATES = (
    "CREATED", "QUEUED", "RUNNING", "RETRYING", "PAUSED", "BREAKPOINT", "SUCCESS", "WARNING",
    "FAILED", "KILLED", "CANCELLED", "RETRIED",
)  # fmt: skip

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _one_task_run(command: _Command) -> _Command:
    for option in reversed(options.task_run):
        command = option(command)
    return command


_revision = click.option(
    "--revision",
    metavar="N",
    type=click.IntRange(1),
    help="The revision of the flow to go on with; the same where it is not given.",
)


@click.group()
def execution() -> None:
    """Look at Executions in the cluster, and say what is to become of them."""


@execution.command("list")
@options.any_flow_namespace
@options.kubernetes_namespace
@click.option("--flow", "-f", metavar="FLOW", help="Only those of the flow with this id.")
@click.option(
    "--state",
    "-s",
    "states",
    type=click.Choice(_STATES, case_sensitive=False),
    multiple=True,
    help="Only those in this state, or in one of these.",
)
@click.option(
    "--label", "-l", "labels", metavar="KEY=VALUE", multiple=True, help="Only those with the label."
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    help="How many to show at most, the newest first; 0 for all.",
)
@options.output_format
def list_(
    namespace: str | None,
    tenant: str | None,
    flow: str | None,
    states: tuple[str, ...],
    labels: tuple[str, ...],
    limit: int,
    output: Format | None,
) -> int:
    """List the newest Executions of all flow namespaces, or of one."""
    from penstock.cli.executions.show import Wanted, list_executions

    return list_executions(Wanted(namespace, flow, states, labels, limit), tenant, output)


@execution.command()
@options.execution_name
@options.kubernetes_namespace
@click.option("--task", metavar="ID", help="Only the task runs of this task.")
@options.output_format
def get(execution: str, tenant: str | None, task: str | None, output: Format | None) -> int:
    """Print the task runs of an Execution in the cluster, also those that its status archived."""
    from penstock.cli.get import print_execution

    return print_execution(execution, tenant, task, output)


@execution.command()
@options.execution_name
@options.kubernetes_namespace
@click.option("--task", metavar="ID", help="Only the outputs of this task.")
def outputs(execution: str, tenant: str | None, task: str | None) -> int:
    """Print the outputs of an Execution in the cluster as JSON, large ones included.

    The shape is that of `outputs` in expressions: by task, inside loops by task and value.
    """
    from penstock.cli.outputs import print_outputs

    return print_outputs(execution, tenant, task)


@execution.command()
@options.execution_name
@options.kubernetes_namespace
@click.option("--task", metavar="ID", help="Only what this task printed.")
@click.option("--attempt", metavar="N", type=click.IntRange(1), help="Only these attempts.")
@click.option("--follow", "-f", is_flag=True, help="Go on until the Execution has ended.")
@click.option("--output", "-o", type=click.Choice(["json"]), help="Each line as a JSON object.")
def logs(
    execution: str,
    tenant: str | None,
    task: str | None,
    attempt: int | None,
    follow: bool,
    output: str | None,
) -> int:
    """Print what the tasks of an Execution in the cluster printed, also after their pods are gone.

    In the order of time: when, in which level, which task, and for a further attempt its number.
    """
    from penstock.cli.logs import print_logs

    return print_logs(execution, tenant, task, attempt, follow=follow, as_json=output == "json")


@execution.command()
@options.execution_names
@options.kubernetes_namespace
def kill(executions: tuple[str, ...], tenant: str | None) -> int:
    """End Executions with KILLED, and stop what runs of them, subflows included."""
    from penstock.cli.executions.control import kill_executions

    return kill_executions(executions, tenant)


@execution.command()
@options.execution_name
@options.kubernetes_namespace
def pause(execution: str, tenant: str | None) -> int:
    """Start nothing new of an Execution until it is resumed. What runs goes on to its end."""
    from penstock.cli.executions.control import pause_execution

    return pause_execution(execution, tenant)


@execution.command()
@options.execution_name
@options.kubernetes_namespace
@_one_task_run
@click.option(
    "--input",
    "-i",
    "inputs",
    metavar="ID=VALUE",
    multiple=True,
    help="A value for an input that the task asks for.",
)
@click.option("--deny", is_flag=True, help="Of an Approval: deny it.")
@click.option("--by", metavar="NAME", help="Who says so.")
@click.option("--comment", metavar="TEXT", help="Why.")
def resume(
    execution: str,
    tenant: str | None,
    deny: bool,
    by: str | None,
    comment: str | None,
    **given: Any,
) -> int:
    """Let an Execution go on: after `pause`, at a breakpoint, in a Pause or an Approval.

    Without --task all of its tasks that wait for a person are resumed.
    """
    from penstock.cli.executions.control import TaskRunOptions, resume_execution

    meant = TaskRunOptions(**given)
    return resume_execution(execution, tenant, meant, deny=deny, by=by, comment=comment)


@execution.command()
@options.execution_name
@options.kubernetes_namespace
@_revision
def restart(execution: str, tenant: str | None, revision: int | None) -> int:
    """Run again what failed of an Execution that ended. What succeeded is kept."""
    from penstock.cli.executions.control import restart_execution

    return restart_execution(execution, tenant, revision)


@execution.command()
@options.execution_name
@options.kubernetes_namespace
@_one_task_run
@click.option(
    "--input", "-i", "inputs", metavar="ID=VALUE", multiple=True, help="An input to be another."
)
@_revision
def replay(execution: str, tenant: str | None, revision: int | None, **given: Any) -> int:
    """Make another Execution that does this one again: all of it, or from a task on."""
    from penstock.cli.executions.control import TaskRunOptions, replay_execution

    return replay_execution(execution, tenant, TaskRunOptions(**given), revision)


@execution.command()
@options.execution_names
@options.kubernetes_namespace
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
def delete(executions: tuple[str, ...], tenant: str | None, dry_run: bool) -> int:
    """Delete Executions with all that belongs to them, and say what that is.

    What runs of them is stopped: their Jobs and pods are deleted, too.
    """
    from penstock.cli.executions.delete import delete_executions

    return delete_executions(executions, tenant, dry_run=dry_run)
