"""The storage service with real storages behind it: the volume that the chart claims, and S3."""

from __future__ import annotations

import base64
import io
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from e2e.fixtures.kubernetes import Kubernetes, Object, wait_for
from e2e.fixtures.objectstore import storage_service, versitygw
from e2e.fixtures.scenario import SHELL_IMAGE, Scenario
from e2e.fixtures.urls import asked as answered
from e2e.tests.conftest import SYSTEM_NAMESPACE
from penstock.storage.errors import AccessDenied, StorageError
from penstock.storage.grants import Grant
from penstock.storage.key import read_key
from penstock.storage.settings import opened
from penstock.storage.signing import OneObject
from penstock.storage.uris import ExecutionPlace
from penstock.storage_service.urls import url_of
from penstock.tasks.contract.services import Origin
from penstock.tasks.remote.storage import Remote, Service

pytestmark = pytest.mark.cluster

PLACE = ExecutionPlace("company.team", "flow", "run-1")
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class Served:
    """A storage service, and what only a test may know of it."""

    url: str
    key: bytes
    expired: Callable[[str, str], str]
    """A URL of a file of a tenant that was good until now."""
    authorities: str | None = None
    """The CAs by which pods know it; None where it speaks plain HTTP."""

    def asked(self, url: str, method: str = "GET", content: bytes | None = None) -> int:
        """Tell how it answers to a URL."""
        return answered(url, method, content, authorities=self.authorities)


