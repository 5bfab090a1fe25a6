"""The models of the inputs that a flow asks for.

How a given value becomes the declared type: :mod:`penstock.flow.values`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, model_validator

from penstock.flow.constraints import comparable, compiled
from penstock.flow.model import Document, is_expression

InputType = Literal[
    "STRING", "ENUM", "SELECT", "MULTISELECT", "INT", "FLOAT", "BOOLEAN", "BOOL", "DATETIME",
    "DATE", "TIME", "DURATION", "FILE", "JSON", "YAML", "URI", "SECRET", "ARRAY", "EMAIL",
]  # fmt: skip

_FILES = ("nsfile:///", "file:///", "kestra:///")


class DependsOn(Document):
    """The dependency of an input on other inputs.

    ```yaml
    inputs: [size]
    condition: "{{ inputs.size == 'large' }}"
    ```
    """

    inputs: list[str] = []
    """The ids of the other inputs; expressions of this input see their values."""
    condition: str | None = None
    """What must hold; otherwise the input is left out. Rendered."""


class Input(Document):
    """One input of a flow.

    ```yaml
    id: size
    type: SELECT
    values: [small, large]
    defaults: small
    ```
    """

    id: Annotated[
        str,
        Field(
            pattern=r"^[a-zA-Z0-9][.a-zA-Z0-9_-]*$",
            validation_alias=AliasChoices("id", "name"),
        ),
    ]
    """The input's name; a dotted name makes nested values. Also written `name`."""
    type: InputType
    """The type to which a given value is brought."""
    description: str | None = None
    """What the input asks for."""
    required: bool = True
    """Whether a value must be given where there is no default."""
    defaults: Any = None
    """The value where none is given. Rendered."""
    prefill: Any = None
    """What a form shows at first; never applied by itself."""
    display_name: Annotated[str, Field(max_length=64)] | None = None
    """A name for people; no effect."""
    depends_on: DependsOn | None = None
    """The other inputs on which this one depends."""
    values: Annotated[
        list[Any] | None, Field(validation_alias=AliasChoices("values", "options"))
    ] = None
    """The values that may be chosen. Also written `options`."""
    expression: str | None = None
    """An expression that gives the values that may be chosen. Rendered."""
    allow_custom_value: bool = False
    """Whether a value outside the list may be given."""
    auto_select_first: bool = False
    """Whether the first of the values is the default."""
    is_radio: bool = False
    """How a form shows the values; no effect."""
    item_type: InputType | None = None
    """The type of each element of an ARRAY or MULTISELECT."""
    validator: str | None = None
    """A regular expression that the whole value must match."""
    min: Any = None
    """The least value, for INT, FLOAT and DURATION."""
    max: Any = None
    """The greatest value, for INT, FLOAT and DURATION."""
    after: Any = None
    """The earliest value, for DATE, TIME and DATETIME."""
    before: Any = None
    """The latest value, for DATE, TIME and DATETIME."""
    extension: str | None = None
    """The ending of a file's name; no effect."""
    allowed_file_extensions: list[str] | None = None
    """Which endings a file's name may have; no effect yet."""
    accept: Any = None
    """Which files a form offers; no effect."""

    @classmethod
    def property_names(cls) -> list[str]:
        return [*super().property_names(), "name", "options"]

    @model_validator(mode="after")
    def _check(self) -> Input:
        if self.type == "ARRAY" and self.item_type is None:
            raise ValueError("an input of type ARRAY needs an `itemType`")
        if self.item_type == "ARRAY":
            raise ValueError("`itemType` cannot be `ARRAY`")
        if self.type == "ENUM" and not self.values:
            raise ValueError("an input of type ENUM needs `values`")
        if self.type in ("SELECT", "MULTISELECT") and not (self.values or self.expression):
            raise ValueError(f"an input of type {self.type} needs `values` or an `expression`")
        self._check_constraints()
        return self

    def _check_constraints(self) -> None:
        """Refuse a pattern or a bound that makes no sense. Raises ``ValueError``."""
        if self.validator is not None:
            compiled(self.validator)
        compare = comparable(self.type)
        for name in ("min", "max", "after", "before"):
            bound = getattr(self, name)
            if bound is None or compare is None:
                continue
            try:
                compare(bound)
            except (ValueError, TypeError):
                raise ValueError(f"`{name}` is not of type {self.type}: `{bound}`") from None


def is_file(value: Any) -> bool:
    """Whether the default of an input of type FILE can be read; Kestra takes any text."""
    return value is None or is_expression(value) or str(value).startswith(_FILES)


def nest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by their dotted ids as nested maps: ``{"a.b": 1}`` becomes ``{"a": {"b": 1}}``."""
    nested: dict[str, Any] = {}
    for name, value in values.items():
        *parents, last = name.split(".")
        level = nested
        for part in parents:
            inner = level.get(part)
            level[part] = dict(inner) if isinstance(inner, dict) else {}
            level = level[part]
        level[last] = value
    return nested
