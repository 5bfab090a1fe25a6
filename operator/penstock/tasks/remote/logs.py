"""The archived logs as a pod sees them: through the storage service. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict
from datetime import datetime
from http.client import HTTPException
from typing import Any

from penstock.storage.errors import StorageUnavailable
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.services import LogEntry
from penstock.tasks.remote.transfer import Connect, refusal


def remote_logs(
    url: str,
    grant: str,
    place: ExecutionPlace,
    tasks: Collection[str],
    level: str,
    connect: Connect,
) -> Iterator[LogEntry]:
    """Yield the log entries of an execution from a level on, in the order of time; of all tasks
    where none is named. Raises :class:`~penstock.storage.errors.StorageError`.
    """
    asked = {**asdict(place), "tasks": list(tasks), "level": level}
    connection, target = connect(f"{url}/v1/logs")
    headers = {"Authorization": f"Bearer {grant}", "Content-Type": "application/json"}
    try:
        connection.request("POST", target, json.dumps(asked).encode(), headers)
        response = connection.getresponse()
        if response.status != 200:
            raise refusal(response, "the storage service")
        for line in response:
            yield _entry(json.loads(line), place)
    except (OSError, HTTPException) as error:
        raise StorageUnavailable(f"the logs could not be read to their end: {error}") from error
    finally:
        connection.close()


def _entry(found: dict[str, Any], place: ExecutionPlace) -> LogEntry:
    return LogEntry(
        datetime.fromisoformat(found["timestamp"]),
        found["level"],
        found["message"],
        place.namespace,
        place.flow,
        place.execution,
        found["taskId"],
        found["taskRunId"],
    )
