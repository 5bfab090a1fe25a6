"""The clock of the controller's process: it can be set."""

from __future__ import annotations

import datetime as real
import importlib
import pkgutil
import sys

import penstock.controller
from e2e.apiserver.faults import Faults


def install(faults: Faults) -> None:
    """Let all modules of the controller see a clock that is as fast as `faults` says."""

    class SetDatetime(real.datetime):
        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> real.datetime:  # type: ignore[override]
            return real.datetime.now(tz) + real.timedelta(seconds=faults.clock)

        @classmethod
        def fromisoformat(cls, text: str, /) -> real.datetime:  # type: ignore[override]
            return real.datetime.fromisoformat(text)

    package = penstock.controller
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    for name, loaded in list(sys.modules.items()):
        is_ours = name.startswith(package.__name__)
        if is_ours and getattr(loaded, "datetime", None) is real.datetime:
            loaded.datetime = SetDatetime  # type: ignore[attr-defined]
