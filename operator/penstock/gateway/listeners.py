"""What the gateway knows of a Flow: its webhooks, and what their expressions see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from random import Random
from typing import Any

from pydantic import ValidationError

from penstock.expressions import Allowance, Expressions, Host, spending
from penstock.flow.document import Trigger
from penstock.flow.plugin_defaults import apply_plugin_defaults
from penstock.kubernetes.api.client import Object
from penstock.resources.conditions import READY
from penstock.triggers.evaluation import Context, FlowName, Language
from penstock.triggers.webhook import TRIGGER, Hook, hooks_of

LENIENT_TRIGGER = {"lenient": True}
"""How an accepted trigger is read: plugin defaults may give it what its type does not know."""
SECONDS = 0.1
"""CPU that the expressions of one webhook may take together: others wait meanwhile."""
_CHARACTERS = 4 * 1024 * 1024
_MOST_COMPLETED = 200_000
"""Values that plugin defaults may become in the triggers of a flow. Each default stands once in the
file and may be put into many places, so few bytes may become many values."""


Wanted = Callable[[str], bool]
"""Tells of the name of a type of triggers whether it is one that matters."""


class Acceptance(Enum):
    """What the controller says of a Flow."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    PENDING = "pending"
    """The controller has not yet looked at the spec as it stands."""


def allowance() -> Allowance:
    """Make the allowance of the expressions of one call."""
    told = f"the expressions of a webhook take more than {SECONDS:g} s together"
    return Allowance(SECONDS, _CHARACTERS, told, shared=True)


@dataclass(frozen=True)
class Listener:
    """A flow that has webhooks, as the controller accepted it."""

    body: Object
    """The Flow, reduced."""
    flow: FlowName
    hooks: tuple[Hook, ...]
    variables: Mapping[str, Any]
    """What expressions see, but for `trigger`."""
    is_disabled: bool

    @property
    def revision(self) -> int:
        """The revision that the controller gave the spec."""
        return int((self.body.get("status") or {}).get("revision") or 1)


def acceptance_of(flow: Object) -> Acceptance:
    """Tell whether the controller has accepted the spec as it stands. Nothing else is served: it
    has checked each flow within bounds that do not exist here."""
    status = flow.get("status") or {}
    if status.get("observedGeneration") != flow["metadata"].get("generation"):
        return Acceptance.PENDING
    ready = any(
        item.get("type") == READY.type and item.get("status") == "True"
        for item in status.get("conditions") or ()
    )
    return Acceptance.ACCEPTED if ready else Acceptance.REFUSED


def is_webhook(type: str) -> bool:
    """Whether that is the name of the type of webhooks."""
    return TRIGGER.has_name(type)


def version_of(body: Object) -> str:
    """Tells one content of a Flow from another."""
    revision = (body.get("status") or {}).get("revision")
    return f"{body['metadata'].get('uid')}/{body['metadata'].get('generation')}/{revision}"


def has_triggers(flow: Object, is_wanted: Wanted = is_webhook) -> bool:
    """Whether a Flow may have triggers of these types. Never False for one that has."""
    return bool(_wanted_in(flow.get("spec") or {}, is_wanted))


def reduced(flow: Object, is_wanted: Wanted = is_webhook) -> Object:
    """Take of a Flow what its triggers of these types need."""
    meta, spec, status = flow["metadata"], flow.get("spec") or {}, flow.get("status") or {}
    wanted = ("id", "namespace", "disabled", "variables", "pluginDefaults", "taskDefaults")
    return {
        "metadata": {key: meta.get(key) for key in ("name", "namespace", "uid", "generation")},
        "spec": {key: spec[key] for key in wanted if spec.get(key)}
        | {"triggers": _wanted_in(spec, is_wanted)},
        "status": {"revision": status.get("revision")},
    }


