"""The commands for key-value pairs, with their options. Only click is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from penstock.cli import options

if TYPE_CHECKING:
    from penstock.cli.printing import Format


@click.group()
def kv() -> None:
    """Look at the key-value pairs of flows in the cluster, and change them."""


_KEY = click.argument("key", metavar="KEY")


@kv.command("list")
@options.any_flow_namespace
@options.kubernetes_namespace
@options.output_format
def kv_list(namespace: str | None, tenant: str | None, output: Format | None) -> int:
    """Print the keys of all flow namespaces, or of one. Values are shown with an --output alone.

    As JSON or YAML it is a list of what the KeyValues say, without the resources around it.
    """
    from penstock.cli.kv import print_pairs

    return print_pairs(namespace, tenant, output)


@kv.command("get")
@options.flow_namespace
@_KEY
@options.kubernetes_namespace
def kv_get(namespace: str, key: str, tenant: str | None) -> int:
    """Print the value of a key as JSON. What a namespace inherits is not looked for."""
    from penstock.cli.kv import print_pair

    return print_pair(namespace, key, tenant)


@kv.command("set")
@options.flow_namespace
@_KEY
@click.argument("value", metavar="VALUE")
@options.kubernetes_namespace
@click.option(
    "--type",
    "-t",
    type=click.Choice(["STRING", "NUMBER", "BOOLEAN", "DATETIME", "DATE", "DURATION", "JSON"]),
    help="What VALUE is the text of; JSON where it is not said.",
)
@click.option("--ttl", metavar="5m", help="How long the value holds (30s, 5m, 1h30m, P7D).")
@click.option("--description", help="What the key is for.")
@click.option("--no-overwrite", is_flag=True, help="Fail where the key has a value.")
def kv_set(tenant: str | None, no_overwrite: bool, **given: Any) -> int:
    """Give a key a value."""
    from penstock.cli.kv import NewPair, set_pair

    return set_pair(NewPair(**given, overwrite=not no_overwrite), tenant)


@kv.command("delete")
@options.flow_namespace
@_KEY
@options.kubernetes_namespace
def kv_delete(namespace: str, key: str, tenant: str | None) -> int:
    """Delete a key."""
    from penstock.cli.kv import delete_pair

    return delete_pair(namespace, key, tenant)
