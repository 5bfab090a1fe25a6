"""`penstock kv`: the key-value pairs of a Kubernetes namespace, by the user's own rights."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
from kubernetes import aio

from penstock.cli.arguments import duration, parsed_json
from penstock.cli.errors import INVALID, OK, UserError
from penstock.cli.reading import current_namespace
from penstock.controller.keyvalues.index import KeyValueIndex, expiration, is_live, pair_keys
from penstock.controller.keyvalues.writer import KeyValueWriter
from penstock.controller.runtime.indexes import ObjectStore
from penstock.kubernetes.api.client import KEY_VALUES, Api, ApiError, Object, connect
from penstock.storage.errors import StorageError
from penstock.storage.kv import KeyMissing
from penstock.tasks.contract.kv_effects import Change, EffectRefused, checked_value
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.core.kv import KvType, type_of, typed

T = TypeVar("T")


@dataclass(frozen=True)
class _Cluster:
    """The pairs of one Kubernetes namespace, as they are now."""

    api: Api
    tenant: str
    objects: ObjectStore
    pairs: KeyValueIndex

    async def change(self, change: Change) -> None:
        # Who changes a key by hand can't know which attempts are open: their names stay.
        writer = KeyValueWriter(self.api, self.objects, self.pairs, lambda tenant, attempt: False)
        await writer.change(self.tenant, change)


def print_pair(namespace: str, key: str, tenant: str | None) -> int:
    """Print the value of a key as JSON, and return the exit code."""

    async def read(cluster: _Cluster) -> Any:
        pair = cluster.pairs.get(cluster.tenant, namespace, key)
        if pair is None:
            raise KeyMissing(namespace, key)
        return pair.value

    click.echo(json.dumps(_run(tenant, read), indent=2, ensure_ascii=False))
    return OK


def print_pairs(namespace: str | None, tenant: str | None, *, as_json: bool) -> int:
    """Print what keys there are, and return the exit code."""

    async def read(cluster: _Cluster) -> list[Object]:
        now = datetime.now(UTC)
        found = [body for body in cluster.objects if is_live(body, now)]
        found = [body for body in found if cluster.pairs.rival(body) is None]
        specs = [body["spec"] for body in found if namespace in (None, body["spec"]["namespace"])]
        return sorted(specs, key=lambda spec: (spec["namespace"], spec["key"]))

    specs = _run(tenant, read)
    if as_json:
        click.echo(json.dumps(specs, indent=2, ensure_ascii=False))
        return OK
    for line in _table(specs):
        click.echo(line)
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

    async def write(cluster: _Cluster) -> None:
        cluster.pairs.get(cluster.tenant, given.namespace, given.key)  # is it a key at all?
        await cluster.change(change)

    _run(tenant, write)
    click.echo(f"set {given.namespace} {given.key}")
    return OK


def delete_pair(namespace: str, key: str, tenant: str | None) -> int:
    """Delete a key, and return the exit code."""

    async def delete(cluster: _Cluster) -> None:
        if cluster.pairs.get(cluster.tenant, namespace, key) is None:
            raise KeyMissing(namespace, key)
        await cluster.change(Change("delete", namespace, key))

    _run(tenant, delete)
    click.echo(f"deleted {namespace} {key}")
    return OK


def _value(given: NewPair) -> Any:
    """JSON, or the text of a value of the type that is named."""
    try:
        if given.type is None:
            return checked_value(parsed_json("VALUE", given.value))
        return checked_value(typed(given.value, given.type))
    except (TaskFailure, EffectRefused) as error:
        raise UserError(str(error).removeprefix("property "), INVALID) from None


def _table(specs: list[Object]) -> Iterator[str]:
    rows = [("NAMESPACE", "KEY", "TYPE", "EXPIRES", "DESCRIPTION")]
    for spec in specs:
        expires = expiration({"spec": spec})
        when = "" if expires is None else expires.isoformat(timespec="seconds")
        kind, about = type_of(spec.get("value")), spec.get("description", "")
        rows.append((spec["namespace"], spec["key"], kind, when, about))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for *columns, about in rows:
        padded = (text.ljust(width) for text, width in zip(columns, widths, strict=True))
        yield f"{'  '.join(padded)}  {about}".rstrip()


def _run(tenant: str | None, work: Callable[[_Cluster], Awaitable[T]]) -> T:
    async def run() -> T:
        async with _connected(tenant) as cluster:
            return await work(cluster)

    try:
        return asyncio.run(run())
    except aio.config.ConfigException as error:
        raise UserError(f"no cluster is configured: {error}") from error
    except (ApiError, StorageError) as error:
        raise UserError(str(error)) from error


@asynccontextmanager
async def _connected(tenant: str | None) -> AsyncIterator[_Cluster]:
    async with connect() as api:
        where = tenant or current_namespace()
        objects = ObjectStore(pair_keys)
        for body in await api.list(KEY_VALUES, where):
            objects.put(body)
        yield _Cluster(api, where, objects, KeyValueIndex(objects))
