"""What the check of many flow files comes to, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.cli.flow_files import FoundFiles
from penstock.flow.types import TYPE_NOT_CARRIED
from penstock.local.files import FlowFile


@dataclass(frozen=True)
class Summary:
    """The numbers of one check. Every file is valid, refused or not served."""

    valid: int
    refused: int
    """Files with something that is wrong."""
    not_served: int
    """Files with nothing wrong but types that Penstock does not serve yet."""
    warnings: int
    """How many warnings there are in all files."""
    missing_types: Counter[str]
    """How often each type is named that is not served."""
    passed_over: tuple[Path, ...]

    @classmethod
    def of(cls, found: FoundFiles) -> Summary:
        # A file that was named and holds manifests of other kinds alone is no flow file either.
        files = [file for file in found.files if file.flows or file.problems]
        others = [Path(file.name) for file in found.files if not (file.flows or file.problems)]
        codes = [{problem.code for problem in file.problems} for file in files]
        not_served = codes.count({TYPE_NOT_CARRIED})
        valid = codes.count(set())
        return cls(
            valid,
            len(files) - valid - not_served,
            not_served,
            sum(len(file.warnings) for file in files),
            sum((missing_types(file) for file in files), Counter()),
            (*found.passed_over, *others),
        )

    @property
    def files(self) -> int:
        return self.valid + self.refused + self.not_served

    def as_json(self) -> dict[str, Any]:
        return {
            "files": self.files,
            "valid": self.valid,
            "refused": self.refused,
            "notServed": self.not_served,
            "warnings": self.warnings,
            "missingTypes": dict(self._by_frequency()),
            "passedOver": list(map(str, self.passed_over)),
        }

    def lines(self, *, verbose: bool) -> Iterator[str]:
        """The summary for people; the files that were passed over by name where asked for."""
        yield (
            f"{_counted(self.files, 'flow file')}: {self.valid} valid, {self.refused} refused, "
            f"{self.not_served} with types not served yet; {_counted(self.warnings, 'warning')}"
        )
        if self.missing_types:
            yield "types not served yet, and how often they are named:"
            width = len(str(max(self.missing_types.values())))
            for name, count in self._by_frequency():
                yield f"  {count:>{width}} {name}"
        if self.passed_over:
            hint = "" if verbose else " (-v names them)"
            yield f"{_counted(len(self.passed_over), 'other YAML file')} passed over{hint}"
        for path in self.passed_over if verbose else ():
            yield f"  {path}"

    def _by_frequency(self) -> list[tuple[str, int]]:
        return sorted(self.missing_types.items(), key=lambda item: (-item[1], item[0]))


def missing_types(file: FlowFile) -> Counter[str]:
    """The types in a file that Penstock does not serve yet, and how often each is named."""
    return Counter(
        problem.type_name
        for problem in file.problems
        if problem.code == TYPE_NOT_CARRIED and problem.type_name is not None
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
