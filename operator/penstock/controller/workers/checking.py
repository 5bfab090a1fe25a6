"""Flows are read and checked: here where they are small, by a worker where they are large."""

from __future__ import annotations

from typing import Any

from penstock.controller.workers.pool import WorkerLost, Workers
from penstock.controller.workers.questions import Check, Refused
from penstock.flow.loading import SourceDocument
from penstock.flow.parse import ParsedFlow
from penstock.flow.problems import InvalidFlow, Problem
from penstock.types import flow_parser

SMALL = 8 * 1024
"""Characters of a spec, as JSON, that is checked in the controller's own process: a tenth of a
second at most."""


class Checking:
    """Checks flows, so that none holds up what else the controller does."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    async def checked(self, tenant: str, spec: Any, characters: int) -> ParsedFlow:
        """Read and check the spec of a Flow, which has so many characters as JSON. Raises
        ``InvalidFlow`` and ``Busy``."""
        if characters <= SMALL:
            return flow_parser().parse(SourceDocument(spec))
        try:
            found: ParsedFlow | Refused = await self._workers.ask(tenant, Check(spec), {})
        except WorkerLost as lost:
            message = f"the flow can't be checked: {lost}; make it smaller, or several of it"
            raise InvalidFlow([Problem((), message)]) from None
        if isinstance(found, Refused):
            raise InvalidFlow(found.problems, found.warnings)
        return found
