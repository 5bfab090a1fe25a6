"""Reads the properties of a runnable task, before and after they are rendered.

A task is a standard-library dataclass, because its pod must start at once. The controller checks it
with pydantic: a model is made from the dataclass's fields, so that a task is described only once.

- Before rendering (:func:`check`) an expression may stand wherever another type is wanted.
- Where text is wanted a map or a list may stand, if the field is a :data:`Text`.
- After rendering (:func:`read`) text becomes what the field wants, as in Kestra: `"3"` an integer,
  `PT5S` a duration, `["a"]` a list.
"""

from __future__ import annotations

import json
import types
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag, ValidationError
from pydantic import create_model as make_model
from pydantic_core import InitErrorDetails

from penstock.flow.model import Document, Duration, Rendered, as_details
from penstock.flow.problems import format_location
from penstock.tasks.contract.task import TaskFailure
from penstock.tasks.contract.texts import is_text, json_text
from penstock.tasks.pod.main import camel

T = TypeVar("T")

Stage = Literal["written", "rendered", "packed"]
"""Properties as a flow has them, for the task itself, and for the task in its pod."""

_TAG = "type:"
"""Marks the parts of an error's location that pydantic adds for a union and nobody wrote."""


def check(task: type[Any], properties: Mapping[str, Any]) -> None:
    """Check properties as they were written. Raises ``ValidationError``."""
    try:
        _model(_key(task), "written").model_validate(dict(properties))
    except ValidationError as error:
        raise ValidationError.from_exception_data(task.__name__, _cleaned(error)) from None


def read(task: type[T], properties: Mapping[str, Any], *, packed: bool = False) -> T:
    """Read rendered properties. Raises :class:`TaskFailure` with words for the flow's author.

    ``packed``: a map in the place of a text stays one. The pod makes JSON of it, once the secrets
    in it have their values: these may hold quotes.
    """
    stage = "packed" if packed else "rendered"
    try:
        model = _model(_key(task), stage).model_validate(dict(properties))
    except ValidationError as error:
        raise TaskFailure("; ".join(map(_in_words, _cleaned(error)))) from None
    built: T = _build(task, model)
    return built


def write(task: Any) -> dict[str, Any]:
    """The properties of a read task as JSON values: what its pod reads."""
    return {
        camel(item.name): _as_json(getattr(task, item.name))
        for item in fields(task)
        if getattr(task, item.name) is not None
    }


def _as_json(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return write(value) if is_dataclass(value) else value


def property_names(task: type[Any]) -> list[str]:
    """The properties of a task by the names that a flow file uses."""
    return [camel(item.name) for item in fields(task)]


def _key(task: type[Any]) -> Hashable:
    """A class as a key: the type checker doubts that every class is one."""
    key: Any = task
    assert isinstance(key, Hashable)
    return key


@cache
def _model(task: Any, stage: Stage) -> type[Document]:
    hints = get_type_hints(task, include_extras=True)
    definitions: dict[str, Any] = {}
    for item in fields(task):
        default: dict[str, Any] = {} if item.default is MISSING else {"default": item.default}
        if item.default_factory is not MISSING:
            default = {"default_factory": item.default_factory}
        described = Field(alias=camel(item.name), **default)
        definitions[item.name] = (_wanted(hints[item.name], stage), described)
    made: type[Document] = make_model(
        task.__name__, __base__=_Base, __module__=task.__module__, **definitions
    )
    return made


class _Base(Document):
    """Made models have no source to take descriptions from."""


def _wanted(hint: Any, stage: Stage) -> Any:
    if hint is Any:
        return Any
    if hint is str:
        return Annotated[str, BeforeValidator(_text)]
    if is_text(hint):
        if stage == "rendered":
            return Annotated[str, BeforeValidator(_text_or_json)]
        return Annotated[str | dict[Any, Any] | list[Any], BeforeValidator(_text)]
    wanted = _typed(hint, stage)
    return Annotated[wanted, Rendered] if stage == "written" else wanted


def _typed(hint: Any, stage: Stage) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is timedelta:
        return Duration
    if isinstance(hint, type) and is_dataclass(hint):
        return Annotated[_model(hint, stage), BeforeValidator(_json_text)]
    if origin in (Union, types.UnionType):
        return _union(arguments, stage)
    if origin is list:
        item = _wanted(arguments[0], stage)
        return Annotated[list[item], BeforeValidator(_json_text)]  # type: ignore[valid-type]
    if origin is dict:
        item = _wanted(arguments[1], stage)
        return Annotated[dict[str, item], BeforeValidator(_json_text)]  # type: ignore[valid-type]
    return hint


def _union(members: tuple[Any, ...], stage: Stage) -> Any:
    """Members are told apart by the kind of the value, so that an error speaks of one of them."""
    wanted = [member for member in members if member is not types.NoneType]
    if len(wanted) == 1:
        return _optional(wanted[0], stage)
    by_kind = {_kind_of_hint(member): _wanted(member, stage) for member in wanted}
    first = next(iter(by_kind))
    tagged = tuple(Annotated[member, Tag(_TAG + kind)] for kind, member in by_kind.items())

    def choose(value: Any) -> str:
        kind = (
            "list" if isinstance(value, list) else "dict" if isinstance(value, dict) else "scalar"
        )
        return _TAG + (kind if kind in by_kind else first)

    united: Any = Annotated[Union[tagged], Discriminator(choose)]  # noqa: UP007
    return united if len(wanted) == len(members) else united | None


def _optional(member: Any, stage: Stage) -> Any:
    wanted: Any = _wanted(member, stage)
    return Union[wanted, None]  # noqa: UP007


def _kind_of_hint(hint: Any) -> str:
    origin = get_origin(hint) or hint
    if origin in (list, dict):
        return str(origin.__name__)
    return "dict" if is_dataclass(origin) else "scalar"


def _text(value: Any) -> Any:
    """YAML's numbers and booleans where text is wanted, as Kestra reads them."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _text_or_json(value: Any) -> Any:
    return json_text(value) if isinstance(value, dict | list) else _text(value)


def _json_text(value: Any) -> Any:
    """A list or map that an expression gave as JSON text."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _build(task: type[Any], model: BaseModel) -> Any:
    hints = get_type_hints(task)
    return task(
        **{item.name: _built(hints[item.name], getattr(model, item.name)) for item in fields(task)}
    )


def _built(hint: Any, value: Any) -> Any:
    if not isinstance(value, BaseModel):
        return value
    for member in (hint, *get_args(hint)):
        if isinstance(member, type) and is_dataclass(member):
            return _build(member, value)
    raise AssertionError(f"no dataclass in {hint}")


def _cleaned(error: ValidationError) -> list[InitErrorDetails]:
    details = as_details(error)
    for detail in details:
        location = detail.get("loc", ())
        detail["loc"] = tuple(part for part in location if not str(part).startswith(_TAG))
    return details


def _in_words(detail: InitErrorDetails) -> str:
    error = ValidationError.from_exception_data("task", [detail]).errors(include_url=False)[0]
    return f"property `{format_location(error['loc'])}`: {error['msg']}"
