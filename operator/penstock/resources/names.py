"""Names and label values that Kubernetes takes, whatever a flow's author called things."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from random import Random

_LABEL_VALUE = re.compile(r"^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$", re.ASCII)
_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_SUBDOMAIN_LENGTH = 253
_HASH_LENGTH = 16
_EXECUTION_PREFIX_LENGTH = 50
_GENERATED = "bcdfghjklmnpqrstvwxz2456789"
"""The characters that Kubernetes puts behind a `generateName`."""


def slug(text: str, length: int) -> str:
    """Make of a text lower-case letters, digits and single dashes; perhaps nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].strip("-")


def is_subdomain(text: str) -> bool:
    """Tell whether a text is a DNS subdomain, as the name of an object of nearly every kind is."""
    return len(text) <= _SUBDOMAIN_LENGTH and _SUBDOMAIN.fullmatch(text) is not None


def label_value(text: str) -> str:
    """Give the text itself where it may stand in a label, else a slug of it with a hash."""
    if _LABEL_VALUE.match(text) and not text.endswith("\n"):
        return text
    short = slug(text, 63 - _HASH_LENGTH - 1)
    return f"{short}-{short_hash(text)}" if short else short_hash(text)


def short_hash(*parts: object) -> str:
    """Hash the parts to 80 bits, written as 16 lower-case letters and digits."""
    text = json.dumps([str(part) for part in parts])
    raw = hashlib.sha256(text.encode()).digest()
    return base64.b32encode(raw).decode("ascii").lower()[:_HASH_LENGTH]


def execution_prefix(flow_id: str) -> str:
    """Tell how the names of a flow's executions begin."""
    return slug(flow_id, _EXECUTION_PREFIX_LENGTH) or "flow"


def generated_execution_name(flow_id: str, random: Random) -> str:
    """Name an execution as `generateName` would, with five characters drawn by chance."""
    return f"{execution_prefix(flow_id)}-{''.join(random.choice(_GENERATED) for _ in range(5))}"
