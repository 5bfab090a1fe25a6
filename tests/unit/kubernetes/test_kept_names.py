"""The names of the ConfigMaps that hold what is too large for a status."""

from __future__ import annotations

import pytest

from penstock.kubernetes.api.configmap_store import kept_name
from penstock.resources.names import is_subdomain


@pytest.mark.parametrize("dot", range(150, 253))
def test_whatever_the_execution_is_called_the_name_is_one(dot: int) -> None:
    name = "a" * dot + "." + "b" * (252 - dot) if dot < 252 else "a" * 253
    execution = {"metadata": {"name": name}}

    assert is_subdomain(kept_name(execution, "outputs-0123456789abcdef0123", "0" * 64))
