"""A commit becomes Flows and namespace files, by a real Git server and a real Git service."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from e2e.gitserver import GitServer, Repository, create_repository
from penstock.kubernetes.api.client import FLOWS, GIT_SOURCES, Object
from penstock.storage.execution import NamespaceFiles
from tests.fixtures.controller import NAMESPACE, Controller
from tests.fixtures.gitservice import running_git

MIB = 1024 * 1024
FLOW = """
id: {id}
namespace: company.team
tasks: [{{id: t, type: io.kestra.plugin.core.debug.Return, format: x}}]
"""


def source(spec: dict[str, Any], **meta: Any) -> Object:
    """A GitSource."""
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "GitSource",
        "metadata": {"name": "source", "namespace": NAMESPACE, **meta},
        "spec": spec,
    }


async def synced(controller: Controller) -> dict[str, Any]:
    """The status of the GitSource once it was reconciled."""
    await controller.list()
    await controller.reconcile("GitSource", "source")
    controller.watch()
    body = controller.server.get(GIT_SOURCES, NAMESPACE, "source")
    assert body is not None
    status: dict[str, Any] = body["status"]
    return status


async def test_flows_and_namespace_files_follow_the_repository(tmp_path: Path) -> None:
    # given
    create_repository(tmp_path / "git", "team")
    with GitServer(tmp_path / "git") as server, Repository(server.clone_url("team")) as repository:
        large = os.urandom(5 * MIB)
        repository.commit(
            {
                "flows/one.yaml": FLOW.format(id="one"),
                "flows/two.yaml": FLOW.format(id="two"),
                "flows/bad.yaml": "id: [",
                "files/large.bin": large,
                "files/scripts/say.sh": "echo one",
            }
        )
        async with running_git(tmp_path / "service") as git:
            controller = Controller(tmp_path, git=git.client)
            spec = {
                "url": repository.url,
                "path": ".",
                "namespaceFiles": [{"namespace": "company.team", "path": "files"}],
            }
            controller.server.put(GIT_SOURCES, source(spec))

            def flows() -> list[str]:
                return sorted(body["metadata"]["name"] for body in controller.server.all(FLOWS))

            def files() -> dict[str, bytes]:
                storage = controller.operator.files.storage.storage(NAMESPACE)
                found = NamespaceFiles(storage, "company.team")
                return {path: found.open(path).read() for path in found.paths()}

            # when
            first = await synced(controller)
            # then
            assert flows() == ["company.team.one", "company.team.two"]
            assert files() == {"large.bin": large, "scripts/say.sh": b"echo one"}
            assert (first["flows"], first["failed"]) == (2, 1)
            assert first["problems"][0]["path"] == "flows/bad.yaml"
            # and when
            sha = repository.commit(
                {
                    "flows/one.yaml": None,
                    "flows/bad.yaml": None,
                    "files/scripts/say.sh": "echo two",
                    "files/large.bin": None,
                }
            )
            second = await synced(controller)
            # then
            assert flows() == ["company.team.two"]
            assert files() == {"scripts/say.sh": b"echo two"}
            assert second["appliedCommit"] == sha
            assert (second["flows"], second["failed"]) == (1, 0)


async def test_a_flow_of_which_no_status_tells_is_brought_to_its_file(tmp_path: Path) -> None:
    """A sync that was stopped, or whose controller died, has applied another version before."""
    # given
    create_repository(tmp_path / "git", "team")
    with GitServer(tmp_path / "git") as server, Repository(server.clone_url("team")) as repository:
        first = repository.commit({"one.yaml": FLOW.format(id="one")})
        second = FLOW.format(id="one").replace("format: x", "format: y")
        repository.commit({"one.yaml": second})
        async with running_git(tmp_path / "service") as git:
            controller = Controller(tmp_path, git=git.client)

            async def follow(ref: dict[str, str]) -> dict[str, Any]:
                known = controller.server.get(GIT_SOURCES, NAMESPACE, "source") or {}
                generation = known.get("metadata", {}).get("generation", 0) + 1
                wanted = source({"url": repository.url, "ref": ref}, generation=generation)
                wanted["status"] = known.get("status", {})
                controller.server.put(GIT_SOURCES, wanted)
                return await synced(controller)

            def says() -> str:
                (body,) = controller.server.all(FLOWS)
                text: str = body["spec"]["tasks"][0]["format"]
                return text

            told = await follow({"commit": first})
            await follow({"branch": "main"})
            assert says() == "y"
            # when
            body = controller.server.get(GIT_SOURCES, NAMESPACE, "source")
            assert body is not None
            controller.server.put(GIT_SOURCES, body | {"status": told})
            await follow({"commit": first})
            # then
            assert says() == "x"
