"""Key-value pairs of a namespace, each a small JSON file of the storage."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from threading import RLock
from typing import Any, Protocol

from penstock.nesting import TOO_DEEP
from penstock.storage.errors import FileMissing, StorageError
from penstock.storage.files import Storage
from penstock.storage.uris import PAIRS, namespace_folder

_KEY = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$")
_MAX_KEY = 200


class KeyExists(StorageError):
    """The key has a value that must not be replaced."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Cannot set value for key '{key}'. Key already exists and `overwrite` is set to "
            "`false`."
        )


class KeyMissing(StorageError):
    """The key has no value."""

    def __init__(self, namespace: str, key: str) -> None:
        super().__init__(f"The key '{key}' does not exist in the namespace '{namespace}'.")


class ValueTooDeep(StorageError):
    """The value is nested too deep to be read."""

    def __init__(self, key: str) -> None:
        super().__init__(f"The value of the key '{key}' is {TOO_DEEP}.")


class ValueTooLarge(StorageError):
    """The value is larger than a key may hold, and is not kept in memory."""

    def __init__(self, key: str, size: int) -> None:
        super().__init__(
            f"The value of the key '{key}' has {size} bytes, more than a key may hold: keep it in "
            "a file."
        )


@dataclass(frozen=True)
class Pair:
    """One value, and until when it counts."""

    value: Any
    """A JSON value; dates and durations are ISO text."""
    expires: datetime | None = None


class Readable(Protocol):
    """Reads the pairs of several namespaces. Both methods raise :class:`StorageError` for what is
    no key."""

    def get(self, namespace: str, key: str) -> Pair | None: ...

    def inherited(self, namespace: str, key: str) -> Pair | None: ...


class KeyValues:
    """The pairs of all namespaces. Safe to use from several threads of one process."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = RLock()

    def get(self, namespace: str, key: str) -> Pair | None:
        """The pair; None where there is none or its time is over."""
        path = _path(namespace, key)
        with self._lock:
            try:
                with self._storage.open(path) as file:
                    stored = json.load(file)
            except FileMissing:
                return None
            expires = stored.get("expires")
            pair = Pair(stored["value"], datetime.fromisoformat(expires) if expires else None)
            if pair.expires is not None and pair.expires <= datetime.now(UTC):
                self._storage.delete(path)
                return None
            return pair

    def inherited(self, namespace: str, key: str) -> Pair | None:
        """The pair of the namespace, or else of the nearest one above it that has the key."""
        for name in ancestry(namespace):
            if (pair := self.get(name, key)) is not None:
                return pair
        return None

    def set(
        self,
        namespace: str,
        key: str,
        value: Any,
        ttl: timedelta | None = None,
        *,
        overwrite: bool = True,
    ) -> None:
        """Set the value of a key. Raises :class:`KeyExists` where it has one that must not be
        overwritten."""
        path = _path(namespace, key)
        expires = (datetime.now(UTC) + ttl).isoformat() if ttl is not None else None
        text = json.dumps({"value": value, "expires": expires}, ensure_ascii=False)
        with self._lock:
            if not overwrite and self.get(namespace, key) is not None:
                raise KeyExists(key)
            self._storage.put(path, BytesIO(text.encode("utf-8", "surrogatepass")))

    def merge(self, namespace: str, key: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Put entries into the map that the key holds, and give the map. Any other value is
        replaced by it."""
        with self._lock:
            known = self.get(namespace, key)
            merged = merged_value(None if known is None else known.value, values)
            self.set(namespace, key, merged)
            return merged

    def delete(self, namespace: str, key: str) -> bool:
        """Delete a key; tells whether it had a value."""
        with self._lock:
            found = self.get(namespace, key) is not None
            self._storage.delete(_path(namespace, key))
            return found

    def namespaces(self) -> list[str]:
        """The namespaces that have keys, in order."""
        with self._lock:
            parts = [path.strip("/").split("/") for path in self._storage.list("/")]
        found = {".".join(part[:-2]) for part in parts if part[-2:-1] == [PAIRS]}
        return sorted(found)

    def keys(self, namespace: str, prefix: str = "") -> list[str]:
        """The keys that have a value, in order."""
        folder = f"{namespace_folder(namespace)}{PAIRS}/"
        with self._lock:
            names = [path.removeprefix(folder) for path in self._storage.list(folder)]
            found = [name.removesuffix(".json") for name in names]
            return [
                key
                for key in found
                if key.startswith(prefix) and self.get(namespace, key) is not None
            ]


def ancestry(namespace: str) -> Iterator[str]:
    """The namespace and those above it, nearest first: `a.b.c`, `a.b`, `a`."""
    while namespace:
        yield namespace
        namespace = namespace.rpartition(".")[0]


def merged_value(known: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """A map with further entries; a value that is no map is replaced."""
    return {**(known if isinstance(known, dict) else {}), **values}


def kv_function(pairs: Readable, own: str) -> Callable[..., Any]:
    """The function `kv()` of expressions, for the flows of a namespace. It raises
    :class:`StorageError`."""

    # The names of the arguments are those that a template may write.
    def kv(key: str, namespace: str | None = None, errorOnMissing: bool = True) -> Any:
        name = own if namespace is None else str(namespace)
        pair = (pairs.inherited if name == own else pairs.get)(name, str(key))
        if pair is None and errorOnMissing:
            raise KeyMissing(name, str(key))
        return None if pair is None else pair.value

    return kv


def check_key(namespace: str, key: str) -> None:
    """Refuse a text that can't be a key, or a namespace. Raises :class:`StorageError`."""
    _path(namespace, key)


def _path(namespace: str, key: str) -> str:
    if _KEY.fullmatch(key) is None or len(key) > _MAX_KEY:
        raise StorageError(
            f"`{key}` is not a key: it has letters, digits, `.`, `_` and `-`, begins with a letter "
            f"or digit and has at most {_MAX_KEY} characters"
        )
    return f"{namespace_folder(namespace)}{PAIRS}/{key}.json"
