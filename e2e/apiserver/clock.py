"""The clock of this machine, as the controller sees it: it can be set."""

from __future__ import annotations

import datetime as real
import importlib
import pkgutil
import sys

import penstock.controller


class _Clock:
    offset = real.timedelta()


class SetDatetime(real.datetime):
    """A datetime whose ``now`` is off by what the clock was set."""

    @classmethod
    def now(cls, tz: real.tzinfo | None = None) -> real.datetime:  # type: ignore[override]
        return real.datetime.now(tz) + _Clock.offset

    @classmethod
    def fromisoformat(cls, text: str, /) -> real.datetime:  # type: ignore[override]
        return real.datetime.fromisoformat(text)


def install() -> None:
    """Let all modules of the controller see the clock that can be set."""
    package = penstock.controller
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    for name, loaded in list(sys.modules.items()):
        is_ours = name.startswith(package.__name__)
        if is_ours and getattr(loaded, "datetime", None) is real.datetime:
            loaded.datetime = SetDatetime  # type: ignore[attr-defined]


def step(seconds: float) -> None:
    """Set the clock forth or back."""
    _Clock.offset += real.timedelta(seconds=seconds)


def right() -> None:
    """Set it right again."""
    _Clock.offset = real.timedelta()
