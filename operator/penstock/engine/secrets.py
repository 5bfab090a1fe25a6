"""Secrets in the properties of an attempt: named here, read only in its pod.

`secret('NAME')` gives a *token*. Where the rendered text has it as it is, the text stays like that,
and whoever runs the attempt puts the value in its place. Where an expression would have to look at
the value (a filter, a comparison), the whole text is *deferred*: one token stands for it, and with
the attempt goes what is needed to render it where the value is known.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import Any

from penstock.engine.variables import Variables
from penstock.expressions import ExpressionError, Expressions, Host
from penstock.flow.inputs import Input

MAX_VARIABLES_BYTES = 256 * 1024
"""What a deferred text may read."""

REFUSED = (
    "a secret can't be read here: the controller knows no `secret()` and no input of type SECRET. "
    "Use it in the properties of a task that runs in a pod, such as a script or an http.Request; "
    "to decide by it, let a script decide, and use its outputs"
)

_RENDERING = frozenset({"render", "renderOnce"})
_LOOKING = frozenset({"currentEachOutput", "tasksWithState", "printContext", "fetchContext"})
"""Functions that read variables which their call does not name."""
_LOOKED_AT = ("taskrun", "parents", "tasks")


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
    """Of what is random."""


@dataclass(frozen=True)
class Secrets:
    """The secrets of one attempt."""

    mark: str = ""
    """With what every token begins."""
    namespace: str = ""
    """Of the flow."""
    plain: Mapping[str, SecretReference] = field(default_factory=dict)
    """Of each token."""
    deferred: Mapping[str, Deferred] = field(default_factory=dict)
    """Of each token."""
    needed: tuple[SecretReference, ...] = ()
    """All that were read, each once."""
    possible: tuple[SecretReference, ...] = ()
    """Those that a deferred text may read besides."""
    date: datetime | None = None
    """What `now()` is in a deferred text."""

    def __bool__(self) -> bool:
        return bool(self.needed)

    def told(self, text: str) -> str:
        """A message without tokens."""
        for token, reference in self.plain.items():
            text = text.replace(token, f"secret('{reference.name}')")
        for token, deferred in self.deferred.items():
            text = text.replace(token, deferred.template)
        return text


NO_SECRETS = Secrets()

_ONLY_A_SECRET = re.compile(r"""\{\{-?\s*secret\(\s*(['"])([^'"]+)\1\s*\)\s*-?\}\}""")


class SecretInputs:
    """The inputs of type SECRET of one execution: its status has references in their place."""

    def __init__(self, uid: str, declared: Sequence[Input], inputs: Mapping[str, Any]) -> None:
        self.mark = f"(secret:{hashlib.sha256(uid.encode()).hexdigest()[:16]}:"
        self._token_of: dict[str, str] = {}
        self.tokens: dict[str, SecretReference] = {}
        for number, item in enumerate(declared, 1):
            reference = read_reference(inputs.get(item.id)) if item.type == "SECRET" else None
            if reference is not None:
                token = f"{self.mark}i{number})"
                self._token_of[item.id] = token
                self.tokens[token] = reference

    def shown(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs with tokens."""
        return {**inputs, **self._token_of}


def read_reference(value: Any) -> SecretReference | None:
    """What stands in a status for an input of type SECRET; None for anything else."""
    match value:
        case {"secretKeyRef": {"name": str(name), "key": str(key)}}:
            return SecretReference(key, kept=name)
        case {"secret": str(name)}:
            return SecretReference(name)
    return None


def as_reference(value: Any) -> Any:
    """A value of an input of type SECRET, as the reference that it may be already."""
    found = _ONLY_A_SECRET.fullmatch(value.strip()) if isinstance(value, str) else None
    return value if found is None else {"secret": found[2]}


def stands(token: str, value: Any) -> bool:
    """Whether a token stands anywhere in a value."""
    from penstock.expressions.opaque import Opaque

    return Opaque(token).holds(value)


def refuse_secret(*args: Any, **named: Any) -> Any:
    """What `secret()` does wherever the controller itself needs the value."""
    raise ExpressionError(REFUSED)


class SecretTokens:
    """Renders what an attempt is given, with tokens for its secrets."""

    def __init__(
        self,
        expressions: Expressions,
        variables: Variables,
        host: Host,
        seed: str,
        inputs: SecretInputs,
    ) -> None:
        self._expressions = expressions
        self._variables = variables
        self._host = host
        self._seed = seed
        self._inputs = inputs
        self._mark = inputs.mark
        self._issued = 0
        self._texts = 0
        self._plain: dict[str, SecretReference] = {}
        self._deferred: dict[str, Deferred] = {}
        self._needed: dict[SecretReference, None] = {}
        self._possible: dict[SecretReference, None] = {}

    @property
    def secrets(self) -> Secrets:
        """All that were read so far."""
        if not self._needed:
            return NO_SECRETS
        return Secrets(
            self._mark,
            self._variables["flow"]["namespace"],
            dict(self._plain),
            dict(self._deferred),
            tuple(self._needed),
            tuple(item for item in self._possible if item not in self._needed),
            self._host.now(),
        )

    def asks(self, render: Callable[[Host], Any]) -> tuple[bool, Any]:
        """Whether a rendering may ask for a secret, and its result if it does not."""
        if self._inputs.tokens:
            return True, None
        asked: list[bool] = []

        def secret(*args: Any, **named: Any) -> Any:
            asked.append(True)
            return refuse_secret()

        try:
            value = render(self._with(self._host, secret))
        except ExpressionError:
            if not asked:
                raise
            return True, None
        return bool(asked), value

    def tree(self, value: Any) -> Any:
        """Every text in maps (keys too) and lists."""
        if isinstance(value, str):
            return self.text(value, typed=False)
        if isinstance(value, Mapping):
            return {self.tree(key): self.tree(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(item) for item in value]
        return value

    def text(self, template: str, *, typed: bool) -> Any:
        """One text, or the token of a deferred one."""
        from penstock.expressions.opaque import Opaque

        if "{" not in template:
            return template
        opaque = Opaque(self._mark)
        issued: dict[str, SecretReference] = {}

        def secret(key: str, namespace: str | None = None, subkey: str | None = None) -> str:
            reference = SecretReference(str(key), namespace)
            self._needed[reference] = None
            if subkey is not None:
                opaque.used = True
                return refuse_secret()  # type: ignore[no-any-return]
            token = self._token()
            issued[token] = reference
            return token

        render = self._expressions.evaluate if typed else self._expressions.render
        self._texts += 1
        seed = f"{self._seed}/{self._texts}"
        host = replace(self._with(self._host, secret), opaque=opaque, random=Random(seed))
        try:
            value = render(template, self._variables, host)
        except ExpressionError:
            if not opaque.used:
                raise
        if opaque.used:
            return self._defer(template, typed, seed)
        read = {token: item for token, item in self._inputs.tokens.items() if stands(token, value)}
        self._needed.update(dict.fromkeys(read.values()))
        self._plain.update(issued | read)
        return value

    def _with(self, host: Host, secret: Callable[..., Any]) -> Host:
        return replace(host, functions={**host.functions, "secret": secret})

    def _token(self) -> str:
        self._issued += 1
        return f"{self._mark}{self._issued})"

    def _defer(self, template: str, typed: bool, seed: str) -> str:
        reads = _Reads(self._variables)
        reads.take(template)
        variables = {name: self._variables[name] for name in sorted(reads.variables)}
        text = json.dumps(variables, default=_plain)
        if len(text.encode()) > MAX_VARIABLES_BYTES:
            raise ExpressionError(
                "`secret()` stands beside a filter or a condition, so this text is rendered in the "
                f"pod, but the variables that it reads ({', '.join(variables)}) are larger than "
                "256 KiB: give the secret to the task by itself",
                expression=template,
            )
        read = {token: item for token, item in self._inputs.tokens.items() if token in text}
        self._plain.update(read)
        self._needed.update(dict.fromkeys(read.values()))
        answers = tuple(self._answer(call, template) for call in self._reading(reads))
        for call in reads.calls:
            if call.name == "secret" and call.args:
                namespace = call.named.get("namespace", (*call.args, None)[1])
                self._possible[SecretReference(str(call.args[0]), namespace)] = None
        token = self._token()
        self._deferred[token] = Deferred(template, typed, json.loads(text), answers, seed)
        return token

    def _reading(self, reads: _Reads) -> list[Any]:
        known = self._host.functions
        return [call for call in reads.calls if call.name in known and call.name != "secret"]

    def _answer(self, call: Any, template: str) -> Answer:
        if call.args is None:
            raise ExpressionError(
                f"`{call.name}()` of a value that is not written out can't stand beside "
                "`secret()` under a filter or in a condition: this text is rendered in the pod",
                expression=template,
            )
        try:
            value = self._host.functions[call.name](*call.args, **call.named)
        except ExpressionError as error:
            return Answer(call.name, call.args, call.named, error=error.message)
        value = json.loads(json.dumps(value, default=_plain))
        return Answer(call.name, call.args, call.named, value)


class _Reads:
    """What a template may read, and what the texts in these variables may, if it renders them."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._known = known
        self.variables: set[str] = set()
        self.calls: list[Any] = []
        self._renders = False

    def take(self, template: str) -> None:
        from penstock.expressions.names import names

        try:
            found = names(template)
        except ExpressionError:
            return  # A text in a variable need not be a template.
        called = {call.name for call in found.calls}
        wanted = set(found.variables)
        if called & _LOOKING:
            wanted |= set(self._known) if called & {"printContext", "fetchContext"} else set()
            wanted |= set(_LOOKED_AT)
        self.calls += [call for call in found.calls if call not in self.calls]
        further = {name for name in wanted if name in self._known} - self.variables
        self.variables |= further
        if called & _RENDERING and not self._renders:
            self._renders = True
            further = set(self.variables)
        if self._renders:
            for name in sorted(further):
                self._take_texts(self._known[name])

    def _take_texts(self, value: Any) -> None:
        if isinstance(value, str):
            if "{{" in value or "{%" in value:
                self.take(value)
        elif isinstance(value, Mapping):
            for item in value.values():
                self._take_texts(item)
        elif isinstance(value, list | tuple):
            for item in value:
                self._take_texts(item)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)
