"""The places of secrets: in which Kubernetes Secret a flow's `secret('NAME')` stands.

Pure functions of names; no value is known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.engine.interface.secrets import SecretReference
from penstock.flow.loading import load_document
from penstock.flow.problems import InvalidFlow
from penstock.tasks.contract.task import TaskFailure

ANNOTATION = "penstock.dev/secrets"
"""The annotation of a Flow with a map in YAML or JSON, from a secret's name to
`kubernetes-secret/key`."""
DEFAULT_NAME = "penstock-secrets"

_SHOWN = 100
"""Characters of a wrong value that a message shows."""
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_SECRET = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True)
class SecretKey:
    """One value in a Kubernetes Secret."""

    name: str
    """The name of the Secret, in the namespace of the Flow."""
    key: str

    def __post_init__(self) -> None:
        if not _SECRET.fullmatch(self.name):
            raise ValueError(f"`{self.name[:_SHOWN]}` is not the name of a Secret")
        if not _KEY.fullmatch(self.key):
            raise ValueError(f"`{self.key[:_SHOWN]}` is not a key that a Secret can have")

    @classmethod
    def read(cls, value: Any) -> SecretKey:
        """Read `secret/key`, or a map of both. Raises ``ValueError``."""
        if isinstance(value, str) and value.count("/") == 1:
            return cls(*value.split("/"))
        if isinstance(value, Mapping) and set(value) == {"name", "key"}:
            return cls(str(value["name"]), str(value["key"]))
        shown = str(value)[:_SHOWN] if isinstance(value, (str, int, float)) else "a list or map"
        raise ValueError(f"`{shown}` does not name a key of a Secret; write `secret-name/key`")


@dataclass(frozen=True)
class SecretPlaces:
    """The places of a flow's secrets."""

    name: str = DEFAULT_NAME
    """The Secret of all secrets that are not mapped, each under its own name."""
    mapped: Mapping[str, SecretKey] = field(default_factory=dict)
    """Keys of Secrets by the secret's name; by `namespace/NAME` for one of another namespace of
    flows."""

    def with_annotation(self, text: str | None) -> SecretPlaces:
        """The places, overridden by those that a Flow's annotation names. Raises
        ``TaskFailure``."""
        if text is None:
            return self
        try:
            given = load_document(text).value
            if not isinstance(given, Mapping):
                raise ValueError("it must be a map from names to `secret-name/key`")
            own = {str(name): SecretKey.read(value) for name, value in given.items()}
        except (ValueError, InvalidFlow) as error:
            raise TaskFailure(f"the Flow's annotation {ANNOTATION}: {error}") from None
        return SecretPlaces(self.name, {**self.mapped, **own})

    def of(self, reference: SecretReference, namespace: str) -> SecretKey:
        """The place of a secret, for a flow of that namespace. Raises ``TaskFailure``."""
        if reference.kept is not None:
            return _key_of(reference.kept, reference.name)
        if reference.namespace not in (None, namespace):
            name = f"{reference.namespace}/{reference.name}"
            if name not in self.mapped:
                raise TaskFailure(
                    f"secret('{reference.name}', namespace='{reference.namespace}'): secrets are "
                    "kept by Kubernetes namespaces, not by those of flows; say where this one is "
                    f'with the Flow\'s annotation {ANNOTATION}: \'{{"{name}": "secret-name/key"}}\''
                )
            return self.mapped[name]
        if reference.name in self.mapped:
            return self.mapped[reference.name]
        try:
            return SecretKey(self.name, reference.name)
        except ValueError as error:
            raise TaskFailure(
                f"secret('{reference.name}'): {error}; say where it is with the Flow's annotation "
                f'{ANNOTATION}: \'{{"{reference.name}": "secret-name/key"}}\''
            ) from None


def _key_of(name: str, key: str) -> SecretKey:
    try:
        return SecretKey(name, key)
    except ValueError as error:
        raise TaskFailure(f"an input of type SECRET: {error}") from None
