"""The task `Log`, which logs messages, and its deprecated twin `Echo`."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.tasks.contract.task import Context, Level
from penstock.tasks.contract.texts import Text


@dataclass(frozen=True)
class Log:
    """Writes one or more messages to the task's log.

    ```yaml
    id: greet
    type: io.kestra.plugin.core.log.Log
    message: "Hello, {{ inputs.name }}!"
    level: INFO
    ```
    """

    message: str | list[str]
    """The message, or several."""
    level: Level = "INFO"
    """The level at which it is logged."""

    def run(self, context: Context) -> None:
        for message in [self.message] if isinstance(self.message, str) else self.message:
            context.log(message, self.level)


@dataclass(frozen=True)
class Echo:
    """Writes a message to the task's log.

    ```yaml
    id: greet
    type: io.kestra.plugin.core.debug.Echo
    format: "Hello, {{ inputs.name }}!"
    ```
    """

    format: Text
    """The message."""
    level: Level = "INFO"
    """The level at which it is logged."""

    def run(self, context: Context) -> None:
        context.log(self.format, self.level)
