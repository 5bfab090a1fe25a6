"""The directories that the tasks of a WorkingDirectory share."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from penstock.engine.interface.actions import Workspace
from penstock.local.caches import Caches, Key
from penstock.tasks.contract.services import Services
from penstock.tasks.contract.task import NamespaceFilesOption
from penstock.tasks.files.input_files import file_map, patterns, place, place_namespace_files
from penstock.tasks.files.output_files import Kept, keep_beneath, upload_to
from penstock.tasks.registry.properties import read


class Workspaces:
    """Keeps a directory for each workspace of each execution, until the world ends."""

    def __init__(self) -> None:
        self._base = tempfile.TemporaryDirectory(
            prefix="penstock-work-", ignore_cleanup_errors=True
        )
        self._ready: dict[tuple[str, str], Path] = {}
        self._caches = Caches(Path(self._base.name) / "caches")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._base.cleanup()

    def path(self, execution: str, workspace: Workspace) -> Path:
        """The folder of a workspace."""
        return Path(self._base.name) / "work" / execution / workspace.id

    async def open(self, execution: str, workspace: Workspace, services: Services) -> Path:
        """Make the directory, with the files that stand in it at first. Raises
        :class:`TaskFailure`."""
        key = (execution, workspace.id)
        if key not in self._ready:
            path = self.path(execution, workspace)
            await asyncio.to_thread(self._stage, path, workspace, services)
            self._ready[key] = path
        return self._ready[key]

    async def take(
        self, execution: str, workspace: Workspace, services: Services
    ) -> Mapping[str, Any] | None:
        """Keep the files that the tasks of a workspace left. Raises :class:`TaskFailure`."""
        path = await self.open(execution, workspace, services)
        return await asyncio.to_thread(self._keep, path, workspace, services)

    def _stage(self, path: Path, workspace: Workspace, services: Services) -> None:
        properties = workspace.properties
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        if cache := properties.get("cache"):
            self._caches.restore(_key(workspace, services), path, cache, datetime.now(UTC))
        option = properties.get("namespaceFiles")
        if option is not None:
            list(place_namespace_files(path, read(NamespaceFilesOption, option), services))
        files = file_map("inputFiles", properties.get("inputFiles"))
        for name, content in files.items():
            place(path, name, content, services.files)

    def _keep(
        self, path: Path, workspace: Workspace, services: Services
    ) -> Mapping[str, Any] | None:
        properties = workspace.properties
        if cache := properties.get("cache"):
            self._caches.save(_key(workspace, services), path, cache, datetime.now(UTC))
        if not properties.get("outputFiles"):
            return None
        kept = Kept()
        wanted = patterns("outputFiles", properties["outputFiles"])
        keep_beneath(path, wanted, upload_to(services.files), kept)
        kept.check_names(strict=not workspace.failed)
        return {"outputFiles": kept.files}


def _key(workspace: Workspace, services: Services) -> Key:
    return services.origin.namespace, services.origin.flow, workspace.id
