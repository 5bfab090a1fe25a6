"""The Dockerfile takes one base, by whatever reference a build gives it, and little besides."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
LINES = [line for line in TEXT.splitlines() if not line.startswith("#")]


def installed() -> set[str]:
    """The packages that apt installs."""
    found = re.findall(r"apt-get install -y --no-install-recommends ([a-z0-9 -]+)", TEXT)
    assert len(found) == TEXT.count("apt-get install")
    return {package for packages in found for package in packages.split()}


def test_each_stage_is_on_the_base_that_the_build_names() -> None:
    assert [line.split()[1] for line in LINES if line.startswith("FROM")] == ["${BASE_IMAGE}"] * 2
    # and the image says which it was: the argument is known in a stage where it stands in it
    last = TEXT.rpartition("FROM ${BASE_IMAGE}")[2]
    assert re.search(r"^ARG BASE_IMAGE$", last, re.MULTILINE)
    assert 'org.opencontainers.image.base.name="${BASE_IMAGE}"' in last


def test_the_packages_of_apt_are_those_in_the_docs() -> None:
    docs = (ROOT / "docs/operations.md").read_text()
    section = docs.partition("## The image of a release")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert installed() == {name for row in rows for name in re.findall("`([^`]+)`", row)}


def test_what_pip_fetches_it_knows_by_hash() -> None:
    calls = [call for line in LINES for call in line.split("&&") if " install " in call]
    fetching = [call for call in calls if "pip" in call and "--no-index" not in call]
    assert len(fetching) == 2
    assert all("--require-hashes" in call for call in fetching)
