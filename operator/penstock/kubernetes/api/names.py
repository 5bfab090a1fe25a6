"""Names and label values that are safe whatever a flow's author called things."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

_LABEL_VALUE = re.compile(r"^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$", re.ASCII)
_HASH_LENGTH = 16
_EXECUTION_LENGTH = 24
_TASK_LENGTH = 16


def job_name(
    execution_name: str, execution_uid: str, task_id: str, task_run_id: str, attempt: int
) -> str:
    """The name of an attempt's Job: the same whenever it is asked for, and a DNS label.

    Readable first, unique by 80 bits of a hash at the end, and at most 58 characters, so that the
    name of its pod is not cut.
    """
    parts = [slug(execution_name, _EXECUTION_LENGTH), slug(task_id, _TASK_LENGTH)]
    digest = _hash(execution_name, execution_uid, task_id, task_run_id, attempt)
    return "-".join([part for part in parts if part] + [digest])


def guest_name(task_id: str, task_run_id: str, attempt: int) -> str:
    """The name of an attempt's container in a pod that it shares, which leaves room for more."""
    parts = [slug(task_id, 32), _hash(task_run_id, attempt)[:10]]
    return "-".join(part for part in parts if part)


def label_value(text: str) -> str:
    """The text itself where it may stand in a label; else a slug of it with a hash."""
    if _LABEL_VALUE.match(text) and not text.endswith("\n"):
        return text
    short = slug(text, 63 - _HASH_LENGTH - 1)
    return f"{short}-{_hash(text)}" if short else _hash(text)


def slug(text: str, length: int) -> str:
    """Lower-case letters, digits and single dashes; nothing else, perhaps nothing at all."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].strip("-")


def digest(value: Any) -> str:
    """A hash of a JSON value, however its keys are ordered."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _hash(*parts: object) -> str:
    text = json.dumps([str(part) for part in parts])
    raw = hashlib.sha256(text.encode()).digest()
    return base64.b32encode(raw).decode("ascii").lower()[:_HASH_LENGTH]
