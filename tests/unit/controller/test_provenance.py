"""Which execution called another: what the controller signs, and what it takes for true."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from penstock.controller.attempts.secret_locations import SecretLocations
from penstock.controller.executions.execution_maker import ExecutionMaker
from penstock.controller.files.provenance import Provenance
from penstock.controller.runtime.indexes import ObjectStore
from penstock.controller.runtime.outcomes import Retry, outcome_of
from penstock.controller.runtime.settings import SecretSettings
from penstock.engine.interface.actions import StartExecution
from penstock.kubernetes.api.client import Api
from penstock.kubernetes.api.labels import CALLED_BY
from penstock.kubernetes.status.child_executions import build_execution
from penstock.resources.execution import (
    CallerReference,
    ExecutionSpec,
    FlowReference,
    ParentReference,
    RetryReference,
)
from penstock.storage.errors import StorageUnavailable
from tests.fixtures.executions import KEY
from tests.fixtures.memory_api import MemoryApi

Body = dict[str, Any]
PARENT: Body = {"metadata": {"namespace": "ns", "name": "parent", "uid": "uid-parent"}}
CALLER = CallerReference(execution="parent", uid="uid-parent")
GIVEN = {"f": "kestra:///a/executions/b/tasks/c", "n": 1.0, "big": 2**53, "none": None, "l": [1]}
provenance = Provenance(lambda: KEY)


def child(maker: Body = PARENT, name: str = "child", **of_spec: Any) -> Body:
    """An Execution as the controller makes it, and as the API server gives it back."""
    spec = ExecutionSpec(
        flow=FlowReference(namespace="company.team", id="load"),
        inputs=GIVEN,
        parent=ParentReference(execution="parent", task_run="r", attempt=1),
    ).model_copy(update=of_spec)
    made = provenance.signed(maker, build_execution(maker, StartExecution(name, spec)))
    return as_stored(made)


def as_stored(body: Body) -> Body:
    """Whole numbers lose their point, and defaults and metadata come to it."""
    stored: Body = json.loads(json.dumps(body), parse_float=lambda text: int(float(text)))
    stored["metadata"] |= {"uid": "uid-child", "resourceVersion": "1", "generation": 1}
    stored["spec"].setdefault("kill", False)
    return stored


def test_who_was_called_is_known_by_the_signature() -> None:
    assert provenance.caller(child()) == CALLER


def test_what_may_change_before_it_begins_does_not_matter() -> None:
    # given
    body = child()
    # when: a person kills it, and puts a label on it
    body["spec"] |= {"kill": True, "controls": [{"id": "a", "pause": True}]}
    body["metadata"]["labels"]["team"] = "blue"
    # then
    assert provenance.caller(body) == CALLER


def _changed(path: str, value: Any) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        *way, last = path.split(".")
        for part in way:
            body = body[int(part)] if part.isdigit() else body[part]  # type: ignore[index]
        body[last] = value

    return change


def _unsigned(body: Body) -> None:
    del body["metadata"]["annotations"][CALLED_BY]


@pytest.mark.parametrize(
    "forge",
    [
        _unsigned,
        _changed("metadata.annotations", {CALLED_BY: "0" * 64}),
        _changed("metadata.name", "another"),
        _changed("metadata.namespace", "another"),
        _changed("metadata.ownerReferences", []),
        _changed("metadata.ownerReferences.0.uid", "uid-of-a-later-parent"),
        _changed("metadata.ownerReferences.0.name", "another"),
        _changed("spec.inputs", {"f": "kestra:///a/executions/secret/tasks/c"}),
        _changed("spec.inputs.more", "x"),
        _changed("spec.flow.id", "prints-what-it-gets"),
        _changed("spec.parent.execution", "another"),
        _changed("spec.labels", {"file": "kestra:///a/executions/secret/tasks/c"}),
        _changed("spec.replay", {"execution": "another"}),
        _changed("spec.trigger", {"id": "t", "type": "x.Flow"}),
    ],
)
def test_what_somebody_else_wrote_is_called_by_nobody(forge: Callable[[Body], None]) -> None:
    # given: a copy of what the controller made, with its signature
    body = deepcopy(child())
    # when
    forge(body)
    # then
    assert provenance.caller(body) is None


def test_the_signature_of_one_that_nobody_called_is_none() -> None:
    maker = deepcopy(PARENT)
    spec = ExecutionSpec(flow=FlowReference(name="load"))
    made = provenance.signed(maker, build_execution(maker, StartExecution("replay", spec)))
    assert CALLED_BY not in made["metadata"]["annotations"]
    assert provenance.caller(made) is None


def test_once_begun_the_status_counts_alone() -> None:
    # given
    noted = {"state": "RUNNING", "calledBy": {"execution": "grand", "uid": "uid-grand"}}
    # then
    assert provenance.caller(child() | {"status": noted}) == CallerReference(
        execution="grand", uid="uid-grand"
    )
    assert provenance.caller(child() | {"status": {"state": "RUNNING"}}) is None


def test_a_retry_is_called_by_whoever_called_the_first_one() -> None:
    # given
    first = child() | {"status": {"state": "RUNNING", "calledBy": CALLER.model_dump()}}
    retry = RetryReference(original="child", attempt=2, first_date=datetime(2030, 1, 1, tzinfo=UTC))
    # then
    assert provenance.caller(child(first, "child-retry", retry=retry)) == CALLER


def test_a_retry_of_one_that_claims_a_parent_is_called_by_nobody() -> None:
    # given: somebody wrote a parent and an owner into an execution, and its flow is tried again
    claims = child()
    _unsigned(claims)
    claims["status"] = {"state": "RUNNING"}
    # then
    assert provenance.caller(child(claims, "child-retry")) is None


def test_without_the_storage_it_waits() -> None:
    # given
    def away() -> bytes:
        raise StorageUnavailable("not there yet")

    waiting, body = Provenance(away), child()
    # then
    with pytest.raises(StorageUnavailable):
        waiting.caller(body)
    with pytest.raises(StorageUnavailable):
        waiting.signed(PARENT, body)
    _unsigned(body)
    assert waiting.caller(body) is None


class Maker:
    """The controller's part that makes executions, with an API server in memory."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        self.api = MemoryApi()
        self.seen: list[Body] = []
        secrets = SecretLocations(SecretSettings(), ObjectStore())
        self.maker = ExecutionMaker(
            cast("Api", self.api), ObjectStore(), secrets, Provenance(key), self.seen.append
        )

    async def makes(self) -> None:
        spec = ExecutionSpec(
            flow=FlowReference(name="load"),
            parent=ParentReference(execution="parent", task_run="r", attempt=1),
        )
        await self.maker.make(PARENT, StartExecution("child", spec))


async def test_what_the_controller_makes_is_signed() -> None:
    # given
    maker = Maker(lambda: KEY)
    # when
    await maker.makes()
    # then
    (made,) = maker.seen
    assert provenance.caller(made) == CALLER


async def test_a_child_is_made_once_the_storage_is_there() -> None:
    # given
    def away() -> bytes:
        raise StorageUnavailable("not there yet")

    maker = Maker(away)
    # then: its reconcile comes again
    with pytest.raises(StorageUnavailable) as error:
        await maker.makes()
    assert isinstance(outcome_of(error.value), Retry)
    assert maker.seen == []
