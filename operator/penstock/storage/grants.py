"""What the controller gives a pod that has to do with files: a signed word on who it is.

The storage service exchanges it for URLs of single objects, while the Job that it names runs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from penstock.storage.errors import AccessDenied
from penstock.storage.signing import sealed, unsealed
from penstock.storage.uris import ExecutionPlace

Right = Literal["delete", "namespaces", "logs"]


@dataclass(frozen=True)
class Grant:
    """Which attempt of a task asks, and what it may do beyond reading what its execution may read
    and writing below its own folder.
    """

    tenant: str
    """The Kubernetes namespace."""
    place: ExecutionPlace
    owner: str
    """The uid of the Execution, which owns the Job."""
    task: str
    task_run: str
    job: str
    """The name of the Job: the grant is worth nothing without it, nor after its end."""
    expires: datetime
    parents: tuple[ExecutionPlace, ...] = ()
    """The executions that called this one, nearest first."""
    rights: frozenset[Right] = frozenset()

    def token(self, key: bytes) -> str:
        """The grant as text: the same whenever it is asked for, since a Job's spec has it."""
        return sealed(key, "grant", self._document())

    @classmethod
    def verified(cls, token: str, key: bytes) -> Grant:
        """The grant of a token. Raises :class:`AccessDenied`."""
        found = _read(unsealed(key, "grant", token))
        if found.expires.timestamp() < time.time():
            raise AccessDenied("the grant has expired")
        return found

    def needs(self, right: Right) -> None:
        """Raises :class:`AccessDenied` where the grant is without that right."""
        if right not in self.rights:
            raise AccessDenied(f"this task was not given the right `{right}`")

    def _document(self) -> dict[str, Any]:
        return {
            "tenant": self.tenant,
            "place": _listed(self.place),
            "parents": [_listed(parent) for parent in self.parents],
            "owner": self.owner,
            "task": self.task,
            "taskRun": self.task_run,
            "job": self.job,
            "rights": sorted(self.rights),
            "expires": int(self.expires.timestamp()),
        }


def _read(found: dict[str, Any]) -> Grant:
    return Grant(
        tenant=found["tenant"],
        place=ExecutionPlace(*found["place"]),
        parents=tuple(ExecutionPlace(*parent) for parent in found["parents"]),
        owner=found["owner"],
        task=found["task"],
        task_run=found["taskRun"],
        job=found["job"],
        rights=frozenset(found["rights"]),
        expires=datetime.fromtimestamp(found["expires"], UTC),
    )


def _listed(place: ExecutionPlace) -> list[str]:
    return [place.namespace, place.flow, place.execution]
