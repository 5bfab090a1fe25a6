"""What expressions of a Flow trigger see of the execution that it saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.flow.inputs import nest
from penstock.triggers.evaluation import Context, Upstream


def trigger_variables(upstream: Upstream) -> dict[str, Any]:
    """`trigger.…` of the execution that is started."""
    elsewhere = upstream.kubernetes_namespace
    return {
        **({} if elsewhere is None else {"kubernetesNamespace": elsewhere}),
        "executionId": upstream.id,
        "namespace": upstream.namespace,
        "flowId": upstream.flow_id,
        "flowRevision": upstream.revision,
        "state": upstream.state,
    }


def seen_by_conditions(
    context: Context, upstream: Upstream, outputs: Mapping[str, Any] | None = None
) -> Context:
    """What `conditions`, `preconditions`, `inputs` and `labels` see.

    `outputs` are those of its tasks, and `trigger.outputs` those of its flow, as in Kestra 1.x.
    """
    of_flow = upstream.outputs or {} if outputs is None else outputs
    return context.seeing(
        trigger={**trigger_variables(upstream), "outputs": of_flow},
        execution={"id": upstream.id, "state": upstream.state},
        labels=nest(upstream.labels),
        outputs=upstream.task_outputs,
    )


def seen_by_when(context: Context) -> Context:
    """What `when` sees: Kestra 2.0 names the properties of the execution at the top."""
    upstream = context.upstream
    assert upstream is not None
    return context.seeing(
        namespace=upstream.namespace,
        flowId=upstream.flow_id,
        state=upstream.state,
        labels=nest(upstream.labels),
        outputs=upstream.outputs or {},
        hasRetryAttempt=upstream.has_retry_attempt,
        kubernetesNamespace=upstream.kubernetes_namespace,
    )
