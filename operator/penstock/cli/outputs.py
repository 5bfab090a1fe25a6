"""`penstock outputs`: what an Execution in the cluster gave back, large outputs included."""

from __future__ import annotations

import json

from penstock.cli.cluster import read_execution
from penstock.cli.errors import OK, UserError
from penstock.cli.terminal import echo
from penstock.engine.state.task_run_index import TaskRunIndex


def print_outputs(execution: str, namespace: str | None, task: str | None) -> int:
    """Print the outputs as JSON, and return the exit code."""
    whole = read_execution(execution, namespace)
    found = TaskRunIndex(whole.status.task_runs).visible_outputs()
    if task is not None:
        if task not in found:
            known = f"; there are outputs of {', '.join(found)}" if found else ""
            raise UserError(f"the execution has no outputs of a task `{task}`{known}")
        found = found[task]
    echo(json.dumps(found, indent=2, ensure_ascii=False))
    return OK
