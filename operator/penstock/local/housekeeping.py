"""The tasks that count executions, or purge executions, logs and keys, in the world of this run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from penstock.engine.interface.actions import Purge
from penstock.engine.interface.selecting import (
    ExecutionFacts,
    PurgeExecutions,
    PurgeLogs,
    PurgePairs,
)
from penstock.local.execution import LocalExecution
from penstock.local.services import LocalServices
from penstock.storage.execution import ExecutionFiles
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.services import LogEntry


class LocalHousekeeping:
    """Counts and purges. A purged execution is shown at the end of the run all the same."""

    def __init__(
        self, executions: Mapping[str, LocalExecution], services: LocalServices | None
    ) -> None:
        """Purge from ``services``, which keep logs, files and keys; None where there are none."""
        self._executions = executions
        self._services = services
        self._purged: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether an execution exists, as tasks see it."""
        return name in self._executions and name not in self._purged

    def facts(self) -> list[ExecutionFacts]:
        """The facts of all executions that are not purged."""
        return [_facts(item) for name, item in self._executions.items() if self.has(name)]

    def purge(self, own: str, asked: Purge) -> Mapping[str, int]:
        """Purge, and give the outputs of the task. Raises ``StorageError`` and ``OSError``."""
        if isinstance(asked, PurgeExecutions):
            return self._purge_executions(asked, asked.meant(self.facts(), own))
        if isinstance(asked, PurgeLogs):
            count = self._purge_logs(asked)
            return {"count": count, "executionLogsCount": count, "nonExecutionLogsCount": 0}
        return {"size": self._purge_pairs(asked)}

    def _purge_executions(self, asked: PurgeExecutions, names: list[str]) -> Mapping[str, int]:
        meant = [self._executions[name] for name in names]
        lines = self._drop_logs(names) if asked.executions or asked.logs else 0
        files = self._drop_files(meant) if asked.executions or asked.files else 0
        if asked.executions:
            self._purged |= set(names)
        return {
            "executionsCount": len(names) if asked.executions else 0,
            "logsCount": lines if asked.logs else 0,
            "storagesCount": files if asked.files else 0,
            "metricsCount": sum(map(_metrics, meant)) if asked.metrics else 0,
        }

    def _drop_logs(self, names: Iterable[str]) -> int:
        if self._services is None:
            return 0
        gone = frozenset(names)
        return self._services.drop_logs(lambda entry: entry.execution in gone)

    def _drop_files(self, meant: Iterable[LocalExecution]) -> int:
        if self._services is None:
            return 0
        storage = self._services.storage
        places = [_place(item) for item in meant]
        return sum(len(ExecutionFiles(storage, place).purge()) for place in places)

    def _purge_logs(self, asked: PurgeLogs) -> int:
        if self._services is None:
            return 0
        names = {facts.name for facts in self.facts() if asked.means(facts)}

        def is_meant(entry: LogEntry) -> bool:
            return (
                entry.execution in names
                and (asked.start is None or asked.start <= entry.timestamp)
                and entry.timestamp <= asked.end
                and (not asked.levels or entry.level in asked.levels)
            )

        return self._services.drop_logs(is_meant)

    def _purge_pairs(self, asked: PurgePairs) -> int:
        if self._services is None or asked.expired_only:
            return 0
        pairs = self._services.pairs
        return sum(
            pairs.delete(namespace, key)
            for namespace in pairs.namespaces()
            for key in pairs.keys(namespace)
            if asked.means(namespace, key)
        )


def _facts(execution: LocalExecution) -> ExecutionFacts:
    spec, status = execution.spec, execution.status
    place = _place(execution)
    relied = (
        spec.retry.original if spec.retry else None,
        spec.replay.execution if spec.replay else None,
        spec.trigger.variables.get("executionId") if spec.trigger else None,
    )
    return ExecutionFacts(
        name=execution.name,
        namespace=place.namespace,
        flow_id=place.flow,
        state=status.state,
        start_date=status.start_date or execution.created,
        is_over=execution.finished,
        made_by=spec.parent.execution if spec.parent else None,
        relies_on=tuple(str(name) for name in relied if name is not None),
    )


def _place(execution: LocalExecution) -> ExecutionPlace:
    flow = execution.spec.flow
    return ExecutionPlace(flow.namespace or "", flow.id or "", execution.name)


def _metrics(execution: LocalExecution) -> int:
    return sum(len(run.metrics or ()) for run in execution.status.task_runs)
