"""The labels and annotations of the Jobs and pods of attempts, and what is noted on other objects.

Nothing but labels of Penstock is ever copied to its children: copied labels of Argo CD, Helm or
Flux would make those tools prune or fight over the objects. What every object of Penstock has, and
an Execution, is in :mod:`penstock.resources.labels`.
"""

EXECUTION = "penstock.dev/execution"
EXECUTION_UID = "penstock.dev/execution-uid"
TASK = "penstock.dev/task"
TASK_RUN = "penstock.dev/task-run"
ATTEMPT = "penstock.dev/attempt"
CALLED_BY = "penstock.dev/called-by"
"""The controller's signature on an execution that a task of another made, which says so."""

DIRECTORY = "penstock.dev/working-directory"
"""Marks the Job and the pod of a WorkingDirectory, in which its tasks run one after the other."""
CONTAINER = "penstock.dev/container"
"""Names the attempt's container on what is shown of a pod that attempts share."""
SPEC_HASH = "penstock.dev/spec-hash"
TASK_ID = "penstock.dev/task-id"
VALUE = "penstock.dev/value"
START_WITHIN = "penstock.dev/start-within"
"""How many seconds the pod of a Job may wait for its start, where the task says so."""
TASK_CACHE = "penstock.dev/task-cache"
"""The key on a Job under which the outputs are kept for runs with the same properties."""
PAIRS = "penstock.dev/pairs"
"""The key-value pairs that the result of a task's pod may ask to be changed."""
APPLIED = "penstock.dev/applied"
"""The attempts whose change is in a KeyValue, as far as their end may not be recorded."""
PLANNED = "penstock.dev/planned"
"""What an attempt is about to delete, counted before and noted on its Execution."""
LIFT_QUARANTINE = "penstock.dev/lift-quarantine"
"""Lets an object that is quarantined be tried again, where it has another value than before."""
EXECUTION_NAME = "penstock.dev/execution-name"
"""The whole name of the execution: a label value may be too short for it."""
