"""The grant that the controller gives a pod which works with files: a signed word on who it is.

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
    """The identity of an attempt, and its rights beyond the usual ones.

    It may always read what its execution may read, and write below the folder of its task run.
    """

    tenant: str
    """The Kubernetes namespace of the Job."""
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
        """The grant as text. It is always the same text for the same grant, since a Job's spec has
        it."""
        return sealed(key, "grant", self._document())

    @classmethod
    def verified(cls, token: str, key: bytes) -> Grant:
        """The grant of a token. Raises :class:`AccessDenied`."""
        found = _read(unsealed(key, "grant", token))
        if found.expires.timestamp() < time.time():
            raise AccessDenied("the grant has expired")
        return found

    def needs(self, right: Right) -> None:
        """Refuse a grant that lacks a right. Raises :class:`AccessDenied`."""
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
