"""Key-value pairs of a task that runs in a pod. Standard library only: pods import this.

A pod calls nobody. What its task reads of the pairs stands in the task's own text, put there when
the Job was made; what it changes it says in its result, as *effects*, and the controller makes it
so. What a task may change was settled when the Job was made, too (:class:`PairUse`), so whatever
comes in a result is no more than a wish: :func:`wanted_change` says whether it is granted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

from penstock.nesting import TOO_DEEP, is_deeper
from penstock.tasks.contract.services import Origin

MAX_VALUE_BYTES = 256 * 1024
"""What one value may hold on a cluster: each is read whole, by everybody who looks at it."""

ChangeKind = Literal["set", "merge", "delete"]

_INT64 = 2**63
_MAX_TTL = timedelta(days=365_000).total_seconds()


@dataclass(frozen=True)
class PairUse:
    """What one task has to do with the pairs of one namespace."""

    namespace: str
    key: str | None = None
    """The only key that it reads or changes; None for a task that lists the keys."""
    prefix: str = ""
    """Which keys it lists."""
    inherits: bool = False
    """Whether a key that is missing is read from the nearest namespace above that has it."""
    reads: bool = False
    """Whether it needs the value, and not only whether there is one."""
    changes: bool = False
    """Whether it may change the key."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> PairUse | None:
        """Read what :meth:`to_json` wrote; None where the text is none of ours."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None


class UsesPairs(Protocol):
    """A task that reads or changes key-value pairs."""

    def pair_use(self, origin: Origin) -> PairUse: ...


@dataclass(frozen=True)
class Change:
    """One change of one key."""

    kind: ChangeKind
    namespace: str
    key: str
    value: Any = None
    """The new value; of a merge, the entries that replace those of the same name."""
    ttl: timedelta | None = None
    overwrite: bool = True
    """Whether a value that is there already is replaced; if not, the change is refused."""
    description: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The effect in a task's result."""
        effect: dict[str, Any] = {"kv": self.kind, "namespace": self.namespace, "key": self.key}
        if self.kind != "delete":
            effect |= {"value": self.value, "overwrite": self.overwrite}
            effect |= {} if self.ttl is None else {"ttl": self.ttl.total_seconds()}
            effect |= {} if self.description is None else {"description": self.description}
        return effect


class EffectRefused(Exception):
    """A result asks for something that its task has no business with, or that can't be."""


def wanted_change(effects: Sequence[Any], use: PairUse | None) -> Change | None:
    """The change that a task's result asks for. Raises :class:`EffectRefused`.

    ``use`` is what the controller granted when it made the Job; None for a task that has nothing
    to do with pairs, such as every script.
    """
    if not effects:
        if use is not None and use.changes:
            raise EffectRefused("what the task wanted changed was gone before it was read")
        return None
    if use is None or not use.changes:
        raise EffectRefused("the task's result asks for changes, which its type can't make")
    if len(effects) > 1:
        raise EffectRefused("the task's result asks for more than one change")
    effect = effects[0]
    if not isinstance(effect, Mapping) or effect.get("kv") not in ("set", "merge", "delete"):
        raise EffectRefused("the task's result asks for a change of an unknown kind")
    if (effect.get("namespace"), effect.get("key")) != (use.namespace, use.key) or not use.key:
        raise EffectRefused(
            f"the task's result asks to change another key than its properties name, which is "
            f"`{use.key}` of the namespace `{use.namespace}`"
        )
    if effect["kv"] == "delete":
        return Change("delete", use.namespace, use.key)
    return Change(
        effect["kv"],
        use.namespace,
        use.key,
        checked_value(effect.get("value"), merged=effect["kv"] == "merge"),
        _ttl(effect.get("ttl")),
        effect.get("overwrite") is not False,
        _description(effect.get("description")),
    )


def checked_value(value: Any, *, merged: bool = False) -> Any:
    """The value, if a cluster can keep it as it is. Raises :class:`EffectRefused`."""
    if is_deeper(value):
        raise EffectRefused(f"the value is {TOO_DEEP}")
    if merged and not isinstance(value, dict):
        raise EffectRefused("only a map can be merged into a value")
    if len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) > MAX_VALUE_BYTES:
        kib = MAX_VALUE_BYTES // 1024
        raise EffectRefused(
            f"the value is larger than {kib} KiB, which is all that a key holds on a cluster: "
            "keep it in a file"
        )
    _refuse_large_numbers(value)
    return value


def _refuse_large_numbers(value: Any) -> None:
    """The API server would make an inexact number of them."""
    if isinstance(value, dict):
        for item in value.values():
            _refuse_large_numbers(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_large_numbers(item)
    elif isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise EffectRefused(f"the number {value} has more than 64 bits: keep it as text")


def _ttl(seconds: Any) -> timedelta | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise EffectRefused("the task's result gives a `ttl` that is no number of seconds")
    if not 0 <= seconds <= _MAX_TTL:
        raise EffectRefused(f"a `ttl` of {seconds} seconds is less than none, or more than an age")
    return timedelta(seconds=seconds)


def _description(text: Any) -> str | None:
    return text[:1000] if isinstance(text, str) else None
