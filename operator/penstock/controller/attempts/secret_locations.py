"""Where the secrets of an execution are, by the settings and its Flow. Names only: the controller
may not read Secrets.
"""

from __future__ import annotations

from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import find_flow
from penstock.controller.runtime.settings import SecretSettings
from penstock.kubernetes.api.client import Object
from penstock.kubernetes.secrets.locations import ANNOTATION, SecretKey, SecretPlaces
from penstock.resources.execution import FlowReference


class SecretLocations:
    """What the administrator says, and each Flow for itself."""

    def __init__(self, settings: SecretSettings, flows: ObjectStore) -> None:
        mapped = {name: SecretKey(place.name, place.key) for name, place in settings.map.items()}
        self._shared = SecretPlaces(settings.name, mapped)
        self._flows = flows

    def of(self, execution: Object) -> SecretPlaces:
        """The places for an execution, as its Flow has them now. Raises ``TaskFailure``."""
        reference = FlowReference.model_validate(execution["spec"]["flow"])
        flow = find_flow(self._flows, execution["metadata"]["namespace"], reference)
        return self._shared if flow is None else self.of_flow(flow)

    def of_flow(self, flow: Object) -> SecretPlaces:
        """The places for a Flow, as it has them now. Raises ``TaskFailure``."""
        annotations = flow["metadata"].get("annotations") or {}
        return self._shared.with_annotation(annotations.get(ANNOTATION))
