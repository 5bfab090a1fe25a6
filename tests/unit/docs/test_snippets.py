"""What the documentation shows is true: flows parse, commands run, links lead somewhere."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel

from penstock.controller.runtime.metrics import Metrics
from penstock.flow.loading import load_documents
from penstock.resources.execution import (
    Attempt,
    ExecutionSpec,
    ExecutionStatus,
    FlowReference,
    OutputsReference,
    ResourceModel,
    TaskRun,
)
from penstock.resources.flow import FlowStatus, TriggerStatus
from penstock.resources.gitsource import GitSourceSpec, GitSourceStatus
from penstock.resources.keyvalue import KeyValueSpec
from penstock.resources.trigger_state import (
    BackfillRequest,
    BackfillStatus,
    TriggerStateSpec,
    TriggerStateStatus,
)
from penstock.types import flow_parser
from tests.unit.docs.snippets import (
    API_VERSION,
    ROOT,
    Block,
    blocks,
    commands,
    documents,
    first_missing,
    flow_of,
    pages,
    run,
)

_LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
_DOCUMENTS = [(block, document) for page in pages() for block, document in documents(page)]
_LOCAL = [block for page in pages() for block in blocks(page) if block.mark == "local"]


def _ids(value: object) -> str | None:
    return value.id if isinstance(value, Block) else ""


@pytest.mark.parametrize(("block", "document"), _DOCUMENTS, ids=_ids)
def test_manifests_and_flows_are_valid(block: Block, document: Any) -> None:
    flow = flow_of(document)
    if flow is not None:
        text = yaml.safe_dump(dict(flow), sort_keys=False)
        flow_parser().parse(load_documents(text)[0])
    elif isinstance(document, dict) and document.get("apiVersion") == API_VERSION:
        spec = dict(document["spec"])
        if document["kind"] == "GitSource":
            url = str(spec["url"]).replace("$FLOWS_URL", "https://git.example.com/flows.git")
            GitSourceSpec.model_validate(spec | {"url": url})
        elif document["kind"] == "KeyValue":
            KeyValueSpec.model_validate(spec)
        else:
            assert document["kind"] == "Execution"
            ExecutionSpec.model_validate(spec)


@pytest.mark.parametrize("block", _LOCAL, ids=_ids)
def test_local_commands_do_what_is_shown(block: Block) -> None:
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    for command in commands(block):
        run(command, os.environ | {"PATH": path}, ROOT)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in _LINK.findall(page.read_text()):
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in _anchors(linked), f"{page.name}: {target}#{anchor}"


@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("gitsource", [GitSourceSpec, GitSourceStatus]),
        ("flow", [FlowStatus, TriggerStatus]),
        ("triggers", [TriggerStateSpec, TriggerStateStatus]),
        ("triggers/schedule", [BackfillRequest, BackfillStatus]),
        ("kv", [KeyValueSpec]),
        (
            "execution",
            [ExecutionSpec, FlowReference, ExecutionStatus, TaskRun, Attempt, OutputsReference],
        ),
    ],
)
def test_every_field_is_described(name: str, models: list[type[ResourceModel]]) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text()
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`", text))))
    for model in models:
        missing = {to_camel(field) for field in model.model_fields} - words
        assert not missing, f"{model.__name__}: {missing}"


def test_every_metric_is_described() -> None:
    metrics = Metrics()
    metrics.watch_state([{}], lambda: 0)
    text = (ROOT / "docs" / "operations.md").read_text()
    families = [
        f"{family.name}_total" if family.type == "counter" else family.name
        for registry in (metrics.registry, metrics.task_registry)
        for family in registry.collect()
    ]

    assert families
    assert [name for name in families if f"`{name}`" not in text] == []


def test_expected_lines_come_in_order_with_wildcards() -> None:
    output = "NAME    AGE\nfirst   12s\nlast    1s\n"

    assert first_missing(["NAME AGE", "first …", "…", "last 1s"], output) is None
    assert first_missing(["last …", "first …"], output) == "first …"
    assert first_missing(["missing"], output) == "missing"


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
