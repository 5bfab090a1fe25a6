"""The commands and their options. What a command does is in a module of its own, imported late."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from penstock.cli.executions.commands import execution as execution_commands
from penstock.cli.executions.commands import get, logs, outputs
from penstock.cli.flows.commands import FLOW_COMMANDS
from penstock.cli.namespaces.commands import namespace as namespace_commands
from penstock.cli.namespaces.kv_commands import kv
from penstock.cli.triggers.commands import trigger as trigger_commands

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FILE_OR_FOLDER = click.Path(exists=True, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Runs Kestra flows as native Kubernetes resources, and on this machine."""


@cli.command()
@click.argument("file", metavar="FLOW.yaml", type=_FILE)
@click.option(
    "--input",
    "-i",
    "inputs",
    metavar="ID=VALUE",
    multiple=True,
    help="A value for an input; a file's path for one of type FILE.",
)
@click.option(
    "--flow",
    "flows",
    metavar="PATH",
    type=_FILE_OR_FOLDER,
    multiple=True,
    help="Other flows that stand ready, for subflows and Flow triggers: a file, or a folder with "
    "all below it.",
)
@click.option("--id", "flow_id", metavar="ID", help="Which flow of a file with several to run.")
@click.option(
    "--trigger",
    metavar="ID[=JSON]",
    help="A trigger of the flow as what started it, with the variables that expressions see as "
    "`trigger.…`.",
)
@click.option(
    "--triggers",
    is_flag=True,
    help="Start executions when the triggers of all given flows say so: at dates, and by what "
    "pollers and brokers have; until Ctrl-C, or until no date is left.",
)
@click.option("--label", "labels", metavar="KEY=VALUE", multiple=True, help="A further label.")
@click.option(
    "--kv",
    "pairs",
    metavar="NAMESPACE:KEY=JSON",
    multiple=True,
    help="A key-value pair that is there at the start.",
)
@click.option(
    "--namespace-file",
    "namespace_files",
    metavar="PATH=FILE",
    multiple=True,
    help="A file of the flow's namespace.",
)
@click.option(
    "--env",
    "environment",
    metavar="NAME=VALUE",
    multiple=True,
    help="What expressions see as `envs.name`, beside this machine's variables ENV_….",
)
@click.option(
    "--var",
    "variables",
    metavar="NAME=JSON",
    multiple=True,
    help="What expressions see as `globals.NAME`.",
)
@click.option(
    "--plugin",
    "plugins",
    metavar="MODULE",
    multiple=True,
    help="A Python module with further task types: its `register(types)` is called.",
)
@click.option(
    "--resume",
    metavar="[TASK | ID=VALUE]",
    is_flag=False,
    flag_value="",
    multiple=True,
    help="Resume each Pause as soon as it asks: all of them, or those of the named TASKs, "
    "with these inputs.",
)
@click.option(
    "--timeout", metavar="60s", help="Kill the executions after this time (30s, 5m, 1h30m, PT5M)."
)
@click.option(
    "--output", "-o", type=click.Choice(["json"]), help="Print the finished Execution as JSON."
)
@click.option(
    "--all", is_flag=True, help="With `-o json`: a list of all Executions, the first one first."
)
def run(file: Path, output: str | None, **given: Any) -> int:
    """Run a flow on this machine, without a cluster.

    Scripts run as local processes with this machine's interpreters; container images are not used.
    The executions that the flow makes of other flows run here as well, and are waited for.

    Exit code: 0 when it ended SUCCESS or WARNING, 1 when it ended otherwise, 2 when the flow or an
    input is not valid, 3 when something is PAUSED and stays so.
    """
    from penstock.cli.request import Options
    from penstock.cli.run import run_flow

    return run_flow(Options(file, as_json=output == "json", **given))


@cli.group()
def flow() -> None:
    """Work with flow files, and with flows in the cluster."""


