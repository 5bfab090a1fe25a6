"""The labels and annotations of whatever Penstock makes, and of Executions before all.

Those of Jobs and pods are in :mod:`penstock.kubernetes.api.labels`.
"""

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "penstock"
"""The value of `MANAGED_BY` on everything that Penstock makes."""
IGNORE_UPDATES = "argocd.argoproj.io/ignore-resource-updates"
FLOW = "penstock.dev/flow"
"""The name of the Flow, where it is known."""
TRIGGER = "penstock.dev/trigger"
"""Label of an Execution that a trigger made: a hash of the trigger's id."""
PARENT_UID = "penstock.dev/parent-uid"
"""Label of an Execution that a task of another made: the uid of that one."""
BACKFILL = "penstock.dev/backfill"
"""Label of an Execution that a backfill made: the id of the backfill."""
