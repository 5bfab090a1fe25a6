"""Whose the folder of a tenant is: that of one namespace, not of whoever has its name later."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from io import BytesIO

from penstock.storage.errors import FileMissing, StorageUnavailable
from penstock.storage.files import Storage

MARKER = "/.namespace"
"""The path of the file in a tenant's folder that says whose it is. No execution may use it: the
files of each begin with a namespace of flows, and none of these begins with a dot."""


@dataclass(frozen=True)
class Owner:
    """The owner of a tenant's folder."""

    uid: str
    """The uid of the Kubernetes namespace; empty for one that is gone, whoever it was."""
    installation: str
    """The uid of the namespace in which Penstock runs. It tells that a copy of the storage came to
    another cluster, where all namespaces have other uids."""


def claim(storage: Storage, owner: Owner) -> bool:
    """Give the folder of a tenant to its owner. What another owner left in it is deleted first,
    and the result tells so; a folder without a mark, or from another installation, is taken over
    as it is. Stopped at any point and done again, it comes to the same.
    """
    before = owner_of(storage)
    if before == owner:
        return False
    is_left = before is not None and before.installation == owner.installation
    if is_left:
        storage.empty(but=MARKER)
    storage.put(MARKER, BytesIO(json.dumps(asdict(owner)).encode()))
    return is_left


def owner_of(storage: Storage) -> Owner | None:
    """The owner of a tenant's folder; None where it has no mark. Raises
    :class:`StorageUnavailable` where the mark can't be read."""
    try:
        with storage.open(MARKER) as file:
            return Owner(**json.loads(file.read()))
    except FileMissing:
        return None
    except (ValueError, TypeError):
        raise StorageUnavailable(
            f"`{storage.at(MARKER)}` does not say whose the folder is; delete it to leave the "
            "folder to the namespace of this name"
        ) from None
