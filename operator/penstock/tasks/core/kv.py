"""The tasks that set, get, list and delete the key-value pairs of a namespace."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from penstock.tasks.contract.kv_effects import PairUse
from penstock.tasks.contract.services import Origin
from penstock.tasks.contract.task import Context, TaskFailure
from penstock.tasks.contract.texts import Text

KvType = Literal["STRING", "NUMBER", "BOOLEAN", "DATETIME", "DATE", "DURATION", "JSON"]

_BOOLEANS = ("false", "true")
_DURATION = re.compile(
    r"[-+]?P(?=.)(?:[-+]?\d+W)?(?:[-+]?\d+D)?"
    r"(?:T(?=.)(?:[-+]?\d+H)?(?:[-+]?\d+M)?(?:[-+]?\d+(?:\.\d+)?S)?)?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class Set:
    """Gives a key a value.

    ```yaml
    id: remember
    type: io.kestra.plugin.core.kv.Set
    key: last_run
    value: "{{ now() }}"
    ttl: P7D
    ```
    """

    key: str
    """The key."""
    value: Any
    """The value; a single expression keeps its type."""
    namespace: str | None = None
    """The namespace of the key; the flow's own where none is named."""
    overwrite: bool = True
    """Whether an existing value is replaced; if not, the task fails."""
    ttl: timedelta | None = None
    """How long the value holds."""
    kv_type: KvType | None = None
    """The type of a value that is given as text."""
    kv_description: Text | None = None
    """What the key is for."""

    def run(self, context: Context) -> None:
        value = typed(self.value, self.kv_type) if self.kv_type is not None else self.value
        pairs = context.services.kv(self.namespace)
        pairs.set(
            self.key,
            value,
            self.ttl,
            overwrite=self.overwrite,
            description=self.kv_description,
        )

    def pair_use(self, origin: Origin) -> PairUse:
        return PairUse(self.namespace or origin.namespace, self.key, changes=True)


@dataclass(frozen=True)
class Get:
    """Gives the value of a key.

    ```yaml
    id: recall
    type: io.kestra.plugin.core.kv.Get
    key: last_run
    ```
    """

    key: str
    """The key."""
    namespace: str | None = None
    """The namespace of the key; the flow's own, and those above it, where none is named."""
    error_on_missing: bool = False
    """Whether the task fails where the key has no value."""

    def run(self, context: Context) -> Mapping[str, Any]:
        own = self.namespace in (None, context.services.origin.namespace)
        try:
            return {"value": context.services.kv(None if own else self.namespace).get(self.key)}
        except KeyError:
            if self.error_on_missing:
                raise TaskFailure(_missing(self.key, self.namespace, context)) from None
            return {"value": None}

    def pair_use(self, origin: Origin) -> PairUse:
        namespace = self.namespace or origin.namespace
        inherits = namespace == origin.namespace
        return PairUse(namespace, self.key, inherits=inherits, reads=True)


@dataclass(frozen=True)
class GetKeys:
    """Gives the keys of a namespace.

    ```yaml
    id: list
    type: io.kestra.plugin.core.kv.GetKeys
    prefix: last_
    ```
    """

    prefix: str | None = None
    """The beginning of the wanted keys."""
    namespace: str | None = None
    """The namespace of the keys; the flow's own where none is named."""

    def run(self, context: Context) -> Mapping[str, Any]:
        return {"keys": context.services.kv(self.namespace).keys(self.prefix or "")}

    def pair_use(self, origin: Origin) -> PairUse:
        return PairUse(self.namespace or origin.namespace, prefix=self.prefix or "")


@dataclass(frozen=True)
class Delete:
    """Deletes a key.

    ```yaml
    id: forget
    type: io.kestra.plugin.core.kv.Delete
    key: last_run
    ```
    """

    key: str
    """The key."""
    namespace: str | None = None
    """The namespace of the key; the flow's own where none is named."""
    error_on_missing: bool = False
    """Whether the task fails where the key has no value."""

    def run(self, context: Context) -> Mapping[str, Any]:
        deleted = context.services.kv(self.namespace).delete(self.key)
        if not deleted and self.error_on_missing:
            raise TaskFailure(_missing(self.key, self.namespace, context))
        return {"deleted": deleted}

    def pair_use(self, origin: Origin) -> PairUse:
        return PairUse(self.namespace or origin.namespace, self.key, changes=True)


def _missing(key: str, namespace: str | None, context: Context) -> str:
    name = namespace or context.services.origin.namespace
    return f"The key '{key}' does not exist in the namespace '{name}'."


def type_of(value: Any) -> KvType:
    """The type of a value, as Kestra names it; dates and durations are told by their text."""
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int | float):
        return "NUMBER"
    if not isinstance(value, str):
        return "JSON"
    kinds: tuple[KvType, ...] = ("DURATION", "DATE", "DATETIME")
    return next((kind for kind in kinds if _is(value, kind)), "STRING")


def _is(text: str, kind: KvType) -> bool:
    try:
        _parsed(text, kind)
    except ValueError:
        return False
    return kind != "DATE" or len(text) == len("2026-01-02")


def typed(value: Any, kind: KvType) -> Any:
    """A text converted to a type; a value that is no text has its type already.

    Raises :class:`TaskFailure`.
    """
    if not isinstance(value, str):
        return json.dumps(value) if kind == "STRING" and value is not None else value
    try:
        return _parsed(value, kind)
    except ValueError:
        raise TaskFailure(f"property `value`: `{value}` is not a {kind}") from None


def _parsed(text: str, kind: KvType) -> Any:
    if kind == "NUMBER":
        number = json.loads(text)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueError
        return number
    if kind == "BOOLEAN":
        return _BOOLEANS.index(text.lower()) == 1
    if kind == "JSON":
        return json.loads(text)
    if kind == "DATETIME":
        datetime.fromisoformat(text)
    elif kind == "DATE":
        date.fromisoformat(text) if len(text) == len("2026-01-02") else datetime.fromisoformat(text)
    elif kind == "DURATION" and _DURATION.fullmatch(text) is None:
        raise ValueError
    return text
