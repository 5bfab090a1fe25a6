"""The commands and their options. What a command does is in a module of its own, imported late."""

from __future__ import annotations

from pathlib import Path

import click

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FILE_OR_FOLDER = click.Path(exists=True, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Runs Kestra flows as native Kubernetes resources, and on this machine."""


@cli.command()
@click.argument("file", metavar="FLOW.yaml", type=_FILE)
@click.option(
    "--input", "-i", "inputs", metavar="ID=VALUE", multiple=True, help="A value for an input."
)
@click.option(
    "--flow",
    "others",
    metavar="OTHER.yaml",
    type=_FILE,
    multiple=True,
    help="Another flow that stands ready, for subflows.",
)
@click.option("--id", "flow_id", metavar="ID", help="Which flow of a file with several to run.")
@click.option("--label", "labels", metavar="KEY=VALUE", multiple=True, help="A further label.")
@click.option(
    "--timeout", metavar="60s", help="Kill the execution after this time (30s, 5m, 1h30m, PT5M)."
)
@click.option(
    "--output", "-o", type=click.Choice(["json"]), help="Print the finished Execution as JSON."
)
def run(
    file: Path,
    inputs: tuple[str, ...],
    others: tuple[Path, ...],
    flow_id: str | None,
    labels: tuple[str, ...],
    timeout: str | None,
    output: str | None,
) -> int:
    """Run a flow on this machine, without a cluster.

    Scripts run as local processes with this machine's interpreters; container images are not used.

    Exit code: 0 when it ended SUCCESS or WARNING, 1 when it ended otherwise, 2 when the flow or an
    input is not valid, 3 when it is PAUSED.
    """
    from penstock.cli.run import run_flow

    return run_flow(
        file, inputs, others, flow_id, labels, timeout=timeout, as_json=output == "json"
    )


@cli.group()
def flow() -> None:
    """Work with flow files."""


@flow.command()
@click.argument("files", metavar="FILE…", type=_FILE_OR_FOLDER, nargs=-1, required=True)
@click.option(
    "--output", "-o", type=click.Choice(["json"]), help="Print a verdict on each file as JSON."
)
def validate(files: tuple[Path, ...], output: str | None) -> int:
    """Check flow files, and all YAML files in folders, without running anything.

    Prints one line for each error: `file:line: path: message`; warnings go to stderr.

    Exit code: 0 when all are valid, 1 when one is not, 3 where nothing is wrong but types that
    Penstock does not carry yet.
    """
    from penstock.cli.validate import validate_files

    return validate_files(files, as_json=output == "json")


@cli.command()
@click.argument("execution", metavar="EXECUTION")
@click.option("--namespace", "-n", help="The Kubernetes namespace; that of the current context.")
@click.option("--task", metavar="ID", help="Only the outputs of this task.")
def outputs(execution: str, namespace: str | None, task: str | None) -> int:
    """Print the outputs of an Execution in the cluster as JSON, large ones included.

    The shape is that of `outputs` in expressions: by task, inside loops by task and value.
    """
    from penstock.cli.outputs import print_outputs

    return print_outputs(execution, namespace, task)


@cli.command()
def controller() -> None:
    """Run the controller: what the Deployment in the cluster calls."""
    import gc

    gc.enable()
    from penstock.controller.main import run as run_controller

    run_controller()


@cli.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        click.echo(version_of("penstock"))
    except PackageNotFoundError:
        click.echo("unknown: the package is not installed")
