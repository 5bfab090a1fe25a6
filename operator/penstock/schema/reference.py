"""The reference in `docs/reference/`: every page by its path in the repository."""

from __future__ import annotations

from penstock.schema.reference_expressions import expressions_page
from penstock.schema.reference_flow import flow_page, inputs_page, triggers_page
from penstock.schema.reference_pages import (
    FLOW_PAGE,
    FOLDER,
    INPUTS_PAGE,
    TASKS_PAGE,
    TRIGGERS_PAGE,
    page,
    relative,
)
from penstock.schema.reference_tasks import tasks_pages

EXPRESSIONS_PAGE = f"{FOLDER}/expressions.md"
_INDEX = f"{FOLDER}/README.md"


def reference_files() -> dict[str, str]:
    """The pages of the reference, by their paths."""
    return {
        _INDEX: _index(),
        FLOW_PAGE: flow_page(),
        INPUTS_PAGE: inputs_page(),
        TRIGGERS_PAGE: triggers_page(),
        EXPRESSIONS_PAGE: expressions_page(),
        **tasks_pages(),
    }


def _index() -> str:
    pages = {
        FLOW_PAGE: ("Flow", "the document: every property"),
        INPUTS_PAGE: ("Inputs", "the types, and what each takes"),
        TASKS_PAGE: ("Tasks", "every type, with properties, outputs and an example"),
        TRIGGERS_PAGE: ("Triggers", "what starts a flow by itself"),
        EXPRESSIONS_PAGE: ("Expressions", "operators, tags, filters, functions and tests"),
    }
    lines = ["Made from the code that reads and runs flows, so that it is never behind it.", ""]
    lines += [
        f"- [{name}]({relative(_INDEX, path)}): {text}" for path, (name, text) in pages.items()
    ]
    return page("Reference", lines)
