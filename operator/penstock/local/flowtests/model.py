"""The models of a test's document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from penstock.flow.document import FLOW_ID_PATTERN, NAMESPACE_PATTERN
from penstock.flow.model import Document
from penstock.flow.task import TASK_ID_PATTERN

UNIT_TEST = "io.kestra.core.tests.flow.UnitTest"

FixtureState = Literal["SUCCESS", "WARNING", "FAILED", "SKIPPED", "KILLED"]

TestId = Annotated[str, Field(pattern=TASK_ID_PATTERN, max_length=256)]


class TaskFixture(Document):
    """A task that is not run."""

    id: str
    """The id of the task."""
    value: str | int | float | bool | None = None
    """The loop's value, where the fixture is for one iteration only."""
    state: FixtureState = "SUCCESS"
    """How the task ends."""
    outputs: dict[str, Any] = {}
    """The outputs of the task."""
    description: str | None = None
    """Why the task is not run."""


class TriggerFixture(Document):
    """The trigger by which the execution was started."""

    id: str
    """The id of a trigger of the flow."""
    type: str | None = None
    """The type of the trigger; that of the flow's trigger where it is not given."""
    variables: dict[str, Any] = {}
    """The variables that expressions see as `trigger.…`."""


class Fixtures(Document):
    """The inputs, files and trigger that an execution finds, and the tasks of it that are not
    run."""

    inputs: dict[str, Any] = {}
    """Values of the flow's inputs."""
    files: dict[str, str] = {}
    """Files of the flow's namespace, by path: `fileURI('path')`, or `files['path']` in fixtures."""
    tasks: list[TaskFixture] = []
    """Tasks that are not run."""
    trigger: TriggerFixture | None = None
    """The trigger by which the execution was started."""


class Assertion(Document):
    """A value, and what must be true of it. Several conditions must all be true."""

    value: str | int | float | bool | list[Any] | dict[str, Any]
    """The value, mostly an expression. It sees what the outputs of the flow see."""
    task_id: str | None = None
    """The id of a task: the expression sees what this task saw."""
    description: str | None = None
    """What the assertion is for."""
    error_message: str | None = None
    """The message where the assertion is not true."""
    equal_to: Any = None
    """What the value must equal. Kestra's documentation also writes `equalsTo`."""
    equals_to: Any = None
    """Means `equalTo`."""
    not_equal_to: Any = None
    not_equals_to: Any = None
    """Means `notEqualTo`."""
    greater_than: Any = None
    greater_than_or_equal_to: Any = None
    less_than: Any = None
    less_than_or_equal_to: Any = None
    in_: Annotated[list[Any] | str | None, Field(alias="in")] = None
    not_in: list[Any] | str | None = None
    is_null: bool | None = None
    is_not_null: bool | None = None
    starts_with: str | None = None
    ends_with: str | None = None
    contains: Any = None

    @model_validator(mode="after")
    def _asserts_something(self) -> Self:
        if not self.conditions():
            names = ", ".join(f"`{name}`" for name in OPERATORS)
            raise ValueError(f"an assertion needs one of {names}")
        return self

    def conditions(self) -> dict[str, Any]:
        """The wanted values by their operators, as they are written."""
        fields = type(self).model_fields
        return {
            fields[name].alias or name: getattr(self, name)
            for name in _CONDITIONS
            if name in self.model_fields_set
        }


_CONDITIONS = tuple(
    name
    for name in Assertion.model_fields
    if name not in ("value", "task_id", "description", "error_message")
)
OPERATORS = tuple(Assertion.model_fields[name].alias or name for name in _CONDITIONS)
"""The names of the conditions, as they are written."""


class TestCase(Document):
    """A case: one execution, and the assertions about it."""

    id: TestId
    """The name of the case, unique in its test."""
    type: Literal["io.kestra.core.tests.flow.UnitTest"]
    """Always `io.kestra.core.tests.flow.UnitTest`."""
    description: str | None = None
    """What is tested, in words."""
    disabled: bool = False
    """A disabled case is not run."""
    fixtures: Fixtures = Fixtures()
    """The inputs, files and trigger that the execution finds, and the tasks of it that are not
    run."""
    assertions: Annotated[list[Assertion], Field(min_length=1)]
    """The assertions about the execution when it has ended."""


class FlowTest(Document):
    """A test: cases for one flow."""

    id: TestId
    """The name of the test."""
    namespace: Annotated[str, Field(pattern=NAMESPACE_PATTERN)]
    """The namespace of the flow."""
    flow_id: Annotated[str, Field(pattern=FLOW_ID_PATTERN)]
    """The id of the flow."""
    description: str | None = None
    """What is tested, in words."""
    disabled: bool = False
    """None of the cases of a disabled test is run."""
    test_cases: Annotated[list[TestCase], Field(min_length=1)]
    """The cases; each is an execution of its own."""

    @model_validator(mode="after")
    def _unique(self) -> Self:
        ids = [case.id for case in self.test_cases]
        if twice := next((name for name in ids if ids.count(name) > 1), None):
            raise ValueError(f"two test cases have the id `{twice}`")
        return self
