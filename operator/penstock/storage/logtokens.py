"""The token that opens the archived logs of an execution: it stands in the execution's status.

It opens nothing else, and it is good for as long as the logs are there.
"""

from __future__ import annotations

import json

from penstock.storage.errors import AccessDenied
from penstock.storage.signing import matches, sign
from penstock.storage.uris import ExecutionPlace

HEADER = "Penstock-Token"
"""Carries the token: in a URL it would stand in the API server's audit log."""


def log_token(key: bytes, tenant: str, place: ExecutionPlace) -> str:
    """The token for the logs of one execution. It never changes."""
    parts = [tenant, place.namespace, place.flow, place.execution]
    return sign(key, "logs", json.dumps(parts).encode())


def check_log_token(key: bytes, tenant: str, place: ExecutionPlace, given: str) -> None:
    """Refuse a token that is not this execution's. Raises :class:`AccessDenied`."""
    if not matches(log_token(key, tenant, place), given):
        raise AccessDenied("the token is not the one of this execution's logs")
