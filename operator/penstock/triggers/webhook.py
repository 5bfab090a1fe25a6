"""Webhook: a request with the right key starts an execution.

Pure: a request in, an answer out. The server and the execution are the caller's.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from penstock.flow.document import Trigger
from penstock.flow.model import is_expression
from penstock.flow.values import parse_json
from penstock.triggers.conditions.logic import MultipleCondition
from penstock.triggers.evaluation import ConditionError, Context
from penstock.triggers.firing import Firing, rendered_firing
from penstock.triggers.kinds import TriggerType
from penstock.triggers.properties import TriggerProperties, admits

WEBHOOK = "io.kestra.plugin.core.trigger.Webhook"
METHODS = ("GET", "POST", "PUT")


class Webhook(TriggerProperties):
    """Starts an execution when its address is called.

    ```yaml
    id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: a-long-text-that-nobody-guesses
    ```
    """

    key: Annotated[str, Field(min_length=1, max_length=256)]
    """The secret part of the address; may be an expression."""
    inputs: dict[str, Any] = {}
    """Inputs of the executions; expressions see `trigger.body`, `.headers`, `.parameters`."""
    wait: bool = False
    """Whether the answer waits for the end of the execution."""
    return_outputs: bool = False
    """Whether the answer is the outputs of the flow; needs `wait`."""
    response_content_type: str = "application/json"
    """`text/plain` answers with the one output as text."""

    @model_validator(mode="after")
    def _no_memory(self) -> Self:
        if any(isinstance(found, MultipleCondition) for _, found in self.located_conditions()):
            raise ValueError(
                "invalid webhook: conditions of type MultipleCondition are not supported"
            )
        return self


@dataclass(frozen=True)
class Request:
    """What came over HTTP."""

    method: str
    id: str
    """Tells the request from every other one, for ever: whoever received it drew it."""
    date: datetime
    """When it came."""
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parameters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of the query."""
    body: bytes = b""
    content_type: str | None = None


@dataclass(frozen=True)
class Answer:
    """What to do with a request."""

    status: int
    """200: start an execution; 204: a condition is not met; 404: wrong key; 405: wrong method."""
    trigger: Trigger | None = None
    webhook: Webhook | None = None
    firing: Firing | None = None
    """The execution to start, with 200."""
    error: str | None = None
    """A condition that can't be told, which counts as not met."""


def receive(triggers: Sequence[Trigger], key: str, request: Request, context: Context) -> Answer:
    """What a request with this key does to a flow with these triggers."""
    if request.method.upper() not in METHODS:
        return Answer(405)
    found = _find(triggers, key, context)
    if found is None:
        return Answer(404)
    trigger, webhook = found
    variables = request_variables(request)
    seeing = context.seeing(trigger=variables)
    try:
        if not admits(webhook, seeing):
            return Answer(204, trigger, webhook)
    except ConditionError as error:
        return Answer(204, trigger, webhook, error=str(error))
    firing = rendered_firing(
        request.id, variables, webhook.inputs, webhook.labels, seeing, request.date
    )
    return Answer(200, trigger, webhook, firing)


def _find(
    triggers: Sequence[Trigger], key: str, context: Context
) -> tuple[Trigger, Webhook] | None:
    """The first enabled webhook of that key; all are compared, each in constant time."""
    found = None
    for trigger in triggers:
        if trigger.disabled or not TRIGGER.has_name(trigger.type):
            continue
        try:
            webhook = Webhook.model_validate(trigger.properties)
        except ValidationError:
            continue
        expected = _key(webhook, trigger, context).encode()
        if hmac.compare_digest(expected, key.encode()) and expected and found is None:
            found = trigger, webhook
    return found


def _key(webhook: Webhook, trigger: Trigger, context: Context) -> str:
    """The key as text; one that can't be rendered opens nothing."""
    if not is_expression(webhook.key):
        return webhook.key
    try:
        value = context.seeing(trigger={"id": trigger.id, "type": trigger.type}).value(webhook.key)
    except ConditionError:
        return ""
    return "" if value is None else str(value)


def request_variables(request: Request) -> dict[str, Any]:
    """`trigger.…`: the body as JSON where it is an object or an array, else as text."""
    return {
        "body": _body(request),
        "headers": {name: list(values) for name, values in request.headers.items()},
        "parameters": {name: list(values) for name, values in request.parameters.items()},
    }


def _body(request: Request) -> Any:
    if not request.body:
        return None
    text = _decoded(request.body, request.content_type)
    try:
        value = parse_json(text)
    except ValueError:
        return text
    return value if isinstance(value, dict | list) else text


def _decoded(body: bytes, content_type: str | None) -> str:
    _, _, charset = (content_type or "").lower().partition("charset=")
    try:
        return body.decode(charset.partition(";")[0].strip(" \"'") or "utf-8", errors="replace")
    except LookupError:
        return body.decode("utf-8", errors="replace")


TRIGGER = TriggerType(WEBHOOK, Webhook, ("io.kestra.core.models.triggers.types.Webhook",))
