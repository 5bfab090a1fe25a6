"""What an attack is."""

from __future__ import annotations

import threading
from typing import ClassVar

from e2e.bench.hostile.ground import Ground


class Attack:
    """One way in which a tenant may hold up the others."""

    name: ClassVar[str]
    """A word for the command line, and for the table."""
    does: ClassVar[str]
    """What the tenant does, in some words."""
    greeting: ClassVar[str] = "hello"
    """Which flow of the victim suffers first."""
    new_controllers: ClassVar[int] = 0
    """How many pods of the controller the attack itself lets be made anew."""

    def prepare(self, ground: Ground) -> None:
        """Make ready what is not the attack yet; it is not measured."""

    def begin(self, ground: Ground, over: threading.Event) -> None:
        """Attack, beside the measurement; an attack that goes on ends once it is over."""
        raise NotImplementedError

    def end(self, ground: Ground) -> None:
        """Put away what is not in the attacker's namespace, which is deleted."""
