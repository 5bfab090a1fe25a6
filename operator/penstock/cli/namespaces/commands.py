"""The commands for flow namespaces, with their options. Only click is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from penstock.cli import options
from penstock.cli.namespaces.kv_commands import kv

if TYPE_CHECKING:
    from penstock.cli.printing import Format


@click.group()
def namespace() -> None:
    """Look at what the flow namespaces of a Kubernetes namespace hold."""


@namespace.command("list")
@options.kubernetes_namespace
@options.output_format
def list_(tenant: str | None, output: Format | None) -> int:
    """List the flow namespaces that flows, keys or files from Git are of."""
    from penstock.cli.namespaces.show import list_namespaces

    return list_namespaces(tenant, output)


@namespace.group()
def files() -> None:
    """Look at where the files of flow namespaces come from."""


@files.command("list")
@options.any_flow_namespace
@options.kubernetes_namespace
@options.data_format
def files_list(namespace: str | None, tenant: str | None, output: Format | None) -> int:
    """List the folders in Git whose files are those of a flow namespace, and their commits.

    The files themselves are in the internal storage, which tasks read and people do not.
    """
    from penstock.cli.namespaces.show import list_file_sources

    return list_file_sources(namespace, tenant, output)


namespace.add_command(kv)
