"""The Flows whose triggers a listener serves, by Kubernetes namespace."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from penstock.flow.document import Trigger
from penstock.gateway.listeners import (
    Acceptance,
    acceptance_of,
    flow_name,
    has_triggers,
    reduced,
    triggers_of,
    variables_of,
    version_of,
)
from penstock.gateway.news import News
from penstock.kubernetes.api.client import Object
from penstock.triggers.evaluation import FlowName
from penstock.triggers.registry import find
from penstock.triggers.sources import source_type

MOST_BYTES = 512 * 1024
"""Bytes of the Flows of one namespace, as JSON, of what their triggers need: a listener asks for
all of them together."""
TOO_MANY = (
    "the flows of this namespace that have triggers for the listener are too large together: more "
    f"than {MOST_BYTES // 1024} KiB of triggers, `variables` and `pluginDefaults`. This one is not "
    "listened for; move it to another namespace, or make them smaller"
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SourceFlow:
    """A Flow that has triggers for the listener, as it was seen last."""

    body: Object
    """The Flow, reduced."""
    version: str
    acceptance: Acceptance
    size: int

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def is_served(self) -> bool:
        """Whether the controller has accepted it, and it is not disabled."""
        return self.acceptance is Acceptance.ACCEPTED and not self.body["spec"].get("disabled")

    @property
    def flow(self) -> FlowName:
        """What the flow calls itself."""
        return flow_name(self.body)

    @property
    def variables(self) -> Mapping[str, Any]:
        """What expressions see, but for `trigger`."""
        return variables_of(self.body)

    @cached_property
    def triggers(self) -> Mapping[str, Trigger]:
        """The flow's triggers for the listener, by their ids."""
        return {item.id: item for item in triggers_of(self.body["spec"], _name_today)}


class SourceFlows:
    """Knows the Flows that listeners need."""

    def __init__(self) -> None:
        self.news = News()
        """Told of whatever changes."""
        self._known: dict[str, dict[str, SourceFlow]] = {}

    def of(self, namespace: str) -> list[tuple[SourceFlow, bool]]:
        """Give the Flows of a namespace by name, each with whether there is room for it."""
        told, size = [], 0
        for _, flow in sorted(self._known.get(namespace, {}).items()):
            if not flow.is_served:
                continue
            size += flow.size
            told.append((flow, size <= MOST_BYTES))
        return told

    def find(self, namespace: str, name: str) -> SourceFlow | None:
        """Give a Flow, whether it is served or not."""
        return self._known.get(namespace, {}).get(name)

    def seen(self, body: Object) -> None:
        """Take in a Flow as it is."""
        meta = body["metadata"]
        if not has_triggers(body, is_served):
            return self.removed(meta["namespace"], meta["name"])
        flow = _read(body)
        flows = self._known.setdefault(meta["namespace"], {})
        before = flows.get(flow.name)
        flows[flow.name] = flow
        if before is None or (before.version, before.acceptance) != (flow.version, flow.acceptance):
            self.news.tell()

    def removed(self, namespace: str, name: str) -> None:
        """Take in that a Flow is gone, or has no such triggers any more."""
        flows = self._known.get(namespace, {})
        if flows.pop(name, None) is not None:
            self.news.tell()
        if not flows:
            self._known.pop(namespace, None)


def is_served(type: str) -> bool:
    """Whether that is the name of a type that listeners serve."""
    return source_type(type) is not None


def _read(body: Object) -> SourceFlow:
    small = reduced(body, is_served)
    size = len(json.dumps(small))
    if size > MOST_BYTES:
        # Its triggers are told to be too many: their names are enough for that.
        spec = small["spec"]
        kept = ("id", "namespace", "disabled")
        named = [{key: item.get(key) for key in ("id", "type")} for item in spec["triggers"]]
        small["spec"] = {key: spec[key] for key in kept if key in spec} | {"triggers": named}
    return SourceFlow(small, version_of(body), acceptance_of(body), size)


def _name_today(name: str) -> str | None:
    known = find(name)
    return None if known is None or known.name.lower() == name.lower() else known.name
