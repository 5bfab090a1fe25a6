"""Where Penstock differs on purpose, each with its reason (docs/compatibility.md)."""

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

REFUSED = {
    # An expression that can't be compiled makes the flow invalid; Kestra finds it when it runs.
    "flowable-with-parent-fail.yaml": "expression",
}
"""Flows that Kestra accepts, by the code of the problem for which they are refused."""

ACCEPTED = {
    # Listeners were replaced by triggers long ago: they are told of in a warning and not looked at.
    "listener.yaml": "not_served",
}
"""Flows that Kestra refuses, by the code of the warning with which they are accepted."""

NOT_RUN = {
    "http-listen.yaml": "a polling trigger: nothing polls in a local run",
}
"""Flows that need what a local run does not have."""
