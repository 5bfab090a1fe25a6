"""The KeyValue resource: one value that flows of a namespace share and keep between executions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from penstock.resources.execution import ResourceModel
from penstock.resources.flow import named_after

KEY_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$"
NAMESPACE_PATTERN = r"^[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*$"


class KeyValueSpec(ResourceModel):
    """A key of a flow namespace, and its value."""

    namespace: Annotated[str, Field(pattern=NAMESPACE_PATTERN, max_length=150)]
    """The flow namespace that the key belongs to, such as `company.team`. It can't be changed."""
    key: Annotated[str, Field(pattern=KEY_PATTERN, max_length=200)]
    """The key. It can't be changed."""
    value: Any
    """The value: any JSON value. Dates and durations are ISO 8601 text."""
    description: Annotated[str, Field(max_length=1000)] | None = None
    """What the key is for."""
    expiration_date: datetime | None = None
    """When the key begins to count as absent and is deleted. Without a date the value stays."""


def key_value_name(namespace: str, key: str) -> str:
    """Name the resource in which Penstock keeps a key: one for each namespace and key."""
    return named_after(namespace, key, "kv")
