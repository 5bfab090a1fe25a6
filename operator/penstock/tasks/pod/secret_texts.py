"""Fills the tokens of secrets in the texts of a task, inside its pod.

The controller knows no secret: it writes tokens, and a *plan* that says which environment variable
of the pod holds the value of each. A text in which an expression has to look at a secret is
rendered here as a whole. Standard library only; the language is imported where the plan has such a
text.

`python -m penstock.tasks.pod.secret_texts` does it for a script: it runs before the user's
container and leaves the texts in files that both share.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from penstock.tasks.contract.framing import failed_message
from penstock.tasks.contract.masking import Masker
from penstock.tasks.contract.plan import SECRETS_VARIABLE, read_long
from penstock.tasks.contract.task import TaskFailure

FOLDER_VARIABLE = "PENSTOCK_SECRET_TEXTS_TO"
MASKS = "masks"
"""The file of what a script's log must not show, one to a line."""


class SecretTexts:
    """The secrets of one attempt, by its plan and the pod's environment."""

    def __init__(self, plan: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._plan = plan
        self._environment = environment
        values = (environment.get(item["variable"]) for item in plan["secrets"])
        self.masker = Masker(value for value in values if value is not None)
        self._tokens = re.compile(re.escape(plan["mark"]) + r"[iw]?\d+\)")
        self._rendered: dict[str, Any] = {}

    def filled(self, value: Any) -> Any:
        """A value with its tokens replaced by what they stand for, in keys of maps too. Raises
        ``TaskFailure``."""
        if isinstance(value, str):
            if self._plan["mark"] not in value:
                return value
            if value in self._plan["deferred"]:
                return self._of_token(value)
            return self._tokens.sub(lambda found: _as_text(self._of_token(found[0])), value)
        if isinstance(value, Mapping):
            return {self.filled(key): self.filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        return value

    def _of_token(self, token: str) -> Any:
        place = self._plan["tokens"].get(token)
        if place is not None:
            return self._value(self._plan["secrets"][place])
        deferred = self._plan["deferred"].get(token)
        if deferred is None:
            return token
        if token not in self._rendered:
            self._rendered[token] = self._render(deferred)
        return self._rendered[token]

    def _value(self, secret: Mapping[str, Any]) -> str:
        value = self._environment.get(secret["variable"])
        if value is None:
            raise TaskFailure(f"the secret '{secret['name']}' is missing: {secret['where']}")
        return value

    def _render(self, deferred: Mapping[str, Any]) -> Any:
        from datetime import datetime
        from random import Random

        from penstock.expressions import ExpressionError, Host
        from penstock.expressions.engine import Expressions

        date = datetime.fromisoformat(self._plan["date"])
        functions = {"secret": self._secret, **_answers(deferred["answers"])}
        host = Host(now=lambda: date, random=Random(deferred["seed"]), functions=functions)
        expressions = Expressions()
        render = expressions.evaluate if deferred["typed"] else expressions.render
        try:
            return render(deferred["template"], self.filled(deferred["variables"]), host)
        except ExpressionError as error:
            raise TaskFailure(self.masker.message(str(error))) from None

    def _secret(self, key: str, namespace: str | None = None, subkey: str | None = None) -> str:
        from penstock.expressions import ExpressionError

        wanted = {"name": str(key), "namespace": namespace}
        for secret in self._plan["secrets"]:
            if wanted.items() <= secret.items():
                break
        else:
            raise ExpressionError(
                f"the pod was not given the secret '{key}': write its name out in the call"
            )
        try:
            value = self._value(secret)
        except TaskFailure as error:
            raise ExpressionError(str(error)) from None
        if subkey is None:
            return value
        try:
            field = json.loads(value)[subkey]
        except (ValueError, LookupError, TypeError):
            raise ExpressionError(f"The secret '{key}' has no field '{subkey}'.") from None
        text = field if isinstance(field, str) else json.dumps(field)
        self.masker.hide(text)
        return text


def secrets_beside(environment: Mapping[str, str]) -> SecretTexts | None:
    """The secrets of a container beside the task's own; None where it has none."""
    text = read_long(SECRETS_VARIABLE, environment)
    return SecretTexts(json.loads(text), environment) if text is not None else None


def _answers(given: list[Mapping[str, Any]]) -> dict[str, Callable[..., Any]]:
    """The functions that read something, with the answers that the controller got of them."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for answer in given:
        by_name.setdefault(answer["name"], []).append(answer)
    return {name: _answering(name, answers) for name, answers in by_name.items()}


def _answering(name: str, answers: list[Mapping[str, Any]]) -> Callable[..., Any]:
    def answer(*args: Any, **named: Any) -> Any:
        from penstock.expressions import ExpressionError

        for known in answers:
            if known["args"] == list(args) and known["named"] == named:
                if known["error"] is not None:
                    raise ExpressionError(known["error"])
                return known["value"]
        raise ExpressionError(
            f"`{name}()` can't be called here: the controller did not call it with these arguments "
            "before the pod started"
        )

    return answer


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def main() -> int:
    """Write the texts of a script's plan into the folder that the script's container reads."""
    plan = _read_plan()
    texts = SecretTexts(plan, os.environ)
    folder = Path(os.environ[FOLDER_VARIABLE])
    for left in folder.iterdir():
        left.unlink()  # of the task before, in a shared pod
    try:
        for name, text in plan["texts"].items():
            content = _as_text(texts.filled(text)).encode("utf-8", "surrogateescape")
            if b"\0" in content and name in plan["words"]:
                raise TaskFailure("a text with a secret has a NUL character")
            (folder / name).write_bytes(content)
        masks = sorted(mask for mask in texts.masker.hidden if "\n" not in mask)
        (folder / MASKS).write_text("".join(f"{mask}\n" for mask in masks), "utf-8", "ignore")
    except (TaskFailure, OSError) as error:
        message = texts.masker.message(str(error))
        print(message, flush=True)
        Path(plan["message"]).write_text(failed_message(message), "utf-8")
        return 1
    return 0


def _read_plan() -> Mapping[str, Any]:
    text = read_long(SECRETS_VARIABLE)
    assert text is not None
    plan: Mapping[str, Any] = json.loads(text)
    return plan


if __name__ == "__main__":
    sys.exit(main())
