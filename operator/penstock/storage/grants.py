"""The grant that the controller gives a pod which works with files: a signed word on who it is.

The storage service exchanges it for URLs of single objects, while the Job that it names runs.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from penstock.storage.errors import AccessDenied, StorageError
from penstock.storage.signing import sealed, unsealed
from penstock.storage.uris import ExecutionPlace, executions_in

Right = Literal["delete", "namespaces", "logs"]

MOST_HANDED = 2000
"""The most files of further executions that one grant opens: it goes to a pod as one variable, and
with each request as a header."""
LONGEST_TOKEN = 96 * 1024
"""More bytes than the token of any grant has."""
_MARK_BYTES = 16


@dataclass(frozen=True)
class Grant:
    """The identity of an attempt, and its rights beyond the usual ones.

    It may always read what its execution may read, but of further executions only the files that
    its task names, and write below the folder of its task run.
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
    handed: frozenset[bytes] = frozenset()
    """The marks of files of further executions that its task names and its execution was handed:
    see :func:`marks_of`."""
    namespace: str = ""
    """The uid of the Kubernetes namespace, where that is known: URLs that the grant is exchanged
    for open nothing of a later namespace of the same name."""

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

    def why_not_handed(self, path: str) -> str | None:
        """Why the grant does not open a file of a further execution; None where it does."""
        if self.handed and _mark_of(path) in self.handed:
            return None
        maker = executions_in(path)[:1]
        gone = "".join(f", or there was no execution `{name}` any more" for name in maker)
        return (
            "when the task began, the execution had got it neither as an input, nor as an output "
            f"of an execution that it called{gone}"
        )

    def _document(self) -> dict[str, Any]:
        document = {
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
        further = {"handed": _written(self.handed), "namespace": self.namespace}
        return document | {name: text for name, text in further.items() if text}


def marks_of(paths: Collection[str]) -> frozenset[bytes]:
    """The marks by which a grant knows files: a path may have a thousand characters, a mark has
    sixteen bytes. Raises :class:`StorageError` where there are too many files for one grant."""
    if len(paths) > MOST_HANDED:
        raise StorageError(
            f"the task names {len(paths)} files of other executions, and one task may use "
            f"{MOST_HANDED} of them; let several tasks do it"
        )
    return frozenset(map(_mark_of, paths))


def _mark_of(path: str) -> bytes:
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).digest()[:_MARK_BYTES]


def _written(marks: Iterable[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(marks))).decode()


def _marks(text: str) -> frozenset[bytes]:
    joined = base64.b64decode(text)
    starts = range(0, len(joined), _MARK_BYTES)
    return frozenset(joined[start : start + _MARK_BYTES] for start in starts)


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
        handed=_marks(found.get("handed", "")),
        namespace=found.get("namespace", ""),
    )


def _listed(place: ExecutionPlace) -> list[str]:
    return [place.namespace, place.flow, place.execution]
