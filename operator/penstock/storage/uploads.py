"""A begun upload in parts, as a token that a client is given and shows again.

The token names the file and its size: its holder can upload these bytes and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from penstock.storage.signing import sealed, unsealed

_KIND = "upload"


@dataclass(frozen=True)
class Upload:
    """An upload of one file in parts."""

    tenant: str
    path: str
    id: str
    """The object store's id of the upload."""
    size: int
    digest: str
    """The SHA-256 of the whole file."""
    part_bytes: int
    """The size of each part but the last."""

    def token(self, key: bytes) -> str:
        """The upload as text."""
        return sealed(key, _KIND, asdict(self))

    @classmethod
    def verified(cls, token: str, key: bytes) -> Upload:
        """The upload of a token. Raises :class:`AccessDenied`."""
        return cls(**unsealed(key, _KIND, token))

    @property
    def sizes(self) -> Sequence[int]:
        """The sizes of the parts, in order."""
        whole, rest = divmod(self.size, self.part_bytes)
        return [self.part_bytes] * whole + [rest] * bool(rest)
