"""The names of Kestra's states, also of those that Penstock never has: flows may list them."""

from __future__ import annotations

from typing import Literal

StateName = Literal[
    "CREATED", "SUBMITTED", "QUEUED", "RUNNING", "PAUSED", "RESTARTED", "KILLING", "RETRYING",
    "RETRIED", "BREAKPOINT", "RESUBMITTED", "SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED",
    "SKIPPED",
]  # fmt: skip

LISTENED: tuple[StateName, ...] = (
    "SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "RETRIED", "SKIPPED", "RESUBMITTED",
    "PAUSED",
)  # fmt: skip
"""What a Flow trigger without `states` listens to: every end, and PAUSED (since Kestra 0.23)."""

DEPENDED_ON: tuple[StateName, ...] = ("SUCCESS", "WARNING")
"""What meets an entry of `dependsOn` without `states`."""
