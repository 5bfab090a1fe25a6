"""The texts of a script that the kubelet can't make, and what replaces them.

An init container of Penstock's image writes them into a folder that the script's container reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from penstock.engine.interface.secrets import Secrets
from penstock.tasks.contract.task import Container, TaskFailure
from penstock.tasks.scripts.definition import MAX_ARGUMENT_BYTES
from penstock.tasks.scripts.languages import POSIX, dialect_of

TEXTS = "/penstock-texts"
"""The folder in which a script's container finds the texts that were rendered in its pod."""
_SHELL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class ScriptTexts:
    """Takes out the texts of a script that only Penstock's image can render, and puts shell in
    their place."""

    def __init__(self, secrets: Secrets, container: Container) -> None:
        self._secrets = secrets
        self._container = container
        self.texts: dict[str, str] = {}
        self.words: list[str] = []
        self.files: dict[str, str] = {}

    def taken_out(self) -> Container:
        """The container without these texts: files, variables and commands read them from a
        folder."""
        container = self._container
        size = sum(len(text.encode()) for text in container.files.values())
        is_mounted = size > MAX_ARGUMENT_BYTES
        files = dict(container.files)
        for name, text in container.files.items():
            if self._is_deferred(text) or (is_mounted and self._secrets.mark in text):
                self.files[name] = self._keep(files.pop(name))
        env = dict(container.env)
        exported = {
            name: self._keep(env.pop(name), word=True)
            for name, text in container.env.items()
            if self._is_deferred(text)
        }
        command = self._command(container.command)
        return replace(container, files=files, env=env, command=self._exporting(exported, command))

    def _command(self, command: Sequence[str]) -> tuple[str, ...]:
        deferred = [place for place, word in enumerate(command) if self._is_deferred(word)]
        if not deferred:
            return tuple(command)
        *interpreter, text = command
        if deferred == [len(interpreter)] and dialect_of(interpreter) is POSIX:
            return (*interpreter, f". {TEXTS}/{self._keep(text, word=True)}")
        lines = [_read(f"w{place}", self._keep(command[place], word=True)) for place in deferred]
        words, used = list(command), []
        for place in range(len(words)):
            used.append(f'"$w{place}"' if place in deferred else f'"${{{place + 1}}}"')
            words[place] = "" if place in deferred else words[place]
        script = "\n".join([*lines, "exec " + " ".join(used)])
        return ("/bin/sh", "-c", script, "penstock", *words)

    def _exporting(self, exported: Mapping[str, str], command: tuple[str, ...]) -> tuple[str, ...]:
        if not exported:
            return command
        lines = []
        for name, text in exported.items():
            if not _SHELL_NAME.fullmatch(name):
                raise TaskFailure(
                    f"property `env.{name}`: a shell can't set a variable of this name, so "
                    "`secret()` can't stand under a filter in it"
                )
            lines += [_read(name, text), f"export {name}"]
        return ("/bin/sh", "-c", "\n".join([*lines, 'exec "$@"']), "penstock", *command)

    def _is_deferred(self, text: str) -> bool:
        return self._secrets.mark in text and any(token in text for token in self._secrets.deferred)

    def _keep(self, text: str, *, word: bool = False) -> str:
        name = str(len(self.texts))
        self.texts[name] = text
        if word:
            self.words.append(name)
        return name


def _read(variable: str, text: str) -> str:
    """Shell that reads a whole text into a variable, with the line ends at its end."""
    return f"{variable}=$(cat {TEXTS}/{text} && printf x) || exit 125\n{variable}=${{{variable}%x}}"
