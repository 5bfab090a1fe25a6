"""etcd and kube-apiserver on loopback, on ports of their own: beside any other cluster.

They are the programs that `e2e.cluster` builds. They end with the thread that started them, however
that ends, and leave nothing behind but a temporary folder.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from e2e.cluster import certificates, components, golang
from e2e.cluster.paths import Layout, discover

ADMIN = "admin"
CONTROLLER = "controller"
GATEWAY = "gateway"
"""The users that a kubeconfig may be of."""
CONTROLLER_NAMESPACE = "penstock-system"
_ACCOUNTS = {CONTROLLER: "penstock", GATEWAY: "penstock-gateway"}
"""The ServiceAccounts whose rights a user has."""
_HOST = "127.0.0.1"
_PATIENCE = 60.0


def program() -> Path:
    """The control plane's program: built once for its content, which takes minutes."""
    layout = discover()
    return golang.Builder(layout, (golang.control_plane(layout),)).build_all()["kubernetes"]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind((_HOST, 0))
        port: int = taken.getsockname()[1]
        return port


def _subject(account: str) -> str:
    """The subject of a certificate that has the rights of a ServiceAccount of the release."""
    return (
        "/O=system:serviceaccounts"
        f"/O=system:serviceaccounts:{CONTROLLER_NAMESPACE}"
        f"/CN=system:serviceaccount:{CONTROLLER_NAMESPACE}:{account}"
    )


@dataclass
class ControlPlane:
    """Both of them, in a folder."""

    folder: Path
    program: Path
    port: int = field(default_factory=free_port)
    _etcd_port: int = field(default_factory=free_port)
    _peer_port: int = field(default_factory=free_port)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://{_HOST}:{self.port}"

    def start(self) -> None:
        """Start both, and wait until the API server is ready."""
        certificates.create(self._layout.pki, components.NODE)
        for user, account in _ACCOUNTS.items():
            certificates.create_client(self._layout.pki, user, _subject(account))
        for name in ("etcd", "kube-apiserver"):
            (self.folder / name).symlink_to(self.program)
        self._start("etcd", self._etcd())
        self.start_api_server()

    def start_api_server(self) -> None:
        self._start("kube-apiserver", self._api_server())
        deadline = time.monotonic() + _PATIENCE
        while not self._is_ready():
            if self._running["kube-apiserver"].poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "kube-apiserver.log").read_text(errors="replace")
                raise RuntimeError(f"the API server is not ready; its log ends\n{log[-3_000:]}")
            time.sleep(0.05)

    def stop_api_server(self) -> None:
        """Kill it: its clients find out by themselves."""
        self._stop("kube-apiserver", signal.SIGKILL)

    def stop(self) -> None:
        for name in ("kube-apiserver", "etcd"):
            self._stop(name, signal.SIGKILL)

    def kubeconfig(self, name: str, user: str = ADMIN, port: int | None = None) -> Path:
        """A kubeconfig of a user, by way of another port where one is given."""
        target = self.folder / f"{name}.kubeconfig"
        url = f"https://{_HOST}:{port or self.port}"
        certificates.write_kubeconfig(self._layout.pki, user, url, target)
        return target

    def kubeconfig_of(self, person: str) -> Path:
        """A kubeconfig of somebody who has no rights but those that a test gives."""
        certificates.create_client(self._layout.pki, person, f"/CN={person}")
        return self.kubeconfig(f"{person}-person", person)

    @property
    def _layout(self) -> Layout:
        return Layout(self.folder, self.folder, self.folder)

    def _etcd(self) -> Sequence[str]:
        client, peer = (f"http://{_HOST}:{port}" for port in (self._etcd_port, self._peer_port))
        return [
            f"--data-dir={self.folder / 'etcd-data'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _api_server(self) -> Sequence[str]:
        own = {
            "--advertise-address": _HOST,
            "--bind-address": _HOST,
            "--secure-port": str(self.port),
            "--etcd-servers": f"http://{_HOST}:{self._etcd_port}",
            # Nobody but the test makes anything: no service accounts, no endpoints.
            "--disable-admission-plugins": "ServiceAccount",
            "--endpoint-reconciler-type": "none",
        }
        # Replaced, not added: of some flags, that of etcd's addresses among them, all count.
        flags = [str(item) for item in components.kube_apiserver(self._layout)][1:]
        kept = [flag for flag in flags if flag.partition("=")[0] not in own]
        return [*kept, *(f"{name}={value}" for name, value in own.items())]

    def _start(self, name: str, arguments: Sequence[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", str(self.folder / name), *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _stop(self, name: str, number: signal.Signals) -> None:
        process = self._running.pop(name, None)
        if process is not None:
            process.send_signal(number)
            process.wait(timeout=_PATIENCE)

    def _is_ready(self) -> bool:
        pki = self._layout.pki
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        connection = http.client.HTTPSConnection(_HOST, self.port, timeout=5, context=context)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().read() == b"ok"
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def compact(self) -> None:
        """Let etcd forget all versions but the newest: older lists and watches get 410."""
        range_request = self._etcd_call("/v3/kv/range", {"key": "AA=="})
        revision = range_request["header"]["revision"]
        self._etcd_call("/v3/kv/compaction", {"revision": revision, "physical": True})

    def _etcd_call(self, path: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        connection = http.client.HTTPConnection(_HOST, self._etcd_port, timeout=10)
        try:
            connection.request("POST", path, json.dumps(body))
            answer: dict[str, dict[str, str]] = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()
