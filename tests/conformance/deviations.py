"""The flows in which Penstock differs on purpose, each with its reason (docs/compatibility.md)."""

from __future__ import annotations

ENDS_OTHERWISE = {
    # No test of Kestra asserts the state. `taskrun.value` is read outside of any loop, and a
    # variable that is missing is an error.
    "disable-flowable.yaml": "FAILED",
    # Kestra's limit is that of a message with the whole execution in it. Here outputs are limited
    # by task, and inputs as a whole.
    "inputs-large.yaml#0": "SUCCESS",
    "inputs-large.yaml#1": "SUCCESS",
}
"""Runs that end otherwise than in Kestra, with their end."""

BEGINS_OTHERWISE = {
    # A replay is an execution of its own and begins as any other. What was restarted is the
    # execution that keeps its name.
    "each-parallel-nested.yaml#0": "CREATED",
    "each-sequential-nested.yaml#0": "CREATED",
    "each-sequential-nested.yaml#1": "CREATED",
    "logs.yaml#0": "CREATED",
}
"""Runs that pass through another state than in Kestra, with that state."""

TASK_RUNS_OTHERWISE = {
    # Both values of the loop may run at once. The first fails while it opens, and so the second is
    # not begun; Kestra begins both before it looks.
    "flowable-with-parent-fail.yaml": 3,
}
"""Runs with another number of task runs than in Kestra."""

NOT_RUN = {
    "http-listen.yaml": "a polling trigger: nothing polls in a local run",
}
"""Flows that need what a local run does not have."""
