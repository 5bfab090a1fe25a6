"""The lock files: complete, with hashes, and without an address."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")


def locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^ ]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_by_hash_and_none_by_address(name: str) -> None:
    text = (ROOT / name).read_text()
    joined = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]

    assert "://" not in text
    assert all(re.match(r"[A-Za-z0-9_.-]+==\S+ ", line) for line in joined)
    assert all("--hash=sha256:" in line for line in joined)


def test_everything_that_the_package_asks_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[>=<\[ ]", item)[0].lower() for item in project["dependencies"]}

    assert wanted <= set(locked("requirements.lock"))


def test_development_runs_what_is_shipped() -> None:
    development = locked("requirements-dev.lock")

    assert locked("requirements.lock").items() <= development.items()
