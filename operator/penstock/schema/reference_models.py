"""The properties of a model or of a task's dataclass, described for a flow's author."""

from __future__ import annotations

import dataclasses
import json
import re
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from penstock.flow.inputs import Input, InputType
from penstock.flow.model import Content, Document, Rendered, format_duration
from penstock.flow.task import Task
from penstock.schema.reference_docstrings import attribute_docstrings, prose
from penstock.tasks.contract.texts import is_text
from penstock.tasks.pod.main import camel

RENDERED = "Rendered."
"""The last sentence of a description where an expression may stand."""

LinkTo = Callable[[type], str]
"""The address of a type's section (of the tasks, for a task) from the page that is written."""

_WORDS: dict[Any, str] = {
    str: "text",
    bool: "boolean",
    int: "integer",
    float: "number",
    timedelta: "duration",
    time: "time of day",
    Any: "any",
}


@dataclass(frozen=True)
class Property:
    """One property of a flow document."""

    name: str
    hint: Any
    required: bool
    default: Any
    description: str
    rendered: bool
    """Whether an expression may stand there."""

    def row(self, link: LinkTo) -> str:
        """The row of the property in a table."""
        default = "**required**" if self.required else _default(self.default)
        cells = [
            f"`{self.name}`",
            words(self.hint, link),
            default,
            "●" if self.rendered else "",
            self.description,
        ]
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def properties(cls: type) -> list[Property]:
    """The properties of a model, or of the dataclass of a runnable task, which renders them all."""
    if issubclass(cls, BaseModel):
        return list(_of_model(cls))
    return list(_of_dataclass(cls))


def table(items: list[Property], link: LinkTo) -> list[str]:
    """The properties as a Markdown table."""
    head = ["| property | type | default | `{{ }}` | |", "|---|---|---|---|---|"]
    return [*head, *(item.row(link) for item in items), ""]


def nested(cls: type) -> Iterator[type]:
    """The types of maps inside the properties of a type; a task is none of them."""
    for item in properties(cls):
        for member in _flat(item.hint):
            if _is_map_type(member):
                yield member


def words(hint: Any, link: LinkTo) -> str:
    """A type in words; types with properties of their own are links."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_text(hint) or hint == Content:
        return "text, map or list"
    if origin is Annotated:
        return words(arguments[0], link)
    if hint in _WORDS:
        return _WORDS[hint]
    if hint == InputType:
        return f"[type of an input]({link(Input).partition('#')[0]}#types)"
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return _either([words(member, link) for member in arguments if member is not type(None)])
    if origin is list:
        return _of("list", words(arguments[0], link))
    if origin is dict:
        return _of("map", words(arguments[1], link))
    assert isinstance(hint, type), f"no words for {hint!r}"
    return f"[{title(hint)}]({link(hint)})"


def title(cls: type) -> str:
    """`FlowOutput` as `flow output`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__).lower()


def _either(members: list[str]) -> str:
    members = [m for m in dict.fromkeys(members) if m != "integer" or "number" not in members]
    *others, last = members
    return f"{', '.join(others)} or {last}" if others else last


def _of(container: str, inner: str) -> str:
    return container if inner == "any" else f"{container} of {inner}"


def _default(value: Any) -> str:
    if (
        value is None
        or value in ([], {})
        or isinstance(value, BaseModel)
        or dataclasses.is_dataclass(value)
    ):
        return ""
    if isinstance(value, timedelta):
        return f"`{format_duration(value)}`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _of_model(model: type[BaseModel]) -> Iterator[Property]:
    texts = attribute_docstrings(model)
    open_map = issubclass(model, Document) and model.open_properties
    for name, field in model.model_fields.items():
        if open_map and name == "properties":
            continue
        text = prose(texts.get(name, ""))
        default = field.default_factory() if field.default_factory else field.default  # type: ignore[call-arg]
        yield Property(
            name=field.alias or name,
            hint=field.annotation,
            required=default is PydanticUndefined,
            default=default,
            description=text.removesuffix(RENDERED).strip(),
            rendered=text.endswith(RENDERED) or _takes_expression(field),
        )


def _takes_expression(field: Any) -> bool:
    return Rendered in field.metadata or Rendered in _metadata(field.annotation)


def _metadata(hint: Any) -> Iterator[Any]:
    if get_origin(hint) is Annotated:
        yield from hint.__metadata__
    for argument in get_args(hint):
        yield from _metadata(argument)


def _of_dataclass(cls: Any) -> Iterator[Property]:
    texts, hints = attribute_docstrings(cls), get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        yield Property(
            name=camel(field.name),
            hint=hints[field.name],
            required=default is dataclasses.MISSING,
            default=default,
            description=prose(texts.get(field.name, "")),
            rendered=True,
        )


def _flat(hint: Any) -> Iterator[Any]:
    arguments = get_args(hint)
    if get_origin(hint) is Annotated:
        arguments = arguments[:1]
    if not arguments:
        yield hint
    for argument in arguments:
        yield from _flat(argument)


def _is_map_type(hint: Any) -> bool:
    if not isinstance(hint, type):
        return False
    return (issubclass(hint, Document) and not issubclass(hint, Task)) or dataclasses.is_dataclass(
        hint
    )
