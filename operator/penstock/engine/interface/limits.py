"""Bounds on what one execution may ask for, so that no flow can harm the others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Sane defaults; an administrator may change them."""

    task_runs: int = 50_000
    """Task runs of one execution."""
    loop_values: int = 10_000
    """Values of one loop."""
    values_bytes: int = 1024 * 1024
    """Size of the values of one loop; they are kept beside the status."""
    under_way: int = 500
    """Task runs that do work at once; further branches of the flow wait to begin. All that is open
    stands in the status, which has 256 KiB."""
    starts: int = 500
    """Task runs that one decision starts: the next one follows at once. A decision holds up all
    others for a tenth of a second then, not for seconds."""
    attempts: int = 1_000
    """Attempts of one task run, whatever its retry says."""
    set_bytes: int = 64 * 1024
    """Size of all labels, and of all variables, that tasks set; they stand in the status."""
    children: int = 100
    """Executions that one task has running at once."""
    depth: int = 20
    """How deep executions may be nested."""
    lost_attempts: int = 3
    """How often a task that was lost with its node is run again by itself; 0 to fail at once."""
