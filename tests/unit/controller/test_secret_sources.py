"""Where the controller looks for the name of a secret: the settings, and over them the Flow."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from penstock.controller.attempts.secret_locations import SecretLocations
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.keys import flow_keys
from penstock.controller.runtime.settings import SecretSettings
from penstock.engine.interface.secrets import SecretReference
from penstock.kubernetes.secrets.locations import ANNOTATION, SecretKey, SecretPlaces
from penstock.tasks.contract.task import TaskFailure

SETTINGS = SecretSettings.model_validate(
    {"name": "shared", "map": {"DB": {"name": "databases", "key": "main"}}}
)


def places(annotation: str | None, **reference: str) -> SecretPlaces:
    flows = ObjectStore(flow_keys)
    annotations = {} if annotation is None else {ANNOTATION: annotation}
    meta: dict[str, Any] = {
        "name": "a-flow",
        "namespace": "team",
        "uid": "1",
        "annotations": annotations,
    }
    meta["creationTimestamp"] = "2026-01-02T03:04:05Z"
    flows.put({"metadata": meta, "spec": {"id": "flow", "namespace": "company.team"}})
    execution: dict[str, Any] = {
        "metadata": {"name": "run", "namespace": "team"},
        "spec": {"flow": reference or {"name": "a-flow"}},
    }
    return SecretLocations(SETTINGS, flows).of(execution)


def place(found: SecretPlaces, name: str) -> SecretKey:
    return found.of(SecretReference(name), "company.team")


def test_the_settings_say_where_secrets_are() -> None:
    assert place(places(None), "TOKEN") == SecretKey("shared", "TOKEN")
    assert place(places(None), "DB") == SecretKey("databases", "main")


@pytest.mark.parametrize(
    "reference", [{"name": "a-flow"}, {"namespace": "company.team", "id": "flow"}]
)
def test_the_flow_says_it_over_them(reference: dict[str, str]) -> None:
    found = places("DB: own/db", **reference)
    assert place(found, "DB") == SecretKey("own", "db")
    assert place(found, "TOKEN") == SecretKey("shared", "TOKEN")


def test_of_a_flow_that_is_gone_the_settings_count() -> None:
    assert place(places("DB: own/db", name="gone"), "DB") == SecretKey("databases", "main")


def test_an_annotation_that_can_not_be_read_fails_the_task() -> None:
    with pytest.raises(TaskFailure, match="annotation"):
        places("DB")


def test_an_annotation_that_grows_by_aliases_is_never_written_out() -> None:
    levels = [f"&a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]

    with pytest.raises(TaskFailure, match="annotation") as failure:
        places(f"X: [&a0 [x,x,x,x,x,x,x,x,x], {', '.join(levels)}]")

    assert len(str(failure.value)) < 1_000


def test_a_setting_that_names_no_secret_is_refused() -> None:
    with pytest.raises(ValidationError, match="not the name of a Secret"):
        SecretSettings.model_validate({"map": {"A": {"name": "Not/One", "key": "x"}}})
