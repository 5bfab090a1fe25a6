"""`penstock kv`: the key-value pairs of a Kubernetes namespace, by the user's own rights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from penstock.cli.arguments import duration, parsed_json
from penstock.cli.cluster import in_cluster
from penstock.cli.errors import INVALID, OK, UserError
from penstock.cli.printing import Column, Format, print_data, print_list
from penstock.cli.terminal import echo
from penstock.cluster.connection import Cluster
from penstock.cluster.key_value_objects import expiration
from penstock.kubernetes.api.client import Object
from penstock.tasks.contract.kv_effects import Change, EffectRefused, checked_value
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.core.kv import KvType, type_of, typed


def print_pair(namespace: str, key: str, tenant: str | None) -> int:
    """Print the value of a key as JSON, and return the exit code."""

    async def read(cluster: Cluster) -> Any:
        return (await cluster.key_values()).get(namespace, key).value

    echo(json.dumps(in_cluster(tenant, read), indent=2, ensure_ascii=False))
    return OK


def print_pairs(namespace: str | None, tenant: str | None, output: Format | None) -> int:
    """Print what keys there are, and return the exit code."""

    async def read(cluster: Cluster) -> list[Object]:
        return (await cluster.key_values()).objects(namespace)

    bodies = in_cluster(tenant, read)
    if output in ("json", "yaml"):
        print_data([body["spec"] for body in bodies], output)
    else:
        print_list("KeyValue", bodies, _COLUMNS, output)
    return OK


@dataclass(frozen=True)
class NewPair:
    """What `penstock kv set` was given."""

    namespace: str
    key: str
    value: str
    type: KvType | None = None
    ttl: str | None = None
    description: str | None = None
    overwrite: bool = True


def set_pair(given: NewPair, tenant: str | None) -> int:
    """Give a key a value, and return the exit code."""
    value = _value(given)
    ttl = duration("--ttl", given.ttl)
    change = Change(
        "set", given.namespace, given.key, value, ttl, given.overwrite, given.description
    )

    async def write(cluster: Cluster) -> None:
        await (await cluster.key_values()).set(change)

    in_cluster(tenant, write)
    echo(f"set {given.namespace} {given.key}")
    return OK


def delete_pair(namespace: str, key: str, tenant: str | None) -> int:
    """Delete a key, and return the exit code."""

    async def delete(cluster: Cluster) -> None:
        await (await cluster.key_values()).delete(namespace, key)

    in_cluster(tenant, delete)
    echo(f"deleted {namespace} {key}")
    return OK


def _value(given: NewPair) -> Any:
    """JSON, or the text of a value of the type that is named."""
    try:
        if given.type is None:
            return checked_value(parsed_json("VALUE", given.value))
        return checked_value(typed(given.value, given.type))
    except (TaskFailure, EffectRefused) as error:
        raise UserError(str(error).removeprefix("property "), INVALID) from None


def _expires(body: Object) -> str:
    expires = expiration(body)
    return "" if expires is None else expires.isoformat(timespec="seconds")


_COLUMNS = (
    Column("NAMESPACE", lambda body: str(body["spec"]["namespace"])),
    Column("KEY", lambda body: str(body["spec"]["key"])),
    Column("TYPE", lambda body: type_of(body["spec"].get("value"))),
    Column("EXPIRES", _expires),
    Column("DESCRIPTION", lambda body: str(body["spec"].get("description", ""))),
    Column("VALUE", lambda body: json.dumps(body["spec"].get("value")), is_wide=True),
)