def listener_of(flow: Object, language: Expressions) -> Listener:
    """Read the webhooks of a Flow, reduced, that the controller has accepted."""
    spec, meta = flow["spec"], flow["metadata"]
    name, variables = flow_name(flow), variables_of(flow)
    with spending(allowance()):
        # The keys are rendered once for each version of a Flow, and not for each call: whoever
        # knows no key must not be able to make this process work.
        hooks = hooks_of(triggers_of(spec), make_context(language, name, variables, meta["uid"]))
    return Listener(flow, name, hooks, variables, bool(spec.get("disabled")))


def flow_name(flow: Object) -> FlowName:
    """Tell what a Flow calls itself."""
    return FlowName(str(flow["spec"].get("namespace")), str(flow["spec"].get("id")))


def variables_of(flow: Object) -> dict[str, Any]:
    """Give what the expressions of a Flow's triggers see, whatever happens."""
    name, given = flow_name(flow), flow["spec"].get("variables")
    revision = (flow.get("status") or {}).get("revision")
    return {
        "flow": {"id": name.id, "namespace": name.namespace, "revision": revision},
        "vars": given if isinstance(given, dict) else {},
    }


def context_of(listener: Listener, language: Expressions, call: str) -> Context:
    """What the expressions of one call see."""
    seed = f"{listener.body['metadata']['uid']}/{call}"
    return make_context(language, listener.flow, listener.variables, seed)


def make_context(
    language: Expressions, name: FlowName, variables: Mapping[str, Any], seed: str
) -> Context:
    """Make what the expressions of a decision see. What they draw at random follows from a
    seed."""

    def host(at: datetime | None) -> Host:
        random = Random(seed)
        return Host(random=random) if at is None else Host(now=lambda: at, random=random)

    return Context(Language(language, host), variables, name)


def triggers_of(
    spec: Mapping[str, Any], name_today: Callable[[str], str | None] | None = None
) -> list[Trigger]:
    """The triggers of a reduced flow, with what plugin defaults give them; none where they are not
    such as the controller would have accepted. ``name_today`` tells the name of a type that has
    another one in the flow; that of webhooks where it is None."""
    wanted = ("triggers", "pluginDefaults", "taskDefaults")
    document = {key: spec[key] for key in wanted if key in spec}
    if not _is_small(document):
        return []
    merged = apply_plugin_defaults(document, name_today or _name_today)
    triggers = []
    for item in merged["triggers"]:
        try:
            triggers.append(Trigger.model_validate(item, context={}))
        except ValidationError:
            continue
    return triggers


def _wanted_in(spec: Mapping[str, Any], is_wanted: Wanted) -> list[Any]:
    """The triggers of these types, as they are written."""
    triggers = spec.get("triggers")
    return [
        item
        for item in (triggers if isinstance(triggers, list) else [])
        if isinstance(item, dict) and isinstance(item.get("type"), str) and is_wanted(item["type"])
    ]


def _name_today(name: str) -> str | None:
    is_old = TRIGGER.has_name(name) and name.lower() != TRIGGER.name.lower()
    return TRIGGER.name if is_old else None


def _is_small(document: Mapping[str, Any]) -> bool:
    """Whether plugin defaults make few values of these triggers: every default may come into every
    map that has a type, and into those that a default brings."""
    triggers = list(_values(document["triggers"]))
    defaults = list(_values([document.get("pluginDefaults"), document.get("taskDefaults")]))
    if not defaults:
        return True
    typed = sum(_has_type(item) for item in triggers)
    brought = sum(_has_type(item) for item in defaults)
    # Each default is itself a map with a type; what is more than these stands in their values.
    own = sum(len(document.get(key) or ()) for key in ("pluginDefaults", "taskDefaults"))
    nested = max(brought - own, 0)
    if nested > 3:
        return False
    repeated: int = (nested + 1) ** nested
    return len(triggers) + typed * len(defaults) * repeated <= _MOST_COMPLETED


def _has_type(value: Any) -> bool:
    return isinstance(value, dict) and "type" in value


def _values(value: Any) -> Iterator[Any]:
    """A value and all values in it."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        yield item
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
