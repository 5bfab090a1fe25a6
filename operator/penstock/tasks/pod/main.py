"""The program of a core task's pod: `python -m penstock.tasks.pod.main`.

The task comes rendered and checked, as JSON in `PENSTOCK_TASK` or, where it is long, beside it (see
:func:`penstock.tasks.contract.plan.read_long`). Only that task's module is imported, and nothing
but the standard library: a Log must not cost more than starting Python does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, get_args, get_type_hints

from penstock.tasks.contract.core_types import core_type
from penstock.tasks.contract.framing import TOO_LARGE, Result, encode_result, inline_bytes_here
from penstock.tasks.contract.plan import read_long, read_plan
from penstock.tasks.contract.services import Services, at_least, log_lines
from penstock.tasks.contract.task import CoreTask, TaskFailure, TaskStopped
from penstock.tasks.contract.texts import with_json

if TYPE_CHECKING:
    from penstock.tasks.pod.secret_texts import SecretTexts
    from penstock.tasks.pod.services import PodServices

TERMINATION_FILE = "/dev/termination-log"
TIMEOUT_VARIABLE = "PENSTOCK_TIMEOUT"
"""Whole seconds after which a task in a pod of many ends, with the exit code `LATE`."""
LATE = 124
LOG_LEVEL_VARIABLE = "PENSTOCK_LOG_LEVEL"
"""Names the lowest level that is logged."""


class PodContext:
    """The context of a core task in a pod, whose stdout is the task's log."""

    def __init__(
        self,
        task_type: str,
        log_level: str | None = None,
        services: PodServices | None = None,
        masked: Callable[[str], str] = str,
    ) -> None:
        self._type = task_type
        self._log_level = log_level
        self._services = services
        self._masked = masked

    def log(self, message: str, level: str = "INFO") -> None:
        if at_least(level, self._log_level):
            print("\n".join(log_lines(self._masked(message), level)), flush=True)

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    @property
    def services(self) -> Services:
        if self._services is None:
            raise TaskFailure(f"`{self._type}` is given nothing but its properties")
        return self._services


def main() -> int:
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, _stop)
    end_in_time()
    code, result = run(_read_task())
    publish(result)
    return code


def end_in_time() -> None:
    """End the process at the task's timeout where tasks share the pod, which then has no
    deadline."""
    seconds = os.environ.get(TIMEOUT_VARIABLE)
    if seconds is not None:
        signal.signal(signal.SIGALRM, lambda number, frame: os._exit(LATE))
        signal.alarm(int(seconds))


def run(task: Mapping[str, Any]) -> tuple[int, Result]:
    """Run one task; gives the exit code and the result, without the values of secrets."""
    secrets = _secrets(task)
    if secrets is None:
        return _run(task, None)
    masker = secrets.masker
    try:
        properties = secrets.filled(task["properties"])
    except TaskFailure as failure:
        return 1, Result(message=masker.message(str(failure)))
    code, result = _run({**task, "properties": properties}, secrets)
    masked = {item.name: masker.value(getattr(result, item.name)) for item in fields(result)}
    if result.message is not None:
        masked["message"] = masker.message(result.message)
    return code, Result(**masked)


def _secrets(task: Mapping[str, Any]) -> SecretTexts | None:
    if "secrets" not in task:
        return None
    from penstock.tasks.pod.secret_texts import SecretTexts

    return SecretTexts(task["secrets"], os.environ)


def _run(task: Mapping[str, Any], secrets: SecretTexts | None) -> tuple[int, Result]:
    masker = secrets.masker if secrets is not None else None
    masked = masker.text if masker is not None else str
    services: PodServices | None = None
    try:
        services = _services(task, secrets)
        context = PodContext(task["type"], os.environ.get(LOG_LEVEL_VARIABLE), services, masked)
        try:
            outputs = revive(task["type"], task["properties"]).run(context)
        finally:
            if services is not None:
                services.close()
        result = Result(
            dict(outputs) if outputs is not None else None,
            effects=services.effects if services is not None else (),
            metrics=_metrics(services),
        )
        too_large = encode_result(result)[0].startswith("penstock/1 oversized")
    except TaskFailure as failure:
        return 1, Result(failure.outputs, str(failure), metrics=_metrics(services))
    except TaskStopped:
        return 143, Result(message="stopped")
    except Exception as error:  # the log and the result both say why
        import traceback

        from penstock.storage.errors import StorageError

        if isinstance(error, StorageError):
            return 1, Result(message=str(error))
        text = traceback.format_exc()
        print(text if masker is None else masker.message(text), file=sys.stderr)
        return 1, Result(message=f"{type(error).__name__}: {error}")
    return (1, Result(message=TOO_LARGE)) if too_large else (0, result)


def _services(task: Mapping[str, Any], secrets: SecretTexts | None) -> PodServices | None:
    """The services of the task; None for most tasks, which need none and do not wait for the
    import."""
    if "origin" not in task:
        return None
    from penstock.tasks.pod.services import PodServices

    plan = read_plan()
    if plan is not None and secrets is not None:
        plan = plan.filled(secrets.filled)
    return PodServices(task["type"], task, plan)


def _metrics(services: PodServices | None) -> tuple[dict[str, Any], ...]:
    """The metrics that a task published, even if it failed."""
    return tuple(services.metrics) if services is not None else ()


def revive(type_name: str, properties: Mapping[str, Any]) -> CoreTask:
    """Make the task from its checked properties: names in camel case, durations in seconds."""
    found = core_type(type_name)
    if found is None:
        raise TaskFailure(f"this image has no task `{type_name}`")
    revived: CoreTask = _revived(found.load(), properties)
    return revived


def _revived(made: type[Any], properties: Mapping[str, Any]) -> Any:
    hints = get_type_hints(made, include_extras=True)
    given = {}
    for item in fields(made):
        name = camel(item.name)
        if name in properties:
            given[item.name] = _value(hints[item.name], properties[name])
    return made(**given)


def _value(hint: Any, value: Any) -> Any:
    value = with_json(hint, value)
    members = get_args(hint) or (hint,)
    if timedelta in members and value is not None:
        return timedelta(seconds=value)
    nested = [member for member in members if is_dataclass(member)]
    return _revived(nested[0], value) if nested and isinstance(value, dict) else value  # type: ignore[arg-type]


def camel(name: str) -> str:
    """A field's name as a flow file writes it."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _read_task() -> Mapping[str, Any]:
    text = read_long("PENSTOCK_TASK")
    assert text is not None
    task: Mapping[str, Any] = json.loads(text)
    return task


def publish(result: Result) -> None:
    """Write the result where the controller reads it: into the termination message or the log."""
    message, block = encode_result(result, inline_bytes_here())
    if block:
        sys.stdout.write(block)
    sys.stdout.flush()
    path = os.environ.get("PENSTOCK_TERMINATION_FILE", TERMINATION_FILE)
    with open(path, "w", encoding="utf-8", errors="replace") as file:
        file.write(message)


def _stop(number: int, frame: object) -> NoReturn:
    raise TaskStopped


if __name__ == "__main__":
    sys.exit(main())
