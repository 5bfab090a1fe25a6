"""The CustomResourceDefinitions: names, columns and rules around the schemas of the models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.resources import GROUP, VERSION
from penstock.resources.execution import ExecutionSpec, ExecutionStatus
from penstock.resources.flow import FlowStatus
from penstock.resources.gitsource import (
    INTERVAL_TOO_SHORT,
    LONGEST_TIMEOUT,
    SHORTEST_INTERVAL,
    TIMEOUT_TOO_LONG,
    GitSourceSpec,
    GitSourceStatus,
)
from penstock.resources.keyvalue import KeyValueSpec
from penstock.resources.trigger_state import TriggerStateSpec, TriggerStateStatus
from penstock.schema.flow_spec import flow_spec
from penstock.schema.structural import Schema, structural

_READY = '.status.conditions[?(@.type=="Ready")]'


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False
    """Whether the column is shown with `-o wide` only."""
    description: str = ""

    def to_json(self) -> dict[str, Any]:
        column: dict[str, Any] = {"name": self.name, "type": self.type, "jsonPath": self.path}
        if self.description:
            column["description"] = self.description
        return column | ({"priority": 1} if self.wide else {})


@dataclass(frozen=True)
class Kind:
    """One kind of resource."""

    kind: str
    plural: str
    short_names: tuple[str, ...]
    description: str
    spec: Schema
    status: Schema | None
    """The model of the status; None for a kind that has none, as a ConfigMap."""
    columns: Sequence[Column]
    selectable: Sequence[str] = ()
    """The fields that `--field-selector` takes."""
    rules: Sequence[tuple[str, str]] = ()
    """The rules for the object as a whole."""

    @property
    def file_name(self) -> str:
        return f"{GROUP}_{self.plural}.yaml"


_AGE = Column("Age", ".metadata.creationTimestamp", "date")


def kinds() -> list[Kind]:
    """The kinds of `penstock.dev/v1alpha1`."""
    return [_execution(), _flow(), _trigger_state(), _git_source(), _key_value()]


def _flow() -> Kind:
    return Kind(
        kind="Flow",
        plural="flows",
        short_names=("flw",),
        description="A flow: its spec is the flow document, its status says whether it is armed.",
        spec=flow_spec(),
        status=structural(FlowStatus),
        columns=[
            Column("Flow", ".spec.id"),
            Column("Flow-Namespace", ".spec.namespace"),
            Column("Revision", ".status.revision", "integer"),
            Column("Ready", f"{_READY}.status"),
            Column("Reason", f"{_READY}.reason"),
            # Not of type date: kubectl writes a date in the future as <invalid>.
            Column("Next", ".status.nextDate", description="When a schedule starts it next."),
            Column("Last", ".status.lastExecution.state"),
            _AGE,
            Column("Message", f"{_READY}.message", wide=True),
        ],
    )


def _execution() -> Kind:
    spec = structural(ExecutionSpec)
    spec["properties"]["flow"] |= _rules(
        (
            "has(self.name) || (has(self.__namespace__) && has(self.id))",
            "name the flow by its `namespace` and `id`, or by the `name` of its Flow",
        ),
        (
            "!(has(self.name) && (has(self.__namespace__) || has(self.id)))",
            "name the flow either by `namespace` and `id`, or by `name`, not by both",
        ),
    )
    spec |= _rules(*(_fixed(name) for name in _FIXED))
    _restrict_controls(spec["properties"]["controls"])
    return Kind(
        kind="Execution",
        plural="executions",
        short_names=("ex", "fex"),
        description="One run of a flow: what was asked for, and all that came of it.",
        spec=spec,
        status=structural(ExecutionStatus),
        columns=[
            Column("Flow", ".status.flow.id"),
            Column("State", ".status.state"),
            Column("Progress", ".status.progress", description="Ended and known task runs."),
            Column("Trigger", ".status.trigger"),
            Column("Duration", ".status.duration"),
            _AGE,
            Column("Flow-Namespace", ".status.flow.namespace", wide=True),
            Column("Revision", ".status.flow.revision", "integer", wide=True),
            Column("Message", ".status.message", wide=True),
        ],
        selectable=[".spec.flow.id", ".spec.flow.namespace", ".status.state"],
        rules=[_INPUTS_FIXED],
    )


_FIXED = (
    "flow", "trigger", "scheduleDate", "breakpoints", "replay", "retry", "parent",
)  # fmt: skip
"""The properties of the spec that are fixed once an Execution exists."""
_INPUTS_FIXED = (
    "has(self.spec.inputs) == has(oldSelf.spec.inputs) && (!has(self.spec.inputs) || "
    "self.spec.inputs == oldSelf.spec.inputs || (has(self.status) && "
    "has(self.status.givenInputs) && "
    "dyn(self.spec.inputs) == dyn(self.status.givenInputs)))",
    "`inputs` can't be changed once the execution exists: create another one",
)
"""The rule that inputs are fixed: only the values that the controller wrote into the status may
replace them, which no longer show the texts of secrets. (Of fields that no schema names, the API
server's `==` compares their number, and the values of those that both sides have: it takes one name
for another. A running execution has its inputs from the status.)"""


def _restrict_controls(controls: Schema) -> None:
    """Add the rules for controls: each is one wish, known by its id. It may be removed, but never
    changed."""
    controls |= {
        "maxItems": 100,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["id"],
    }
    properties = controls["items"]["properties"]
    wishes = [name for name in properties if name not in ("id", "hidden")]
    for flag in (item for item in properties.values() if item.get("type") == "boolean"):
        flag["enum"] = [True]
    given = ", ".join(f"has(self.{wish})" for wish in wishes)
    controls["items"] |= _rules(
        (
            f"[{given}].filter(given, given).size() == 1",
            f"a control has exactly one of {', '.join(wishes)} beside its `id`",
        ),
        (
            f"self == oldSelf || ({_hides_inputs(properties)})",
            "a control can't be changed: add another one with an `id` of its own",
        ),
    )


def _hides_inputs(properties: Schema) -> str:
    """The rule that lets a control hide its inputs, once, with all else unchanged."""
    wishes = {name: properties[name]["properties"] for name in ("resume", "replay")}
    assert all("inputs" in fields for fields in wishes.values())
    same = [f"has(self.{wish}) == has(oldSelf.{wish})" for wish in wishes]
    by_type: dict[str, list[str]] = {}
    for wish, fields in wishes.items():
        for name, field in fields.items():
            if name != "inputs":
                by_type.setdefault(field["type"], []).append(f".?{wish}.?{name}")
    # Compared as lists, whose elements have one type: compared text by text, the API server refuses
    # the rule as too costly.
    for paths in by_type.values():
        now, before = (", ".join(of + path for path in paths) for of in ("self", "oldSelf"))
        same.append(f"[{now}] == [{before}]")
    given = " || ".join(f"has(self.{wish})" for wish in wishes)
    return " && ".join(["has(self.hidden)", "!has(oldSelf.hidden)", f"({given})", *same])


def _git_source() -> Kind:
    spec = structural(GitSourceSpec, defaults=True)
    properties = spec["properties"]
    properties["ref"] |= _rules(
        (
            "[has(self.branch), has(self.tag), has(self.commit)].filter(given, given).size() <= 1",
            "give at most one of `branch`, `tag` and `commit`",
        )
    )
    properties["interval"] |= _rules(
        (f"duration(self) >= duration('{SHORTEST_INTERVAL}')", INTERVAL_TOO_SHORT)
    )
    properties["timeout"] |= _rules(
        (f"duration(self) <= duration('{LONGEST_TIMEOUT}')", TIMEOUT_TOO_LONG)
    )
    properties["path"] |= _rules(
        ("!self.startsWith('/')", "the path starts at the top of the repository: no leading `/`"),
        ("!self.split('/').exists(part, part == '..')", "the path must not contain `..`"),
    )
    return Kind(
        kind="GitSource",
        plural="gitsources",
        short_names=("gits",),
        description="A folder of a Git repository whose files become Flows.",
        spec=spec,
        status=structural(GitSourceStatus),
        columns=[
            Column("URL", ".spec.url"),
            Column("Commit", ".status.appliedCommit"),
            Column("Flows", ".status.flows", "integer"),
            Column("Failed", ".status.failed", "integer"),
            Column("Ready", f"{_READY}.status"),
            _AGE,
            Column("Branch", ".spec.ref.branch", wide=True),
            Column("Message", f"{_READY}.message", wide=True),
        ],
    )


def _trigger_state() -> Kind:
    spec = structural(TriggerStateSpec)
    for name in ("flow", "trigger"):
        spec["properties"][name] |= _rules(
            ("self == oldSelf", f"`{name}` can't be changed: the controller makes a TriggerState")
        )
    backfill = spec["properties"]["backfill"]
    backfill |= _rules(
        ("!has(self.end) || self.start <= self.end", "`end` must not come before `start`"),
        ("self.start >= timestamp('1970-01-01T00:00:00Z')", "`start` must not be before 1970"),
    )
    backfill["properties"]["labels"] |= {"maxProperties": 100} | _rules(
        (
            "self.all(key, !key.startsWith('system.'))",
            "labels that begin with `system.` are set by Penstock alone",
        )
    )
    return Kind(
        kind="TriggerState",
        plural="triggerstates",
        short_names=("triggers", "trigger"),
        description="A trigger of a Flow: whether it is enabled, and what it did last and does "
        "next. The controller makes it.",
        spec=spec,
        status=structural(TriggerStateStatus),
        columns=[
            Column("Flow", ".spec.flow"),
            Column("Type", ".status.type"),
            Column("State", ".status.state"),
            # Not of type date: kubectl writes a date in the future as <invalid>.
            Column("Last", ".status.lastDate", description="Up to when Executions were made."),
            Column("Next", ".status.nextDate", description="When it starts one next."),
            _AGE,
            Column("Trigger", ".spec.trigger", wide=True),
            Column("Backfill", ".status.backfill.state", wide=True),
            Column("Message", ".status.message", wide=True),
        ],
        selectable=[".spec.flow", ".spec.trigger", ".status.state"],
    )


def _key_value() -> Kind:
    spec = structural(KeyValueSpec)
    # The API server removes a null from a field that is not nullable, and here null is a value.
    spec["properties"]["value"]["nullable"] = True
    for name in ("namespace", "key"):
        spec["properties"][name] |= _rules(
            ("self == oldSelf", f"`{name}` can't be changed: make another KeyValue")
        )
    return Kind(
        kind="KeyValue",
        plural="keyvalues",
        short_names=("kv",),
        description="A value under a key of a flow namespace, which flows read and change.",
        spec=spec,
        status=None,
        columns=[
            Column("Flow-Namespace", ".spec.namespace"),
            Column("Key", ".spec.key"),
            # Not of type date: kubectl writes a date in the future as <invalid>.
            Column("Expires", ".spec.expirationDate"),
            _AGE,
            Column("Description", ".spec.description", wide=True),
            Column("Value", ".spec.value", wide=True),
        ],
        selectable=[".spec.namespace", ".spec.key"],
    )


def _rules(*rules: tuple[str, str]) -> Schema:
    return {
        "x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]
    }


def _fixed(name: str) -> tuple[str, str]:
    """The rule and its message for a property that can't be changed, added or removed once the
    object exists."""
    same = f"!has(self.{name}) || self.{name} == oldSelf.{name}"
    return (
        f"has(self.{name}) == has(oldSelf.{name}) && ({same})",
        f"`{name}` can't be changed once the execution exists: create another one",
    )


def definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of one kind."""
    properties: Schema = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": kind.spec,
    }
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [column.to_json() for column in kind.columns],
        "schema": {
            "openAPIV3Schema": {
                "description": kind.description,
                "type": "object",
                "required": ["spec"],
                "properties": properties,
                **(_rules(*kind.rules) if kind.rules else {}),
            }
        },
    }
    if kind.status is not None:
        # kstatus takes an object without conditions for ready; -1 says that no controller looked at
        # it.
        kind.status["properties"]["observedGeneration"]["default"] = -1
        properties["status"] = {"default": {"observedGeneration": -1}} | kind.status
        version["subresources"] = {"status": {}}
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{GROUP}",
            # Flux would replace `${…}` in the descriptions by its own variables.
            "annotations": {"kustomize.toolkit.fluxcd.io/substitute": "disabled"},
            "labels": {"app.kubernetes.io/part-of": "penstock"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [*kind.short_names],
                "categories": ["penstock"],
            },
            "versions": [version],
        },
    }
