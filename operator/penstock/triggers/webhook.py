"""Webhook: a request with the right key starts an execution.

Pure: a request in, an answer out. The server and the execution are the caller's.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from penstock.expressions.registry import HOST_FUNCTIONS
from penstock.flow.document import Trigger
from penstock.flow.model import is_expression
from penstock.flow.problems import Location
from penstock.triggers.conditions.logic import MultipleCondition
from penstock.triggers.evaluation import ConditionError, Context
from penstock.triggers.firing import Firing, rendered_firing
from penstock.triggers.kinds import RequestTrigger
from penstock.triggers.properties import TriggerProperties, admits
from penstock.triggers.webhook_request import (
    Request,
    delivery_of,
    kept_variables,
    request_variables,
)
from penstock.triggers.webhook_signature import Signature, challenge_of, wrong_with

WEBHOOK = "io.kestra.plugin.core.trigger.Webhook"
METHODS = ("GET", "POST", "PUT")

LENIENT = {"lenient": True}
"""How an accepted trigger is read: plugin defaults may give it what its type does not know."""
_OPENING = re.compile(r"\{\{|\{%")
_CLOSING = re.compile(r"\}\}|%\}")
_READS = re.compile(rf"(?<![\w.])({'|'.join(sorted(HOST_FUNCTIONS))})\s*\(")


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
    signature: Signature | None = None
    """How the sender signs what it sends; what is not signed so starts nothing."""
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

    @property
    def not_served(self) -> str | None:
        """Why the trigger can't be served: what receives requests reads nothing but Flows."""
        known = [("key", self.key)]
        known += [] if self.signature is None else [("signature.secret", self.signature.secret)]
        for name, template in known:
            if "secret" in _functions_in(template):
                return (
                    f"`{name}` is a secret(), which what receives webhooks may not read: the "
                    "trigger is not served. Write the text itself, which whoever reads the Flow "
                    "sees then"
                )
        for name, field in type(self).model_fields.items():
            found = next(_functions_in(getattr(self, name)), None)
            if found is not None and name != "labels":
                return (
                    f"`{field.alias or name}` calls {found}(), which what receives webhooks may "
                    "not do: the trigger is not served. Call it in a task"
                )
        return super().not_served

    def without_effect(self) -> Iterator[tuple[Location, str]]:
        if self.return_outputs and not self.wait:
            yield ("returnOutputs",), "has no effect without `wait: true`"


def _functions_in(value: Any) -> Iterator[str]:
    """The functions that read something, in all expressions of a value."""
    if isinstance(value, BaseModel):
        value = [item for _, item in value]
    elif isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _functions_in(item)
    elif isinstance(value, str) and is_expression(value):
        for rest in _OPENING.split(value)[1:]:
            yield from _READS.findall(_CLOSING.split(rest, 1)[0])


def _by_its_flow(trigger: Trigger) -> bool:
    return not trigger.disabled


@dataclass(frozen=True)
class Hook:
    """A webhook of a flow that is served, with its secrets in plain text."""

    trigger: Trigger
    webhook: Webhook
    key: str
    """Empty where it can't be rendered: it opens nothing then."""
    secret: str
    """The secret of the signature; empty where there is none, or it can't be rendered."""


@dataclass(frozen=True)
class Answer:
    """What to do with a request."""

    status: int
    """200: start an execution, where there is a firing; 204: a condition is not met; 401: the
    signature is missing or wrong; 404: wrong key; 405: wrong method; 422: the inputs can't be
    rendered."""
    trigger: Trigger | None = None
    webhook: Webhook | None = None
    firing: Firing | None = None
    """The execution to start, with 200."""
    text: str | None = None
    """What to answer with 200 where nothing starts."""
    error: str | None = None
    """A condition that can't be told, which counts as not met; or what else is wrong."""


def receive(triggers: Sequence[Trigger], key: str, request: Request, context: Context) -> Answer:
    """What a request with this key does to a flow with these triggers."""
    if request.method.upper() not in METHODS:
        return Answer(405)
    hook = opened(hooks_of(triggers, context), key)
    return Answer(404) if hook is None else answer(hook, request, context)


def hooks_of(triggers: Sequence[Trigger], context: Context) -> tuple[Hook, ...]:
    """The webhooks among triggers that are served, enabled or not, in their order."""
    hooks = []
    for trigger in triggers:
        if not TRIGGER.has_name(trigger.type):
            continue
        try:
            webhook = Webhook.model_validate(trigger.properties, context=LENIENT)
        except ValidationError:
            continue
        if webhook.not_served is None:
            secret = "" if webhook.signature is None else webhook.signature.secret
            keys = (_rendered(text, trigger, context) for text in (webhook.key, secret))
            hooks.append(Hook(trigger, webhook, *keys))
    return tuple(hooks)


def opened(
    hooks: Sequence[Hook], key: str, is_enabled: Callable[[Trigger], bool] = _by_its_flow
) -> Hook | None:
    """The first webhook of that key that is enabled; all are compared, each in constant time."""
    found = None
    for hook in hooks:
        is_same = hmac.compare_digest(_bytes(hook.key), _bytes(key))
        if is_same and hook.key and found is None and is_enabled(hook.trigger):
            found = hook
    return found


def answer(hook: Hook, request: Request, context: Context) -> Answer:
    """What a request does that has the key of a webhook."""
    trigger, webhook = hook.trigger, hook.webhook
    signature = webhook.signature
    if signature is not None:
        wrong = wrong_with(signature, hook.secret, request)
        if wrong is not None:
            return Answer(401, trigger, webhook, error=wrong)
    variables = request_variables(request)
    if signature is not None:
        challenge = challenge_of(signature, variables["body"])
        if challenge is not None:
            return Answer(200, trigger, webhook, text=challenge)
    seeing = context.seeing(trigger=variables)
    try:
        if not admits(webhook, seeing):
            return Answer(204, trigger, webhook)
    except ConditionError as error:
        return Answer(204, trigger, webhook, error=str(error))
    key = firing_key(hook, request, variables["body"])
    kept = kept_variables(variables)
    firing = rendered_firing(key, kept, webhook.inputs, webhook.labels, seeing, request.date)
    if not firing.has_inputs:
        return Answer(422, trigger, webhook, error="; ".join(firing.problems))
    return Answer(200, trigger, webhook, firing)


def firing_key(hook: Hook, request: Request, body: Any) -> str:
    """What tells the execution of a request from those of all others."""
    signature = hook.webhook.signature
    told = None if signature is None else signature.delivery_field
    return delivery_of(request, body, told) or request.id


def _rendered(template: str, trigger: Trigger, context: Context) -> str:
    """A text that may be an expression; empty where it can't be rendered."""
    if not is_expression(template):
        return template
    try:
        value = context.seeing(trigger={"id": trigger.id, "type": trigger.type}).value(template)
    except ConditionError:
        return ""
    return "" if value is None else str(value)


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


TRIGGER = RequestTrigger(
    WEBHOOK, Webhook, ("io.kestra.core.models.triggers.types.Webhook",), served=True
)
