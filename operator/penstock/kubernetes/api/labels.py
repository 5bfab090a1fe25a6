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
"""On an execution that a task of another made: the controller's signature that this is so."""

DIRECTORY = "penstock.dev/working-directory"
"""On the Job and the pod of a WorkingDirectory, in which its tasks run one after the other."""
CONTAINER = "penstock.dev/container"
"""On what is shown of a pod that attempts share: which container is the attempt's."""
SPEC_HASH = "penstock.dev/spec-hash"
TASK_ID = "penstock.dev/task-id"
VALUE = "penstock.dev/value"
START_WITHIN = "penstock.dev/start-within"
"""On a Job: how many seconds its pod may wait for its start, where the task says so."""
TASK_CACHE = "penstock.dev/task-cache"
"""On a Job: under what the outputs are kept for runs with the same properties."""
PAIRS = "penstock.dev/pairs"
"""On a task's pod: the key-value pairs that its result may ask to be changed."""
APPLIED = "penstock.dev/applied"
"""On a KeyValue: the attempts whose change is in it, as far as their end may not be recorded."""
PLANNED = "penstock.dev/planned"
"""On an Execution: what the attempt that it names is about to delete, counted before."""
LIFT_QUARANTINE = "penstock.dev/lift-quarantine"
"""On an object that is quarantined: another value than before lets it be tried again."""
EXECUTION_NAME = "penstock.dev/execution-name"
"""The whole name of the execution: a label value may be too short for it."""
