"""Reads the docstrings of classes and of their attributes, which are shown to users.

The prose of a class describes it. A paragraph that begins with `Outputs:` describes the outputs of
a task, and fenced YAML is an example. An attribute is described by the text below it; a last
sentence `Rendered.` says that an expression may stand there.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from dataclasses import dataclass
from functools import cache

_EXAMPLE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LITERAL = re.compile(r"``([^`\n]+)``")
_ROLE = re.compile(r":(?:class|func|mod):`~?([^`]+)`")
_OUTPUTS = "Outputs:"


@dataclass(frozen=True)
class Described:
    """A docstring in its parts; the prose as paragraphs of Markdown."""

    prose: tuple[str, ...] = ()
    outputs: str | None = None
    examples: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        return self.prose[0] if self.prose else ""


def describe(text: str | None) -> Described:
    """Take a docstring apart."""
    if not text:
        return Described()
    cleaned = inspect.cleandoc(text)
    examples = tuple(_EXAMPLE.findall(cleaned))
    paragraphs = [prose(paragraph) for paragraph in re.split(r"\n\s*\n", _EXAMPLE.sub("", cleaned))]
    outputs = [text for text in paragraphs if text.startswith(_OUTPUTS)]
    return Described(
        prose=tuple(text for text in paragraphs if text and text not in outputs),
        outputs=outputs[0].removeprefix(_OUTPUTS).strip() if outputs else None,
        examples=examples,
    )


def prose(text: str) -> str:
    """A paragraph as Markdown on one line, without marks that are only for readers of the code."""
    text = _ROLE.sub(r"`\1`", text)
    return " ".join(_LITERAL.sub(r"`\1`", text).split())


def describe_class(cls: type) -> Described:
    """The parts of a class's docstring. Outputs that it does not describe are those of its
    bases."""
    own = describe(_class_docstring(cls))
    if own.outputs is None:
        inherited = [describe(_class_docstring(base)).outputs for base in cls.__mro__[1:]]
        outputs = next((text for text in inherited if text is not None), None)
        own = Described(own.prose, outputs, own.examples)
    return own


def attribute_docstrings(cls: type) -> dict[str, str]:
    """The text below each attribute, by name; a class's own comes before that of its bases."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= _own_docstrings(base)
    return found


def _class_docstring(cls: type) -> str | None:
    """The docstring as it is written: a dataclass without one gets one made from its fields, which
    is none."""
    node = _syntax(cls)
    return ast.get_docstring(node) if node is not None else None


@cache
def _own_docstrings(cls: type) -> dict[str, str]:
    node = _syntax(cls)
    if node is None:
        return {}
    return {
        item.target.id: inspect.cleandoc(text.value.value)
        for item, text in zip(node.body, node.body[1:], strict=False)
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


@cache
def _syntax(cls: type) -> ast.ClassDef | None:
    if not cls.__module__.startswith("penstock."):
        return None
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    (node,) = tree.body
    assert isinstance(node, ast.ClassDef)
    return node
