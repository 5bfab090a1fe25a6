"""The token that opens the archived logs of one Execution: it stands in the Execution's status.

It is made for the Execution's uid, and opens the folder of that uid: the next Execution of the same
name has another token, and other logs. It ends: the controller puts a new one into the status in
time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from penstock.storage.errors import AccessDenied
from penstock.storage.signing import matches, sign
from penstock.storage.uris import ExecutionPlace

HEADER = "Penstock-Token"
"""The header that carries the token: in a URL it would stand in the API server's audit log."""


@dataclass(frozen=True)
class LogToken:
    """The right to read the archived logs of one Execution until a time."""

    tenant: str
    place: ExecutionPlace
    owner: str
    """The Execution's uid."""
    until: int
    """The end of the right, in seconds since 1970."""

    def text(self, key: bytes) -> str:
        """The token as it stands in a status: its end, the uid and the signature."""
        place = self.place
        parts = [self.tenant, place.namespace, place.flow, place.execution, self.owner, self.until]
        return f"{self.until}.{self.owner}.{sign(key, 'logs', json.dumps(parts).encode())}"

    @classmethod
    def verified(cls, key: bytes, tenant: str, place: ExecutionPlace, text: str) -> LogToken:
        """Read the token of an Execution's logs, whether or not it has ended. Raises
        :class:`AccessDenied` where it is none, or one of other logs."""
        owner, _, _ = text.partition(".")[2].rpartition(".")
        token = cls(tenant, place, owner, end_of(text))
        if not matches(token.text(key), text):
            raise AccessDenied("the token is not the one of this execution's logs")
        return token

    def check_time(self, now: float) -> None:
        """Refuse a token that has ended, at a time in seconds since 1970. Raises
        :class:`AccessDenied`."""
        if self.until < now:
            raise AccessDenied(
                "the token of these logs has ended; read the Execution again, as the one in its "
                "`status.logs` is renewed in time"
            )


def end_of(text: str) -> int:
    """The end that a token states, in seconds since 1970, whether or not its signature is right; 0
    where it states none."""
    until, _, _ = text.partition(".")
    return int(until) if len(until) < 12 and until.isascii() and until.isdecimal() else 0
