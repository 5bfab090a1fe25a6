"""The page of the types of inputs, each with a value as it is given and as expressions see it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class InputExample:
    """One type of input."""

    text: str
    given: Any
    """A value as an Execution may give it."""
    becomes: Any
    """That value as expressions see it."""
    declared: Mapping[str, Any] = field(default_factory=dict)
    """The further properties of the example's input."""

    def row(self, name: str) -> str:
        """The row of the type in the table."""
        extra = "".join(f", `{key}: {json.dumps(value)}`" for key, value in self.declared.items())
        cells = [f"`{name}`{extra}", self.text, _shown(self.given), _shown(self.becomes)]
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _shown(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


INPUT_TYPES: dict[str, InputExample] = {
    "STRING": InputExample("Text; a number or boolean becomes text.", 12, "12"),
    "INT": InputExample("A whole number of 64 bits.", "12", 12),
    "FLOAT": InputExample("A number.", "2.5", 2.5),
    "BOOLEAN": InputExample("True or false; text in any case.", "TRUE", True),
    "BOOL": InputExample("The newer name of `BOOLEAN`.", "false", False),
    "SELECT": InputExample(
        "One of the values, unless `allowCustomValue`.", "dev", "dev", {"values": ["dev", "prod"]}
    ),
    "ENUM": InputExample("The older name of `SELECT`.", "dev", "dev", {"values": ["dev", "prod"]}),
    "MULTISELECT": InputExample(
        "Several of the values, as a list or its JSON.",
        '["dev"]',
        ["dev"],
        {"values": ["dev", "prod"]},
    ),
    "ARRAY": InputExample(
        "A list, or its JSON; each element becomes the `itemType`.",
        '["1", 2]',
        [1, 2],
        {"itemType": "INT"},
    ),
    "JSON": InputExample("JSON text, or any value.", '{"a": [1]}', {"a": [1]}),
    "YAML": InputExample("YAML text, or any value.", "a: [1]", {"a": [1]}),
    "DATETIME": InputExample(
        "A date with a time, in ISO-8601.", "2026-01-15T10:30:00Z", "2026-01-15T10:30:00Z"
    ),
    "DATE": InputExample("A date in ISO-8601.", "2026-01-15", "2026-01-15"),
    "TIME": InputExample("A time of day in ISO-8601.", "10:30:00", "10:30:00"),
    "DURATION": InputExample("An ISO-8601 duration.", "P1D", "PT24H"),
    "URI": InputExample(
        "An address with a scheme.", "https://example.com/a", "https://example.com/a"
    ),
    "EMAIL": InputExample("An e-mail address.", "ada@example.com", "ada@example.com"),
    "FILE": InputExample(
        "The URI of a file; an Execution may also give a small one as `data:…`.",
        "nsfile:///report.csv",
        "nsfile:///report.csv",
    ),
    "SECRET": InputExample("Text that messages do not show.", "s3cret", "s3cret"),
}
