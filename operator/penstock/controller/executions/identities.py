"""Who an execution is, for the engine: its object's metadata and spec, and what an administrator
lets expressions see."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from penstock.engine.interface.identity import Identity, identity_of
from penstock.kubernetes.api.client import Object
from penstock.resources.execution import ExecutionSpec


class Identities:
    """Tells the engine who an execution is."""

    def __init__(self, environment: Mapping[str, str], variables: Mapping[str, Any]) -> None:
        """``environment`` is what expressions see as `envs`, ``variables`` what they see as
        `globals`."""
        self._environment = environment
        self._variables = variables

    def of(self, execution: Object, spec: ExecutionSpec, revision: int) -> Identity:
        """Build the identity of an execution that runs a revision of its flow."""
        meta = execution["metadata"]
        return identity_of(
            meta["name"],
            meta["uid"],
            datetime.fromisoformat(meta["creationTimestamp"]),
            spec,
            revision,
            self._environment,
            self._variables,
        )
