"""The modules that register filters, functions and tests."""

from __future__ import annotations


def load() -> None:
    """Import every family, which fills the tables of ``registry``."""
    from penstock.expressions import (  # noqa: F401
        filters,
        functions,
        tests_,
    )
