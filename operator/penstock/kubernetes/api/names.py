"""Names of Jobs and containers that are safe whatever a flow's author called things."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from penstock.resources.names import short_hash, slug

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
    digest = short_hash(execution_name, execution_uid, task_id, task_run_id, attempt)
    return "-".join([part for part in parts if part] + [digest])


def ephemeral_name(task_id: str, task_run_id: str, attempt: int) -> str:
    """The name of an attempt's container in a pod that it shares, which leaves room for more."""
    parts = [slug(task_id, 32), short_hash(task_run_id, attempt)[:10]]
    return "-".join(part for part in parts if part)


def digest(value: Any) -> str:
    """A hash of a JSON value, however its keys are ordered."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
