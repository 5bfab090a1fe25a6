"""Secrets in the properties of an attempt: named here, read only in its pod.

`secret('NAME')` gives a *token*. Where the rendered text has it as it is, the text stays like that,
and whoever runs the attempt puts the value in its place. Where an expression would have to look at
the value (a filter, a comparison), the whole text is *deferred*: one token stands for it, and with
the attempt goes what is needed to render it where the value is known.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from penstock.expressions import ExpressionError
from penstock.flow.inputs import Input

REFUSED = (
    "a secret can't be read here: the controller knows no `secret()` and no input of type SECRET. "
    "Use it in the properties of a task that runs in a pod, such as a script or an http.Request; "
    "to decide by it, let a script decide, and use its outputs"
)


@dataclass(frozen=True)
class SecretReference:
    """A secret by its name."""

    name: str
    namespace: str | None = None
    """The flow's namespace that was named; None where none was."""
    kept: str | None = None
    """The Kubernetes Secret, where it is known already; `name` is the key in it then."""


@dataclass(frozen=True)
class Answer:
    """What a function that reads something answers: the pod can't ask."""

    name: str
    args: tuple[Any, ...]
    named: Mapping[str, Any]
    value: Any = None
    error: str | None = None
    """Why there is no value."""


@dataclass(frozen=True)
class Deferred:
    """A text that is rendered where the secrets are known."""

    template: str
    typed: bool
    """Whether a single expression keeps its type."""
    variables: Mapping[str, Any]
    answers: tuple[Answer, ...]
    seed: str
    """The seed of what is random."""


@dataclass(frozen=True)
class Secrets:
    """The secrets of one attempt."""

    mark: str = ""
    """The text with which every token begins."""
    namespace: str = ""
    """The namespace of the flow."""
    plain: Mapping[str, SecretReference] = field(default_factory=dict)
    """The secret for which each token stands."""
    deferred: Mapping[str, Deferred] = field(default_factory=dict)
    """The text for which each token stands, where a secret is a part of it."""
    needed: tuple[SecretReference, ...] = ()
    """The secrets that were read, each once."""
    possible: tuple[SecretReference, ...] = ()
    """The secrets that a deferred text may read besides."""
    date: datetime | None = None
    """What `now()` is in a deferred text."""

    def __bool__(self) -> bool:
        return bool(self.needed)

    def beside(self, other: Secrets) -> Secrets:
        """Put together the secrets of two texts that one pod is given."""
        if not other or not self:
            return self or other
        return replace(
            self,
            plain={**self.plain, **other.plain},
            deferred={**self.deferred, **other.deferred},
            needed=tuple(dict.fromkeys((*self.needed, *other.needed))),
            possible=tuple(dict.fromkeys((*self.possible, *other.possible))),
        )

    def told(self, text: str) -> str:
        """Take the tokens out of a message, as nobody may see them."""
        for token, reference in self.plain.items():
            text = text.replace(token, f"secret('{reference.name}')")
        for token, deferred in self.deferred.items():
            text = text.replace(token, deferred.template)
        return text


NO_SECRETS = Secrets()

_ONLY_A_SECRET = re.compile(r"""\{\{-?\s*secret\(\s*(['"])([^'"]+)\1\s*\)\s*-?\}\}""")


@dataclass(frozen=True)
class AskedSecrets:
    """The inputs of type SECRET for which a task asks a person."""

    output: str
    """The output of the task in which the answers stand."""
    ids: frozenset[str]


class SecretInputs:
    """The inputs of type SECRET of one execution, and of the people whom its tasks ask: its status
    has references in their place."""

    def __init__(
        self,
        uid: str,
        declared: Sequence[Input],
        inputs: Mapping[str, Any],
        asked: Mapping[str, AskedSecrets] | None = None,
    ) -> None:
        """``asked``: by the ids of the tasks."""
        self.mark = f"(secret:{hashlib.sha256(uid.encode()).hexdigest()[:16]}:"
        self._asked = asked or {}
        self._token_of: dict[str, str] = {}
        self.tokens: dict[str, SecretReference] = {}
        for number, item in enumerate(declared, 1):
            reference = read_reference(inputs.get(item.id)) if item.type == "SECRET" else None
            if reference is not None:
                token = f"{self.mark}i{number})"
                self._token_of[item.id] = token
                self.tokens[token] = reference

    @property
    def may_show(self) -> bool:
        """Whether an expression may see a token. Those of answers are known once they are seen."""
        return bool(self.tokens or self._asked)

    def shown(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Put tokens into the inputs, in the place of secrets."""
        return {**inputs, **self._token_of}

    def shown_outputs(self, outputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put tokens into the outputs by task, in the place of secrets."""
        found = {id: self.shown_answers(id, outputs[id]) for id in self._asked if id in outputs}
        return {**outputs, **found} if found else outputs

    def shown_answers(self, task_id: str, outputs: Any) -> Any:
        """Put tokens into the outputs of a task; in loops they stand by the loops' values."""
        asked = self._asked.get(task_id)
        if asked is None or not isinstance(outputs, Mapping):
            return outputs
        answers = outputs.get(asked.output)
        if not isinstance(answers, Mapping):
            return {key: self.shown_answers(task_id, item) for key, item in outputs.items()}
        tokens = {id: self._answer(answers[id]) for id in asked.ids if id in answers}
        return {**outputs, asked.output: {**answers, **tokens}}

    def _answer(self, value: Any) -> Any:
        reference = read_reference(value)
        if reference is None:
            return value
        place = hashlib.sha256(f"{reference.kept}/{reference.name}".encode()).hexdigest()
        token = f"{self.mark}a{place[:16]})"
        self.tokens[token] = reference
        return token


def read_reference(value: Any) -> SecretReference | None:
    """What stands in a status for an input of type SECRET; None for anything else."""
    match value:
        case {"secretKeyRef": {"name": str(name), "key": str(key)}}:
            return SecretReference(key, kept=name)
        case {"secret": str(name)}:
            return SecretReference(name)
    return None


def key_reference(secret: str, key: str) -> dict[str, Any]:
    """What stands in a spec or a status for a value in a Kubernetes Secret."""
    return {"secretKeyRef": {"name": secret, "key": key}}


def as_reference(value: Any) -> Any:
    """A value of an input of type SECRET, as the reference that it may be already."""
    found = _ONLY_A_SECRET.fullmatch(value.strip()) if isinstance(value, str) else None
    return value if found is None else {"secret": found[2]}


def stands(token: str, value: Any) -> bool:
    """Whether a token stands anywhere in a value."""
    from penstock.expressions.marks import Opaque

    return Opaque(token).holds(value)


def refuse_secret(*args: Any, **named: Any) -> Any:
    """Refuse `secret()` wherever the controller itself would need the value."""
    raise ExpressionError(REFUSED)
