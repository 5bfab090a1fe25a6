"""What a GitSource may ask for, in the model; the CRD says the same."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from penstock.resources.gitsource import GitSourceSpec, seconds
from penstock.schema.crds import definition, kinds

URL = "https://git.example.com/flows.git"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("interval", "0ms", "every 10s at most"),
        ("interval", "9.9s", "every 10s at most"),
        ("timeout", "10m0.1s", "10m at most"),
        ("timeout", "9999h", "10m at most"),
    ],
)
def test_what_never_rests_or_never_ends_is_refused(field: str, value: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GitSourceSpec.model_validate({"url": URL, field: value})


def test_the_bounds_themselves_are_allowed() -> None:
    spec = GitSourceSpec.model_validate({"url": URL, "interval": "10s", "timeout": "9m60s"})
    assert (seconds(spec.interval), seconds(spec.timeout)) == (10, 600)


def test_the_crd_has_the_same_bounds() -> None:
    (kind,) = [kind for kind in kinds() if kind.kind == "GitSource"]
    (version,) = definition(kind)["spec"]["versions"]
    fields = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    rules = {
        name: fields[name]["x-kubernetes-validations"][0]["rule"]
        for name in ("interval", "timeout")
    }
    assert rules == {
        "interval": "duration(self) >= duration('10s')",
        "timeout": "duration(self) <= duration('10m')",
    }
