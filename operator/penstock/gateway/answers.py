"""What the gateway answers: an Execution in Kestra's words, or what is wrong, always as JSON."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from penstock.gateway.limits import TooMany
from penstock.gateway.listeners import Listener
from penstock.gateway.waiting import has_ended
from penstock.kubernetes.api.client import ApiError, Object
from penstock.resources.execution import State
from penstock.triggers.webhook import Webhook

logger = logging.getLogger(__name__)

_OF_ETCD = ("request is too large", "message larger than max")
"""How the API server repeats what etcd, or the connection to it, says of an object too large."""
_SUCCEEDED = (State.SUCCESS, State.WARNING)


def problem(
    status: int, message: str, headers: Mapping[str, str] | None = None, **more: Any
) -> web.Response:
    """What is wrong with a call, in words for who sent it."""
    return web.json_response({"message": message, **more}, status=status, headers=headers)


def execution_answer(listener: Listener, execution: Object) -> web.Response:
    """The Execution that a call started. One that was waited for and has not ended is 202."""
    return web.json_response(execution_json(listener, execution))


def ended_answer(listener: Listener, webhook: Webhook, execution: Object) -> web.Response:
    """The answer to a call that waited for its Execution."""
    described = execution_json(listener, execution)
    if not has_ended(execution):
        return web.json_response(described, status=202)
    if not webhook.return_outputs:
        return web.json_response(described)
    status = execution.get("status") or {}
    if State(status["state"]) not in _SUCCEEDED:
        told = f"the execution {described['id']} ended {status['state']}"
        return problem(500, told, execution=described)
    return _outputs_answer(webhook, status.get("outputs") or {})


def _outputs_answer(webhook: Webhook, outputs: Mapping[str, Any]) -> web.Response:
    if webhook.response_content_type.partition(";")[0].strip().lower() != "text/plain":
        return web.json_response(outputs)
    values = list(outputs.values())
    if len(values) != 1 or not isinstance(values[0], str):
        told = "`responseContentType: text/plain` needs a flow with one output, which is text"
        return problem(500, told)
    return web.Response(text=values[0])


def execution_json(listener: Listener, execution: Object) -> dict[str, Any]:
    """An Execution as Kestra's API describes it to who calls a webhook."""
    meta, spec = execution["metadata"], execution["spec"]
    status = execution.get("status") or {}
    labels = {**(spec.get("labels") or {}), **(status.get("labels") or {})}
    trigger = spec["trigger"]
    described = {
        "tenantId": meta["namespace"],
        "id": meta["name"],
        "namespace": listener.flow.namespace,
        "flowId": listener.flow.id,
        "flowRevision": (status.get("flow") or {}).get("revision") or listener.revision,
        "trigger": {"id": trigger["id"], "type": trigger["type"]},
        "labels": [{"key": key, "value": value} for key, value in labels.items()],
        "state": {
            "current": status.get("state") or State.CREATED.value,
            "startDate": status.get("startDate") or meta.get("creationTimestamp"),
            "endDate": status.get("endDate"),
        },
        "outputs": status.get("outputs"),
    }
    described["state"] = {key: value for key, value in described["state"].items() if value}
    return {key: value for key, value in described.items() if value is not None}


def _is_too_large(error: ApiError) -> bool:
    """Whether an object is larger than the API server, or etcd behind it, takes."""
    return error.status == 413 or any(words in str(error) for words in _OF_ETCD)


@web.middleware
async def errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer what a handler raises before it began to answer. Nothing of the cluster is told."""
    try:
        return await handler(request)
    except TooMany as error:
        return problem(429, str(error), {"Retry-After": str(error.retry_after)})
    except web.HTTPException as error:
        if error.status < 400:
            raise
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return problem(error.status, error.reason, headers)
    except ApiError as error:
        logger.warning("%s: the API server answers %s: %s", request.method, error.status, error)
        if _is_too_large(error):
            return problem(413, "the call takes up more room than an Execution has")
        if error.is_over_quota:
            told = "the Kubernetes namespace has as many Executions as its quota allows"
            return problem(503, told, {"Retry-After": "30"})
        if error.transient:
            told = "the cluster does not take it now; try again"
            wait = str(int(error.retry_after) or 1)
            return problem(503, told, {"Retry-After": wait})
        return problem(500, "the cluster refuses it; the gateway's log says why")
    except Exception:
        logger.exception("%s failed", request.method)
        return problem(500, "the gateway made an error; its log says which")
