"""Rendering what an attempt is given, with tokens for its secrets.

What a token is: :mod:`penstock.engine.interface.secrets`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from penstock.engine.interface.secrets import (
    NO_SECRETS,
    Answer,
    Deferred,
    SecretInputs,
    SecretReference,
    Secrets,
    refuse_secret,
    stands,
)
from penstock.engine.rendering.variables import Variables
from penstock.expressions import ExpressionError, Expressions, Host, has_expression

if TYPE_CHECKING:
    from penstock.expressions.names import Call

MAX_VARIABLES_BYTES = 256 * 1024
"""What a deferred text may read."""

_RENDERING = frozenset({"render", "renderOnce"})
_LOOKED_AT = {
    "currentEachOutput": ("taskrun", "parents"),
    "tasksWithState": ("tasks",),
    "env": ("envs",),
}
"""The variables that functions read although their call does not name them."""
_LOOKING_AT_ALL = frozenset({"printContext", "fetchContext"})


class SecretTokens:
    """Renders what an attempt is given, with tokens for its secrets."""

    def __init__(
        self,
        expressions: Expressions,
        variables: Variables,
        host: Host,
        seed: str,
        inputs: SecretInputs,
        kind: str = "",
    ) -> None:
        """``kind`` tells the tokens of one text apart from those of another in the same attempt."""
        self._kind = kind
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
        """The secrets that were read so far."""
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
        if self._inputs.may_show:
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
        """Every text in maps (keys too) and lists; of two keys that become the same the first
        counts, as where there is no secret."""
        if isinstance(value, str):
            return self.text(value, typed=False)
        if isinstance(value, Mapping):
            rendered: dict[Any, Any] = {}
            for key, item in value.items():
                rendered.setdefault(self.tree(key), self.tree(item))
            return rendered
        if isinstance(value, list | tuple):
            return [self.tree(item) for item in value]
        return value

    def text(self, template: str, *, typed: bool) -> Any:
        """One text, or the token of a deferred one."""
        from penstock.expressions.marks import Opaque

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

    def handed(self, name: str, value: Any) -> Any:
        """An input of another execution: a secret by itself, or no secret at all."""
        from penstock.expressions.marks import Opaque

        rendered = self.tree(value)
        alone = isinstance(value, str) and rendered in self._plain
        if not alone and Opaque(self._mark).holds(rendered):
            raise ExpressionError(
                f"the input `{name}` can be given a secret only as it is, with nothing beside or "
                "around it, such as \"{{ secret('NAME') }}\", and the flow that asks for it must "
                "declare it with the type SECRET; or call `secret()` there",
                expression=value if isinstance(value, str) else None,
            )
        return rendered

    def _with(self, host: Host, secret: Callable[..., Any]) -> Host:
        return replace(host, functions={**host.functions, "secret": secret})

    def _token(self) -> str:
        self._issued += 1
        return f"{self._mark}{self._kind}{self._issued})"

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

    def _reading(self, reads: _Reads) -> list[Call]:
        known = self._host.functions
        return [call for call in reads.calls if call.name in known and call.name != "secret"]

    def _answer(self, call: Call, template: str) -> Answer:
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
        self.calls: list[Call] = []
        self._renders = False

    def take(self, template: str) -> None:
        from penstock.expressions.names import names

        try:
            found = names(template)
        except ExpressionError:
            return  # A text in a variable need not be a template.
        called = {call.name for call in found.calls}
        wanted = set(found.variables)
        wanted |= set(self._known) if called & _LOOKING_AT_ALL else set()
        wanted.update(*(_LOOKED_AT.get(name, ()) for name in called))
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
            if has_expression(value):
                self.take(value)
        elif isinstance(value, Mapping):
            for item in value.values():
                self._take_texts(item)
        elif isinstance(value, list | tuple):
            for item in value:
                self._take_texts(item)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)
