"""How an action says that something became known while it was taken."""

from __future__ import annotations


class Again(Exception):
    """Something became known that the engine must decide upon: reconcile once more, at once."""
