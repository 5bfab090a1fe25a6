"""The types that Kestra is known to have, and whether another name may be the type of a plugin.

Two answers are kept apart, because the author of a flow has to do different things: a type that
Penstock does not serve yet is no mistake, a misspelt one is. The list is `known_types.txt`. A name
in a known package of plugins is taken for no mistake: plugins grow faster than any list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher, get_close_matches
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

Use = Literal["task", "trigger", "condition", "task runner", "plugin"]
"""Where a type is named; `plugin` is an object inside a task, such as the provider of a model."""

_ROOT = "io.kestra."
_PLUGINS = "io.kestra.plugin."
_COMPLETE_TYPES = frozenset({"core", "scripts"})
"""Groups of plugins of which every type is listed."""
_COMPLETE_PACKAGES = _COMPLETE_TYPES | {"dbt", "fs", "git"}
"""Groups of plugins of which every package is listed."""
_FLAT = frozenset({"jdbc"})
"""Groups of plugins whose packages hold no packages."""
_NESTED = frozenset(
    {"provider", "embeddings", "memory", "retriever", "tool", "generators", "dashboard"}
)
_SYNONYMS = {
    "bash": "shell", "sh": "shell", "javascript": "node", "js": "node", "nodejs": "node",
    "py": "python", "python3": "python", "postgres": "postgresql",
}  # fmt: skip
_NEAR = 0.8
_FEW = 3
"""Of more equally near types none is likelier than the others."""
_MANY = 12
"""Of so many types in a package none is named: it would be a list nobody reads."""


@dataclass
class _Catalog:
    """The list of Kestra's types by their package, all by lower-case names."""

    packages: dict[str, dict[str, str]] = field(default_factory=dict)
    """Types by package and name, such as `io.kestra.plugin.core.log` → `log` → `Log`."""
    groups: dict[str, list[str]] = field(default_factory=dict)
    """The packages of each group, which is the part behind `io.kestra.plugin.`."""

    def add(self, package: str, types: list[str]) -> None:
        known = self.packages.setdefault(package, {})
        known |= {name.lower(): f"{package}.{name}" for name in types}
        self.groups.setdefault(_group(package), []).append(package)


def is_known(name: str) -> bool:
    """Whether exactly this type is listed, in upper or lower case."""
    package, kind = _parts(name.lower())
    return kind in _catalog().packages.get(package, ())


def may_exist(name: str) -> bool:
    """Whether a type is listed, or plausibly one of a plugin that is not."""
    return is_known(name) or (_is_type_name(name) and _is_plausible(name.lower()))


@lru_cache(maxsize=2000)
def hint_for(name: str, use: Use = "task") -> str:
    """The hint for a type that does not exist: ``; did you mean `x`?``, the types of its package,
    or nothing."""
    near = next((found for found in _candidates(name.lower()) if use_of(found) == use), None)
    if near is not None:
        return f"; did you mean `{near}`?"
    package, _ = _parts(name.lower())
    types = _catalog().packages.get(package, {}).values()
    names = [_parts(found)[1] for found in types if use_of(found) == use]
    return f"; `{package}` has {', '.join(names)}" if 0 < len(names) <= _MANY else ""


def use_of(name: str) -> Use:
    """The place in a flow where a type belongs, told by its name."""
    package, kind = _parts(name.lower())
    if package.endswith(("core.condition", "conditions.types")):
        return "condition"
    if package.endswith(("core.trigger", "triggers.types")):
        return "task" if kind == "toggle" else "trigger"
    if kind.endswith("trigger"):
        return "trigger"
    if ".runner" in package:
        return "task runner"
    return "plugin" if _NESTED & set(package.split(".")) else "task"


def misplaced(name: str, use: Use) -> str | None:
    """What is wrong with an existing type in a place; None where it belongs there."""
    own = use_of(name)
    return None if own == use else f"`{name}` is a {own}, not a {use}"


def _is_plausible(name: str) -> bool:
    package, _ = _parts(name)
    group = _group(package)
    catalog = _catalog()
    if not name.startswith(_PLUGINS):
        # All of Kestra's own names outside of plugins are listed: what looks like one is none.
        return not name.startswith(_ROOT) and ".kestra." not in name
    if not group:
        return False
    if package in catalog.packages:
        return group not in _COMPLETE_TYPES
    if group in _COMPLETE_PACKAGES or _near_packages(package):
        return False
    depth = package.removeprefix(_PLUGINS).count(".")
    if group in catalog.groups:
        return group not in _FLAT or depth == 1
    return depth > 0 or not _shortened(name)


