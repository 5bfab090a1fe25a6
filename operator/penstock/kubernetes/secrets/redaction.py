"""Takes texts out of an Execution's spec that are in a Secret by now. Pure functions.

The status says which: it is written once the Secrets exist. So the controller may be stopped at any
moment, and a repeated redaction changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from penstock.engine.interface.identity import control_secret
from penstock.engine.interface.secrets import key_reference
from penstock.kubernetes.api.client import Object

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which `kubectl apply` keeps the whole applied object as text."""


def hiding(body: Object) -> Object | None:
    """The patch that makes the spec of an Execution name its Secrets; None where it does so
    already."""
    meta, spec = body["metadata"], body.get("spec") or {}
    inputs, controls = _inputs(body), _controls(body)
    if not inputs and not controls:
        return None
    changed: dict[str, Any] = {"inputs": inputs} if inputs else {}
    if controls:
        changed["controls"] = [
            _hidden(item, controls[item["id"]]) | {"hidden": True}
            if item["id"] in controls
            else item
            for item in spec["controls"]
        ]
    # The version guards controls that others add meanwhile: the list is replaced as a whole.
    patched: dict[str, Any] = {"resourceVersion": meta["resourceVersion"]}
    applied = (meta.get("annotations") or {}).get(LAST_APPLIED)
    if applied is not None:
        patched["annotations"] = {LAST_APPLIED: _applied(applied, inputs, controls)}
    return {"metadata": patched, "spec": changed}


def _inputs(body: Object) -> dict[str, Any]:
    """The inputs of the spec that have to be replaced, with their new values."""
    given = (body.get("status") or {}).get("givenInputs") or {}
    written = (body.get("spec") or {}).get("inputs") or {}
    return {id: value for id, value in given.items() if written.get(id) != value}


def _controls(body: Object) -> dict[str, dict[str, Any]]:
    """The inputs of controls that have to be replaced, by the ids of the controls."""
    meta = body["metadata"]
    asked = (body.get("spec") or {}).get("controls") or ()
    shown = {control["id"] for control in asked if not control.get("hidden")}
    references = {}
    for result in (body.get("status") or {}).get("controls") or ():
        if result.get("secretInputs") and result["id"] in shown:
            secret = control_secret(meta["name"], meta["uid"], result["id"])
            references[result["id"]] = {
                id: key_reference(secret, id) for id in result["secretInputs"]
            }
    return references


def _hidden(control: Mapping[str, Any], references: Mapping[str, Any]) -> dict[str, Any]:
    """A control with references to Secrets in place of its inputs."""
    changed = dict(control)
    for wish in ("resume", "replay"):
        if isinstance(asked := control.get(wish), Mapping):
            changed[wish] = {**asked, "inputs": _in_place(asked.get("inputs"), references)}
    return changed


def _in_place(inputs: Any, references: Mapping[str, Any]) -> Any:
    if not isinstance(inputs, Mapping):
        return inputs
    return {id: references.get(id, value) for id, value in inputs.items()}


def _applied(
    text: str, inputs: Mapping[str, Any], controls: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """The annotation of `kubectl apply` without the texts; None, which removes it, where it can't
    be read."""
    try:
        applied = json.loads(text)
        spec = applied["spec"]
        if "inputs" in spec:
            spec["inputs"] = _in_place(spec["inputs"], inputs)
        if "controls" in spec:
            spec["controls"] = [
                _hidden(item, controls.get(item["id"], {})) for item in spec["controls"]
            ]
    except (ValueError, TypeError, KeyError):
        return None
    return json.dumps(applied, ensure_ascii=False, separators=(",", ":")) + "\n"