@pytest.fixture(scope="module")
def on_volume(kubernetes: Kubernetes) -> Served:
    """The storage service that the chart installed, with its defaults."""
    spec = kubernetes.core.read_namespaced_service("penstock-storage", SYSTEM_NAMESPACE).spec
    url = f"https://{spec.cluster_ip}:{spec.ports[0].port}"
    secret = kubernetes.core.read_namespaced_secret("penstock-storage-tls", SYSTEM_NAMESPACE)
    authorities = base64.b64decode(secret.data["ca.crt"]).decode()
    command = ("kubectl", "--namespace", SYSTEM_NAMESPACE, "exec", "deployment/penstock-storage")
    key = bytes.fromhex(
        subprocess.run(
            [*command, "--", "cat", "/var/lib/penstock/.penstock/key"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )

    def expired(tenant: str, path: str) -> str:
        wanted = OneObject("GET", tenant, path, int(time.time()) - 1)
        return url + url_of(wanted, wanted.signature(key))

    return Served(url, key, expired, authorities)


@pytest.fixture(scope="module")
def on_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`penstock storage` on this machine, with a bucket of versitygw and the cluster's Jobs."""
    folder: Path = tmp_path_factory.mktemp("s3")
    with (
        versitygw(folder / "files") as store,
        storage_service(store.settings, store.environment, folder) as service,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in store.environment.items():
            patch.setenv(name, value)
        storage = opened(store.settings)

        def expired(tenant: str, path: str) -> str:
            url: str = storage.filesystem.url(storage.of(tenant).at(path), expires=1)
            time.sleep(2)  # the server's clock decides
            return url

        yield Served(service.url, read_key(storage), expired)


@pytest.fixture(params=["on_volume", "on_s3"])
def served(request: pytest.FixtureRequest) -> Served:
    found: Served = request.getfixturevalue(request.param)
    return found


class Tasks:
    """Attempts of tasks: Jobs as the controller makes them, and what their pods are given."""

    def __init__(self, scenario: Scenario, served: Served) -> None:
        self._scenario = scenario
        self._served = served
        owner: Object = {"metadata": {"name": "owner"}}
        made = scenario.kubernetes.core.create_namespaced_config_map(scenario.namespace, owner)
        self._owner = made.metadata
        """Any object, which the Jobs go with."""

    def running(self, job: str, command: str = "sleep 600", **changed: object) -> Remote:
        """The storage as the pod of a Job has it."""
        grant = Grant(
            tenant=self._scenario.namespace,
            place=PLACE,
            owner=self._owner.uid,
            task="make",
            task_run=f"run-of-{job}",
            job=job,
            expires=datetime.now(UTC) + timedelta(hours=1),
        )
        grant = replace(grant, **changed)  # type: ignore[arg-type]
        self._create(grant, command)
        origin = Origin(PLACE.namespace, PLACE.flow, PLACE.execution, grant.task, grant.task_run)
        service = Service(self._served.url, grant.token(self._served.key), self._served.authorities)
        return Remote(service, origin)

    def ended(self, job: str) -> None:
        """Wait until the Job controller says that the Job has ended."""
        wait_for(
            f"the end of {job}",
            lambda: (
                self._scenario.kubernetes.batch.read_namespaced_job(
                    job, self._scenario.namespace
                ).status.conditions
            ),
        )

    def _create(self, grant: Grant, command: str) -> None:
        labels = {
            "penstock.dev/execution-uid": grant.owner,
            "penstock.dev/task-run": grant.task_run,
        }
        owner = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "owner",
            "uid": self._owner.uid,
            "controller": True,
        }
        container = {
            "name": "main",
            "image": SHELL_IMAGE,
            "command": ["sh", "-c", command],
            "securityContext": RESTRICTED,
        }
        pod = {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
        }
        body = {
            "metadata": {"name": grant.job, "labels": labels, "ownerReferences": [owner]},
            "spec": {"backoffLimit": 0, "template": {"spec": pod}},
        }
        self._scenario.kubernetes.batch.create_namespaced_job(self._scenario.namespace, body)


@pytest.fixture
def tasks(scenario: Scenario, served: Served) -> Tasks:
    return Tasks(scenario, served)


def test_files_of_a_task_are_kept_and_read(tasks: Tasks, tmp_path: Path) -> None:
    # given
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(12_345_678))
    remote = tasks.running("job", rights=frozenset({"delete", "namespaces"}))
    # when
    uri = remote.upload("results/a b.bin", source)
    remote.download(uri, back)
    # then
    assert uri.endswith("/executions/run-1/tasks/make/run-of-job/results/a%20b.bin")
    assert back.read_bytes() == source.read_bytes()
    assert remote.files.size(uri) == 12_345_678
    # when
    named = remote.namespace_files("company.team").put("conf/a.yml", io.BytesIO(b"a: 1"))
    # then
    assert remote.namespace_files().paths() == ["conf/a.yml"]
    with remote.files.open(named) as file:
        assert file.read() == b"a: 1"
    assert remote.files.purge() == [uri]
    assert not remote.files.exists(uri)


def test_a_download_goes_on_where_its_connection_broke(tasks: Tasks) -> None:
    # given
    content = os.urandom(8_000_000)
    remote = tasks.running("job")
    uri = remote.files.put("a", io.BytesIO(content))
    source = remote.service.open({"uri": uri}, uri)
    begun = source.read(1_000_000)
    # when
    assert source._response is not None
    # Not the method of the socket itself: one of TLS would go on in plain text.
    socket.socket.shutdown(source._response.fp.raw._sock, socket.SHUT_RDWR)  # type: ignore[attr-defined]
    # then
    assert begun + source.readall() == content


def test_a_url_is_for_one_object_and_one_direction(
    tasks: Tasks, served: Served, scenario: Scenario
) -> None:
    # given
    remote = tasks.running("job")
    uri = remote.files.put("one", io.BytesIO(b"one"))
    remote.files.put("two", io.BytesIO(b"two"))
    url: str = remote.service.operate("get", {"uri": uri})["url"]
    parts = urlsplit(url)
    asked = served.asked
    # then
    assert asked(url) == 200
    assert asked(url, "PUT", b"new") == 403
    assert asked(url, "DELETE") in (403, 405)
    assert asked(url.replace("/one?", "/two?")) == 403
    assert asked(url.replace("/one?", "/../run-of-job/one?")) in (400, 403, 404)
    assert asked(url[:-1] + ("0" if url[-1] != "0" else "1")) == 403
    assert asked(f"{parts.scheme}://{parts.netloc}{parts.path}") == 403
    path = "/company/team/flow/executions/run-1/tasks/make/run-of-job/one"
    assert asked(served.expired(scenario.namespace, path)) == 403
    with remote.files.open(uri) as file:
        assert file.read() == b"one"


def test_a_url_to_write_writes_what_was_said_and_nothing_else(tasks: Tasks, served: Served) -> None:
    # given
    asked = served.asked
    remote = tasks.running("job")
    said = remote.service.operate("put", {"name": "one"}, size=3, sha256="0" * 64)
    # then
    assert asked(said["url"]) in (403, 405)
    assert asked(said["url"], "PUT", b"longer") in (400, 403)
    with pytest.raises(StorageError):
        remote.files.open(said["uri"])


@pytest.mark.parametrize(
    "uri",
    [
        "kestra:///company/team/flow/executions/run-1/../run-2/tasks/a/b/c",
        "kestra:///company/team/flow/executions/run-1%2F..%2Frun-2/tasks/a/b/c",
        "kestra:///.penstock/key",
        "nsfile:///../../../../.penstock/key",
        "file:///etc/passwd",
    ],
)
def test_tricks_with_uris_are_refused(tasks: Tasks, uri: str) -> None:
    with pytest.raises(StorageError, match=r"is not|has an escape|didn't belong"):
        tasks.running("job").files.open(uri)


def test_files_of_others_are_refused(tasks: Tasks) -> None:
    # given
    other = ExecutionPlace("company.team", "flow", "run-2")
    of_other = tasks.running("other", place=other).files.put("a", io.BytesIO(b"secret"))
    mine = tasks.running("mine").files
    # then
    with pytest.raises(AccessDenied, match="didn't belong to the current execution"):
        mine.open(of_other)
    # when
    with_parent = tasks.running("child", parents=(other,)).files
    # then
    with with_parent.open(of_other) as file:
        assert file.read() == b"secret"


def test_a_grant_is_worth_nothing_after_its_task(tasks: Tasks) -> None:
    # given
    remote = tasks.running("ends", command="true")
    tasks.ended("ends")
    # then
    with pytest.raises(AccessDenied, match="has ended"):
        remote.files.put("late", io.BytesIO(b"x"))


def test_a_grant_without_its_job_or_key_opens_nothing(
    tasks: Tasks, served: Served, scenario: Scenario
) -> None:
    # given
    remote = tasks.running("mine")
    foreign = Grant(
        tenant=scenario.namespace,
        place=PLACE,
        owner="another-execution",
        task="make",
        task_run="run-of-mine",
        job="mine",
        expires=datetime.now(UTC) + timedelta(hours=1),
    )
    past = datetime.now(UTC) - timedelta(seconds=2)
    wrong = (
        (foreign.token(served.key), "another task's"),
        (replace(foreign, job="nowhere").token(served.key), "is gone"),
        (foreign.token(b"a guessed key"), "signature is not right"),
        (replace(foreign, expires=past).token(served.key), "has expired"),
    )
    # then
    for token, why in wrong:
        service = Service(served.url, token, served.authorities)
        with pytest.raises(AccessDenied, match=why):
            service.operate("stat", {"uri": "nsfile:///a"})
    assert not remote.files.exists("nsfile:///a")
