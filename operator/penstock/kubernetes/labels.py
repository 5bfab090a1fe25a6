"""The labels and annotations that Penstock writes. Nothing else is ever copied to its children:
copied labels of Argo CD, Helm or Flux would make those tools prune or fight over the objects.
"""

EXECUTION = "penstock.dev/execution"
EXECUTION_UID = "penstock.dev/execution-uid"
TASK = "penstock.dev/task"
TASK_RUN = "penstock.dev/task-run"
ATTEMPT = "penstock.dev/attempt"
FLOW = "penstock.dev/flow"
TRIGGER = "penstock.dev/trigger"
PARENT_UID = "penstock.dev/parent-uid"
"""On an execution that a task of another made: the uid of that one."""
MANAGED_BY = "app.kubernetes.io/managed-by"

SPEC_HASH = "penstock.dev/spec-hash"
TASK_ID = "penstock.dev/task-id"
VALUE = "penstock.dev/value"
START_WITHIN = "penstock.dev/start-within"
"""On a Job: how many seconds its pod may wait for its start, where the task says so."""
IGNORE_UPDATES = "argocd.argoproj.io/ignore-resource-updates"
EXECUTION_NAME = "penstock.dev/execution-name"
"""The whole name of the execution: a label value may be too short for it."""
