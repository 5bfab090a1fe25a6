"""What a person asks of `penstock run`, read from its options."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from penstock.cli.arguments import duration, json_pairs, pairs, parsed_json
from penstock.cli.errors import INVALID, UserError
from penstock.flow.document import Flow
from penstock.flow.model import did_you_mean
from penstock.local.answers import Answers
from penstock.resources.execution import TriggerReference


@dataclass(frozen=True)
class Options:
    """The options as they were written."""

    file: Path
    inputs: tuple[str, ...] = ()
    flows: tuple[Path, ...] = ()
    flow_id: str | None = None
    trigger: str | None = None
    triggers: bool = False
    labels: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    namespace_files: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()
    timeout: str | None = None
    as_json: bool = False
    all: bool = False


@dataclass(frozen=True)
class GivenTrigger:
    """The trigger by which an execution is to be started."""

    id: str
    variables: Mapping[str, Any]
    """What expressions see as `trigger.…`."""

    def of(self, flow: Flow) -> TriggerReference:
        """Find the trigger in the flow. Raises :class:`UserError` where it has none of the id."""
        for trigger in flow.triggers:
            if trigger.id == self.id:
                return TriggerReference(
                    id=self.id, type=trigger.type, variables=dict(self.variables)
                )
        known = [trigger.id for trigger in flow.triggers]
        there_are = f"; it has {', '.join(known)}" if known else " and no other"
        raise UserError(
            f"--trigger: the flow {flow.namespace}.{flow.id} has no trigger `{self.id}`"
            f"{did_you_mean(self.id, known) or there_are}",
            INVALID,
        )


@dataclass(frozen=True)
class Request:
    """The options, read."""

    inputs: Mapping[str, str]
    trigger: GivenTrigger | None
    labels: Mapping[str, str]
    pairs: Mapping[str, Mapping[str, Any]]
    """Values by namespace and key."""
    namespace_files: Mapping[str, Path]
    environment: Mapping[str, str]
    variables: Mapping[str, Any]
    answers: Answers | None
    """Inputs that a Pause is resumed with, and None where nothing is resumed."""
    timeout: timedelta | None

    @classmethod
    def read(cls, options: Options) -> Request:
        """Read the options of a command. Raises :class:`UserError`."""
        if options.all and not options.as_json:
            raise UserError("--all: it is for `-o json`", INVALID)
        files = pairs("--namespace-file", options.namespace_files)
        environment = pairs("--env", options.environment)
        return cls(
            inputs=pairs("--input", options.inputs),
            trigger=_trigger(options.trigger),
            labels=pairs("--label", options.labels),
            pairs=_pairs(options.pairs),
            namespace_files={path: _file(path, file) for path, file in files.items()},
            environment={name.lower(): value for name, value in environment.items()},
            variables=json_pairs("--var", options.variables),
            answers=_answers(options.resume),
            timeout=duration("--timeout", options.timeout),
        )


def _trigger(given: str | None) -> GivenTrigger | None:
    if given is None:
        return None
    name, separator, text = given.partition("=")
    try:
        variables = json.loads(text) if separator else {}
    except ValueError as error:
        raise UserError(f"--trigger `{name}`: `{text}` is not JSON: {error}", INVALID) from None
    if not name or not isinstance(variables, dict):
        raise UserError(
            f"--trigger `{given}`: write --trigger ID or --trigger ID=JSON, with a map such as "
            '{"body": {"order": 7}}',
            INVALID,
        )
    return GivenTrigger(name, variables)


def _pairs(given: Iterable[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, text in pairs("--kv", given).items():
        namespace, separator, key = name.partition(":")
        if not (namespace and separator and key):
            raise UserError(f"--kv `{name}`: write --kv NAMESPACE:KEY=JSON", INVALID)
        found.setdefault(namespace, {})[key] = parsed_json(f"--kv `{name}`", text)
    return found


def _file(path: str, file: str) -> Path:
    found = Path(file)
    if not found.is_file():
        raise UserError(f"--namespace-file `{path}`: there is no file `{file}`", INVALID)
    return found


def _answers(given: Iterable[str]) -> Answers | None:
    """`ID=VALUE` is an input, anything else a task; nothing at all is no answer."""
    given = list(given)
    if not given:
        return None
    inputs = pairs("--resume", (text for text in given if "=" in text))
    tasks = frozenset(text for text in given if text and "=" not in text)
    return Answers(inputs, tasks)
