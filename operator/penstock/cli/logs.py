"""`penstock logs`: what the tasks of an Execution printed, from their pods or from the archive."""

from __future__ import annotations

import json

from penstock.cli.cluster import in_cluster
from penstock.cli.display import shorten
from penstock.cli.errors import OK
from penstock.cli.terminal import echo
from penstock.cluster.connection import Cluster
from penstock.cluster.execution_logs import Entry


def print_logs(
    execution: str,
    namespace: str | None,
    task: str | None,
    attempt: int | None,
    *,
    follow: bool,
    as_json: bool,
) -> int:
    """Print the log, and return the exit code."""

    def is_wanted(entry: Entry) -> bool:
        return task in (None, entry["taskId"]) and attempt in (None, entry["attempt"])

    async def show(cluster: Cluster) -> None:
        logs = cluster.logs(execution, is_wanted, _warn)
        async for entry in logs.followed() if follow else logs.news():
            echo(json.dumps(entry, ensure_ascii=False) if as_json else _line(entry))

    in_cluster(namespace, show)
    return OK


def _line(entry: Entry) -> str:
    """When, in which level, who, what."""
    at = f"{entry['timestamp'][:23]}Z"
    who = entry["taskId"]
    if "value" in entry:
        who += f" [{shorten(entry['value'], 40)}]"
    if entry["attempt"] > 1:
        who += f" #{entry['attempt']}"
    return f"{at} {entry['level']:<5} {who} | {entry['message']}"


def _warn(text: str) -> None:
    echo(f"warning: {text}", err=True)