def _is_type_name(name: str) -> bool:
    """Whether a text is a full class name: a package of at least two parts, and a class."""
    *package, kind = name.split(".")
    return (
        len(package) >= 2
        and kind[:1].isupper()
        and all(
            part.replace("$", "_").replace("-", "_").isidentifier() for part in (*package, kind)
        )
    )


def _candidates(name: str) -> Iterator[str]:
    """The types that a name may mean, the likeliest first."""
    packages = _catalog().packages
    package, kind = _parts(name)
    for near in (package, *_near_packages(package)):
        yield from _close(kind, packages.get(near, {}))
    yield from _shortened(name)
    yield from _scripts(package, kind)
    own = _catalog().groups.get(_group(package), []) if _group(package) else []
    last = _last(package)
    for other in own:  # `core.trigger.Flow` for `core.flow.Trigger`
        if _last(other) == kind and last in packages[other]:
            yield packages[other][last]
    same = [packages[other][kind] for other in own if kind in packages[other]]
    if len(same) <= _FEW:  # `core.execution.Fail` for `core.flow.Fail`
        yield from same
    for other in own:  # `jdbc.postgresql.Query` for `jdbc.jdbc.postgres.Query`
        if kind in packages[other] and _last(other) == _SYNONYMS.get(last, last):
            yield packages[other][kind]
    for other in own:  # `dbt.cli.Run` for `dbt.tasks.DbtRun`
        yield from _close(kind, packages[other])


def _scripts(package: str, kind: str) -> Iterator[str]:
    """The script types of a language that a name mentions, as `core.scripts.Bash` or
    `scripts.bash.Run` does."""
    for word in (kind, _last(package)):
        language = _catalog().packages.get(f"{_PLUGINS}scripts.{_SYNONYMS.get(word, word)}", {})
        yield from (language[name] for name in (kind, "script") if name in language)


def _shortened(name: str) -> list[str]:
    """The known types that end as a name does: `Log`, `log.Log`, `io.kestra.plugin.log.Log`."""
    package, kind = _parts(name)
    return _by_end().get(f"{_last(package)}.{kind}" if package else kind, [])


def _close(kind: str, types: dict[str, str]) -> list[str]:
    return [types[near] for near in get_close_matches(kind, types, n=1, cutoff=0.6)]


@lru_cache(maxsize=2000)
def _near_packages(package: str) -> tuple[str, ...]:
    """The packages that differ from one by a slip of the pen, never the package itself."""
    parts = package.split(".")
    by_length = _by_length().get(len(parts), ())
    return tuple(other for other, theirs in by_length if other != package and _near(parts, theirs))


def _near(mine: list[str], theirs: list[str]) -> bool:
    """Whether two packages are near each other. They share long beginnings, so each part has to be
    near by itself."""
    return all(
        part == other
        or (
            part[:1] == other[:1]
            and abs(len(part) - len(other)) <= 2
            and SequenceMatcher(None, part, other).ratio() > _NEAR
        )
        for part, other in zip(mine, theirs, strict=True)
    )


def _parts(name: str) -> tuple[str, str]:
    package, _, kind = name.rpartition(".")
    return package, kind


def _last(package: str) -> str:
    return package.rpartition(".")[2]


def _group(package: str) -> str:
    """The group of a plugin's package, such as `jdbc` of `io.kestra.plugin.jdbc.mysql`; else
    nothing."""
    return package.removeprefix(_PLUGINS).partition(".")[0] if package.startswith(_PLUGINS) else ""


@cache
def _by_end() -> dict[str, list[str]]:
    """The types by their last two parts, and those of core by their last part too."""
    ends: dict[str, list[str]] = {}
    for package, types in _catalog().packages.items():
        for kind, name in types.items() if package.startswith(_PLUGINS) else ():
            ends.setdefault(f"{_last(package)}.{kind}", []).append(name)
            if _group(package) == "core":
                ends.setdefault(kind, []).append(name)
    return ends


@cache
def _by_length() -> dict[int, list[tuple[str, list[str]]]]:
    """The packages and their parts, by the number of the parts."""
    by_length: dict[int, list[tuple[str, list[str]]]] = {}
    for package in _catalog().packages:
        parts = package.split(".")
        by_length.setdefault(len(parts), []).append((package, parts))
    return by_length


@cache
def _catalog() -> _Catalog:
    catalog = _Catalog()
    text = files(__package__).joinpath("known_types.txt").read_text("utf-8")
    lines = [line for line in text.replace("\n  ", " ").splitlines() if line and line[0] != "#"]
    for line in lines:
        package, _, types = line.partition(":")
        catalog.add(_ROOT + package, types.split())
    return catalog
