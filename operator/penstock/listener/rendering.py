"""Renders the properties of triggers where their secrets are: in the listener."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from penstock.expressions import Allowance, ExpressionError, Expressions, Host, spending
from penstock.listener.gateway import Assigned
from penstock.listener.source import SourceError
from penstock.triggers.kinds import SourceTrigger
from penstock.triggers.properties import TriggerProperties
from penstock.triggers.sources import source_type

SECRETS_VARIABLE = "PENSTOCK_LISTENER_SECRETS"
"""The variable with a map in JSON: of each Flow, the variable that holds each of its secrets."""
_SECONDS = 0.5
_CHARACTERS = 4 * 1024 * 1024
_LENIENT = {"lenient": True}
_MASK = "******"
_SHORTEST_MASKED = 4


class Secrets:
    """The secrets that the controller put into the environment, by Flow and name."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        places = json.loads(environment.get(SECRETS_VARIABLE) or "{}")
        self._places: Mapping[str, Mapping[str, str]] = places

    def get(
        self,
        flow: str,
        key: str,
        namespace: str | None = None,
        subkey: str | None = None,
    ) -> str:
        """Give a secret of a Flow, or a field of one that is JSON. Raises
        :class:`ExpressionError`."""
        name = key if namespace is None else f"{namespace}/{key}"
        variable = self._places.get(flow, {}).get(name)
        if variable is None:
            raise ExpressionError(
                f"secret('{key}'): the listener was not given it. It is given those that a "
                "trigger's properties name as text, once it was started anew for them"
            )
        value = self._environment.get(variable)
        if value is None:
            raise ExpressionError(
                f"secret('{key}'): its Kubernetes Secret, or the key in it, is missing: create "
                "it, then let `kubectl rollout restart deployment penstock-listener` start the "
                "listener anew"
            )
        if subkey is None:
            return value
        try:
            field = json.loads(value)[subkey]
        except (ValueError, LookupError, TypeError):
            raise ExpressionError(f"the secret '{key}' has no field '{subkey}'") from None
        return field if isinstance(field, str) else json.dumps(field)

    def masked(self, text: str) -> str:
        """Take the values of all secrets out of a text for people: what a library says of a failed
        connection may have the credential in it."""
        values = {
            self._environment.get(name, "") for of in self._places.values() for name in of.values()
        }
        parts = {part for value in values for part in (value, *value.splitlines())}
        for part in sorted(parts, key=len, reverse=True):
            if len(part.strip()) >= _SHORTEST_MASKED:
                text = text.replace(part, _MASK)
        return text


class Renderer:
    """Renders and reads the properties of triggers."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._language = Expressions()

    def read(self, assigned: Assigned) -> tuple[SourceTrigger, TriggerProperties]:
        """Give the type of a trigger and its properties, rendered. Raises :class:`SourceError`."""
        kind = source_type(assigned.type)
        if kind is None:
            raise SourceError(
                f"this listener does not know triggers of type {assigned.type}: its image is "
                "older than the gateway's, or lacks a package"
            )
        host = Host(functions={"secret": partial(self._secrets.get, assigned.flow)})
        allowance = Allowance(
            _SECONDS, _CHARACTERS, f"its properties take more than {_SECONDS:g} s", shared=True
        )
        given = dict(assigned.properties or {})
        later = {name: given.pop(name) for name in kind.rendered_later if name in given}
        try:
            with spending(allowance):
                variables = assigned.variables or {}
                rendered = self._language.evaluate_tree(given, variables, host)
        except ExpressionError as error:
            raise SourceError(f"its properties can't be rendered: {error}") from None
        try:
            return kind, kind.model.model_validate(rendered | later, context=_LENIENT)
        except ValidationError as error:
            raise SourceError("; ".join(map(_told, error.errors(include_input=False)))) from None


def _told(line: Any) -> str:
    """An error in words, without the value, which may be a secret."""
    place = ".".join(map(str, line["loc"]))
    return f"`{place}`: {line['msg']}" if place else str(line["msg"])
