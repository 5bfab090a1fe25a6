"""Prints resources: as a table, as JSON or YAML, or by their names, as kubectl does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import yaml

from penstock.cli.terminal import echo
from penstock.kubernetes.api.client import Object
from penstock.resources import API_VERSION, GROUP

Format = Literal["json", "yaml", "wide", "name"]


@dataclass(frozen=True)
class Column:
    """A column of a table of resources."""

    title: str
    text: Callable[[Object], str]
    is_wide: bool = False
    """Whether it is shown with `-o wide` only."""


def print_list(
    kind: str, bodies: Sequence[Object], columns: Iterable[Column], output: Format | None
) -> None:
    """Print resources of one kind; as JSON or YAML they are a `List`, as kubectl gives it."""
    if output in ("json", "yaml"):
        items = [whole(kind, body) for body in bodies]
        print_data({"apiVersion": "v1", "kind": "List", "items": items}, output)
    elif output == "name":
        for body in bodies:
            echo(reference(kind, body))
    else:
        shown = [column for column in columns if output == "wide" or not column.is_wide]
        rows = [[column.text(body) for column in shown] for body in bodies]
        print_table([column.title for column in shown], rows)


def print_data(value: Any, output: Format) -> None:
    """Print a value as JSON or YAML."""
    echo(yaml_text(value).rstrip("\n") if output == "yaml" else json_text(value))


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, each column as wide as its widest text."""
    for line in table([titles, *rows]):
        echo(line)


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Give the lines of a table. A text of several lines stands on one."""
    flat = [[" ".join(text.split()) for text in row] for row in rows]
    widths = [max(len(row[column]) for row in flat) for column in range(len(flat[0]))]
    for row in flat:
        padded = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def whole(kind: str, body: Object) -> Object:
    """Give a resource as it is printed: with its kind, and without who wrote which field."""
    meta = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {"apiVersion": API_VERSION, "kind": kind, **body, "metadata": meta}


def reference(kind: str, body: Object) -> str:
    """Name a resource as kubectl does: `flow.penstock.dev/company.team.hello`."""
    return f"{kind.lower()}.{GROUP}/{body['metadata']['name']}"


def age(body: Object) -> str:
    """How long a resource has been there."""
    created = datetime.fromisoformat(body["metadata"]["creationTimestamp"])
    return short_duration(datetime.now(UTC) - created)


def short_duration(time: timedelta) -> str:
    """A time in its one or two largest units, as kubectl writes it: `45s`, `3m20s`, `5h`, `12d`."""
    seconds = max(int(time.total_seconds()), 0)
    for size, unit, until, smaller, smaller_unit in _UNITS:
        if seconds >= size:
            rest = seconds % size // smaller
            with_rest = rest and seconds < until
            return f"{seconds // size}{unit}" + (f"{rest}{smaller_unit}" if with_rest else "")
    return f"{seconds}s"


_UNITS = (
    (86_400, "d", 8 * 86_400, 3_600, "h"),
    (3_600, "h", 8 * 3_600, 60, "m"),
    (60, "m", 10 * 60, 1, "s"),
)
"""A unit, up to when a smaller one stands beside it, and that one."""


def json_text(value: Any) -> str:
    """Write a value as JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def yaml_text(value: Any) -> str:
    """Write a value as YAML for people: in its order, and a text of several lines as lines."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Never writes an anchor: a flow file may have none."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)
