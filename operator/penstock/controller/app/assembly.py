"""The controller, put together: rooms, the news that comes in, and the work that goes on."""

from __future__ import annotations

import asyncio
from functools import partial

from penstock.controller.app.events import Events
from penstock.controller.app.rooms import (
    Attempts,
    Files,
    Flows,
    KeyValues,
    Rooms,
    Runtime,
    build_events,
    build_executions,
    build_gitsources,
    build_log_references,
    build_logs,
)
from penstock.controller.gc.package_cache import PackageCleaner
from penstock.controller.gitsources.git_client import Git
from penstock.controller.runtime.bench import Bench
from penstock.controller.runtime.certificates import Certificates
from penstock.controller.runtime.informer import Informer
from penstock.controller.runtime.metrics import Metrics
from penstock.controller.runtime.queue import KeyedQueue
from penstock.controller.runtime.settings import Settings
from penstock.kubernetes.api.client import (
    DEPLOYMENTS,
    EXECUTIONS,
    FLOWS,
    GIT_SOURCES,
    JOBS,
    KEY_VALUES,
    PODS,
    TRIGGER_STATES,
    Api,
)
from penstock.kubernetes.api.labels import EXECUTION_UID
from penstock.kubernetes.secrets.listener import LABEL as LISTENER
from penstock.network import RefusedNetworks


class Operator:
    """Everything that lives as long as the controller does."""

    def __init__(
        self,
        api: Api,
        settings: Settings,
        metrics: Metrics,
        git: Git,
        refused: RefusedNetworks | None = None,
        bench: Bench | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        """``refused`` says whom expressions may not ask; as the settings say where it is None.
        Without a bench nothing is quarantined; without certificates pods reach the storage service
        by plain HTTP."""
        self.runtime = runtime = Runtime(api, settings, metrics, bench)
        self.files = files = Files(runtime, refused or settings.refused_networks, certificates)
        self.logs = logs = build_logs(runtime, files)
        events = build_events(runtime, files, logs)
        self.keyvalues = keyvalues = KeyValues(runtime)
        flows = Flows(runtime, files, keyvalues, events)
        attempts = Attempts(runtime, files, keyvalues, logs)
        self.log_references = references = build_log_references(runtime, files)
        self.rooms = Rooms(runtime, files, keyvalues, flows, attempts, logs, references, events)
        build_executions(self.rooms)
        build_gitsources(runtime, files, git)
        self.informers = _informers(runtime, events)
        self.listed = asyncio.Event()
        """Set once everything that is there was looked at, but for KeyValues."""
        metrics.watch_state(runtime.stores.executions, lambda: runtime.reconcilers.depth)

    @property
    def queue(self) -> KeyedQueue:
        """The queue whose progress shows that the controller lives."""
        return self.runtime.reconcilers.queue

    async def run(self) -> None:
        """Work until cancelled. What is there is listed before anything is decided, so that no
        Job is taken for missing that was only not seen yet. KeyValues are listed beside the first
        decisions: they may take long, and only who asks for a key waits for that.
        """
        keyvalues = [item for item in self.informers if item.resource == KEY_VALUES]
        others = [item for item in self.informers if item.resource != KEY_VALUES]
        try:
            for informer in others:
                await informer.list_until_done()
            executions = self.runtime.stores.executions
            self.runtime.memories.keep_only({item["metadata"]["uid"] for item in executions})
            seen = self.runtime.attempts
            self.runtime.starting.recover(seen.jobs(), seen.pods())
            self.listed.set()
            files, namespaces = self.files, self.runtime.settings.namespaces
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.runtime.reconcilers.run())
                tasks.create_task(self.runtime.recorder.run())
                tasks.create_task(files.storage.run())
                if files.arrivals is not None:
                    tasks.create_task(files.arrivals.run())
                tasks.create_task(files.folders.run())
                tasks.create_task(files.orphaned.run())
                tasks.create_task(files.bytes.run())
                tasks.create_task(PackageCleaner(files.storage.root, namespaces).run())
                tasks.create_task(self.logs.run())
                tasks.create_task(self.log_references.run())
                for informer in others:
                    tasks.create_task(informer.run())
                for informer in keyvalues:
                    tasks.create_task(self._run_keyvalues(informer))
        finally:
            await self.runtime.workers.close()

    async def _run_keyvalues(self, informer: Informer) -> None:
        await informer.list_until_done()
        self.keyvalues.listed()
        await informer.run()


def _informers(runtime: Runtime, events: Events) -> tuple[Informer, ...]:
    """Build the informers, in the order in which they list first: owners before their children, as
    a Job of an Execution that is not known counts for nothing."""
    api, stores, namespaces = runtime.api, runtime.stores, runtime.settings.namespaces
    owned = partial(Informer, api, namespaces=namespaces, selector=EXECUTION_UID)
    listeners = partial(Informer, api, namespaces=namespaces, selector=LISTENER)
    stored = partial(Informer, api, namespaces=namespaces)
    keyvalues, flows = stores.keyvalues, stores.flows
    sources, executions = stores.sources, stores.executions
    triggers = stores.triggers
    return (
        stored(EXECUTIONS, executions.__iter__, events.execution_seen, executions.remove),
        owned(JOBS, runtime.attempts.jobs, events.job_seen, events.job_gone),
        owned(PODS, runtime.attempts.pods, events.pod_seen, events.pod_gone),
        stored(KEY_VALUES, keyvalues.__iter__, events.keyvalue_seen, keyvalues.remove),
        stored(FLOWS, flows.__iter__, events.flow_seen, flows.remove),
        listeners(
            DEPLOYMENTS,
            stores.deployments.__iter__,
            events.listener_seen,
            stores.deployments.remove,
        ),
        stored(TRIGGER_STATES, triggers.__iter__, events.trigger_seen, triggers.remove),
        stored(GIT_SOURCES, sources.__iter__, events.source_seen, sources.remove),
    )