@flow.command()
@click.argument(
    "files",
    metavar="FILE…",
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
    nargs=-1,
    required=True,
)
@click.option(
    "--exclude",
    metavar="GLOB",
    multiple=True,
    help="What to leave out of folders, as in .gitignore; also in files named .penstockignore.",
)
@click.option(
    "--output",
    "-o",
    type=click.Choice(["json", "json-report"]),
    help="Print a verdict on each file as JSON; `json-report`: below `files`, with a `summary`.",
)
@click.option("--verbose", "-v", is_flag=True, help="Name the files that were passed over.")
def validate(
    files: tuple[Path, ...],
    exclude: tuple[str, ...],
    output: Literal["json", "json-report"] | None,
    verbose: bool,
) -> int:
    """Check flow files, and the flows in folders, without running anything.

    A FILE is taken for a flow, `-` is standard input. In a folder YAML that is no flow is passed
    over, as are hidden files. Prints one line for each error: `file:line: path: message`; warnings
    and a summary go to stderr.

    Exit code: 0 when all are valid, 1 when one is not, 2 when a folder holds no flow or the command
    line is wrong, 3 where nothing is wrong but types that Penstock does not serve yet.
    """
    from penstock.cli.validate import validate_files

    return validate_files(files, exclude=exclude, output=output or "text", verbose=verbose)


@flow.command("test")
@click.argument("files", metavar="FILE…", type=_FILE_OR_FOLDER, nargs=-1, required=True)
@click.option(
    "--flow",
    "flows",
    metavar="PATH",
    type=_FILE_OR_FOLDER,
    multiple=True,
    help="Flows that do not lie beside the tests: a file, or a folder with all below it.",
)
@click.option(
    "--plugin",
    "plugins",
    metavar="MODULE",
    multiple=True,
    help="A Python module with further task types: its `register(types)` is called.",
)
@click.option(
    "--timeout", metavar="60s", default="60s", show_default=True, help="For each test case."
)
@click.option(
    "--junit", metavar="FILE", type=click.Path(path_type=Path), help="Write a report as JUnit XML."
)
@click.option("--output", "-o", type=click.Choice(["json"]), help="Print the results as JSON.")
def flow_test(
    files: tuple[Path, ...],
    flows: tuple[Path, ...],
    plugins: tuple[str, ...],
    timeout: str,
    junit: Path | None,
    output: str | None,
) -> int:
    """Run the unit tests of flows: files, and all YAML files in folders that are tests.

    Each test case runs its flow on this machine, without the tasks that it has fixtures for.

    Exit code: 0 when all passed, 1 when one did not, 2 when a file is not valid; the others run.
    """
    from penstock.cli.flow_test import test_flows

    return test_flows(files, flows, plugins, timeout=timeout, junit=junit, as_json=output == "json")


for command in FLOW_COMMANDS:
    flow.add_command(command)
for command in (execution_commands, trigger_commands, namespace_commands):
    cli.add_command(command)
for command in (get, outputs, logs, kv):  # the short names of what people call most
    cli.add_command(command)


@cli.command()
def controller() -> None:
    """Run the controller: what the Deployment in the cluster calls."""
    import gc

    gc.enable()
    from penstock.controller.app.main import run as run_controller

    run_controller()


@cli.command()
@click.option("--port", type=int, default=8082, show_default=True)
def storage(port: int) -> None:
    """Run the storage service: what its Deployment in the cluster calls."""
    import gc

    gc.enable()
    from penstock.controller.runtime.settings import settings_of_environment
    from penstock.storage_service.main import run as run_service

    run_service(settings_of_environment().storage, port)


@cli.command()
@click.option("--port", type=int, default=8083, show_default=True, help="0: any that is free.")
def git(port: int) -> None:
    """Run the Git service: what its own Deployment in the cluster calls."""
    import gc

    gc.enable()
    from penstock.controller.runtime.settings import settings_of_environment
    from penstock.git_service.main import run as run_service

    run_service(settings_of_environment().refused_networks, port)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print a script that lets a shell complete commands, options and names.

    For bash: `source <(penstock completion bash)`, in ~/.bashrc. The same for zsh, in ~/.zshrc. For
    fish: `penstock completion fish > ~/.config/fish/completions/penstock.fish`.
    """
    from penstock.cli.completion import print_script

    return print_script(cli, shell)


@cli.command()
@click.option("--port", type=int, default=8084, show_default=True)
def gateway(port: int) -> None:
    """Run the gateway, which receives webhooks: what its own Deployment in the cluster calls."""
    import gc

    gc.enable()
    from penstock.controller.runtime.settings import settings_of_environment
    from penstock.gateway.main import run as run_gateway

    run_gateway(settings_of_environment().namespaces, port)


@cli.command()
def listener() -> None:
    """Run the listener, which polls and listens to brokers: what its Deployment calls."""
    import gc

    gc.enable()
    from penstock.listener.main import run as run_listener

    run_listener()


@cli.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        click.echo(version_of("penstock"))
    except PackageNotFoundError:
        click.echo("unknown: the package is not installed")
