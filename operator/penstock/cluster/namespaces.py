"""The flow namespaces of one Kubernetes namespace: which there are, and what they hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from penstock.cluster.flows import flow_name
from penstock.cluster.key_values import KeyValues
from penstock.kubernetes.api.client import FLOWS, GIT_SOURCES, Api


@dataclass(frozen=True)
class NamespaceContent:
    """How much of each sort a flow namespace holds."""

    namespace: str
    flows: int
    keys: int
    folders: int
    """Folders in Git whose files are those of the namespace."""


@dataclass(frozen=True)
class FilesFromGit:
    """A folder in Git whose files are those of a flow namespace."""

    namespace: str
    source: str
    """The name of the GitSource."""
    path: str
    commit: str
    """The commit that was last taken in; empty where none was."""
    url: str


class Namespaces:
    """The flow namespaces of one Kubernetes namespace.

    :class:`ApiError` tells of what the API server refuses.
    """

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def files(self, namespace: str | None = None) -> list[FilesFromGit]:
        """List the folders in Git that become files of all namespaces, or of one."""
        found = []
        for body in await self._api.list(GIT_SOURCES, self._namespace):
            spec, status = body["spec"], body.get("status") or {}
            for item in spec.get("namespaceFiles") or ():
                if namespace in (None, item["namespace"]):
                    commit = status.get("appliedCommit", "")
                    source = body["metadata"]["name"]
                    found.append(
                        FilesFromGit(item["namespace"], source, item["path"], commit, spec["url"])
                    )
        return sorted(found, key=lambda item: (item.namespace, item.source, item.path))

    async def list(self) -> list[NamespaceContent]:
        """List the namespaces that flows, keys or files are of, in their order."""
        flows = Counter(flow_name(body)[0] for body in await self._api.list(FLOWS, self._namespace))
        pairs = (await KeyValues.read(self._api, self._namespace)).list()
        keys = Counter(spec["namespace"] for spec in pairs)
        folders = Counter(item.namespace for item in await self.files())
        return [
            NamespaceContent(name, flows[name], keys[name], folders[name])
            for name in sorted({*flows, *keys, *folders})
        ]
