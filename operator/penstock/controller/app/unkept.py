"""What kopf remembers of objects: nothing.

kopf copies each object of each event, to find out later what has changed since its handlers were
done with it. No handler of ours is told: copies of large objects are time in which nothing else
moves.
"""

from __future__ import annotations

from typing import Any

import kopf


class NoDiffs(kopf.DiffBaseStorage):
    """Has no older version of any object, and no copy of the present one."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        raise NotImplementedError("no handler of ours has a state")


class NoProgress(kopf.ProgressStorage):
    """Knows of no handler that is under way."""

    def fetch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence

    def purge(self, **_: Any) -> None:
        """There is nothing to forget."""

    def touch(self, **_: Any) -> None:
        """There is nothing to keep alive."""

    def store(self, **_: Any) -> None:
        raise NotImplementedError("no handler of ours has a state")
