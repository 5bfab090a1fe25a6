"""`penstock namespace list` and `penstock namespace files list`."""

from __future__ import annotations

from dataclasses import asdict

from penstock.cli.cluster import in_cluster
from penstock.cli.errors import OK
from penstock.cli.printing import Format, print_data, print_table
from penstock.cli.terminal import echo
from penstock.cluster.connection import Cluster
from penstock.cluster.namespaces import FilesFromGit, NamespaceContent


def list_namespaces(tenant: str | None, output: Format | None) -> int:
    """Print the flow namespaces with what they hold, and return the exit code."""

    async def read(cluster: Cluster) -> list[NamespaceContent]:
        return await cluster.namespaces.list()

    found = in_cluster(tenant, read)
    if output in ("json", "yaml"):
        print_data([asdict(item) for item in found], output)
        return OK
    if output == "name":
        for item in found:
            echo(item.namespace)
        return OK
    rows = [[item.namespace, str(item.flows), str(item.keys), str(item.folders)] for item in found]
    print_table(["NAMESPACE", "FLOWS", "KEYS", "FOLDERS"], rows)
    return OK


def list_file_sources(namespace: str | None, tenant: str | None, output: Format | None) -> int:
    """Print where files of namespaces come from, and return the exit code."""

    async def read(cluster: Cluster) -> list[FilesFromGit]:
        return await cluster.namespaces.files(namespace)

    found = in_cluster(tenant, read)
    if output is not None:
        print_data([asdict(item) for item in found], output)
        return OK
    rows = [[item.namespace, item.source, item.path, item.commit[:12], item.url] for item in found]
    print_table(["NAMESPACE", "SOURCE", "PATH", "COMMIT", "URL"], rows)
    return OK
