"""An upload in parts that has begun, as a word that is handed out and comes back.

It says for which file it is, and how large: whoever holds it brings these bytes and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from penstock.storage.signing import sealed, unsealed

_KIND = "upload"


@dataclass(frozen=True)
class Upload:
    """One file on its way."""

    tenant: str
    path: str
    id: str
    """The object store's name of it."""
    size: int
    digest: str
    """The SHA-256 of the whole file."""
    part_bytes: int
    """How large each part is but the last."""

    def token(self, key: bytes) -> str:
        """The upload as text."""
        return sealed(key, _KIND, asdict(self))

    @classmethod
    def verified(cls, token: str, key: bytes) -> Upload:
        """The upload of a token. Raises :class:`AccessDenied`."""
        return cls(**unsealed(key, _KIND, token))

    @property
    def sizes(self) -> Sequence[int]:
        """Of the parts, in order."""
        whole, rest = divmod(self.size, self.part_bytes)
        return [self.part_bytes] * whole + [rest] * bool(rest)
