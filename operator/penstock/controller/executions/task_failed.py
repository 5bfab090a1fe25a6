"""The failure of a task that the controller does."""

from __future__ import annotations


class ClusterTaskFailed(Exception):
    """The task fails. `reason` is one word for the cause."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
