"""The cluster's certificates and the kubeconfigs that carry them, made with openssl."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import commands
from e2e.cluster.network import API_SERVICE_ADDRESS, NODE_ADDRESS

_DAYS = "3650"
_CURVE = "ec_paramgen_curve:prime256v1"
# openssl's own configuration would make every certificate an authority's.
_OPENSSL_CONFIG = "[req]\ndistinguished_name = name\n[name]\n"
_API_SERVER_NAMES = (
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    "DNS:kubernetes.default.svc.cluster.local",
    f"IP:{API_SERVICE_ADDRESS}",
    f"IP:{NODE_ADDRESS}",
    "IP:127.0.0.1",
)


@dataclass(frozen=True)
class _Leaf:
    name: str
    subject: str
    authority: str = "ca"
    names: tuple[str, ...] = ()

    @property
    def extensions(self) -> list[str]:
        usage = "serverAuth" if self.names else "clientAuth"
        values = [
            "basicConstraints=critical,CA:FALSE",
            "keyUsage=critical,digitalSignature",
            f"extendedKeyUsage={usage}",
        ]
        return values + ([f"subjectAltName={','.join(self.names)}"] if self.names else [])


def _leaves(node: str) -> tuple[_Leaf, ...]:
    return (
        _Leaf("kube-apiserver", "/CN=kube-apiserver", names=_API_SERVER_NAMES),
        _Leaf("kubelet-server", f"/CN={node}", names=(f"DNS:{node}", f"IP:{NODE_ADDRESS}")),
        _Leaf("kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client"),
        _Leaf("front-proxy-client", "/CN=front-proxy-client", authority="front-proxy-ca"),
        _Leaf("admin", "/O=system:masters/CN=penstock-admin"),
        _Leaf("kube-controller-manager", "/CN=system:kube-controller-manager"),
        _Leaf("kube-scheduler", "/CN=system:kube-scheduler"),
        _Leaf("kube-proxy", "/CN=system:kube-proxy"),
        _Leaf("kubelet", f"/O=system:nodes/CN=system:node:{node}"),
    )


def create(pki: Path, node: str) -> None:
    """Make the authorities, the certificates they sign, and the service accounts' key."""
    pki.mkdir(parents=True, exist_ok=True)
    pki.chmod(0o700)
    (pki / "openssl.cnf").write_text(_OPENSSL_CONFIG)
    for authority in ("ca", "front-proxy-ca"):
        _create_authority(pki, authority)
    for leaf in _leaves(node):
        _sign(pki, leaf)
    key = pki / "service-account.key"
    commands.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", _CURVE, "-out", key])
    commands.run(["openssl", "pkey", "-in", key, "-pubout", "-out", pki / "service-account.pub"])


def create_client(pki: Path, name: str, subject: str) -> None:
    """Make the certificate of one more user, with the groups that its subject names."""
    _sign(pki, _Leaf(name, subject))


def write_kubeconfig(pki: Path, user: str, server: str, target: Path) -> None:
    """Write a kubeconfig that holds its certificates, so that it may be copied elsewhere."""

    def embedded(file: str) -> str:
        return base64.b64encode((pki / file).read_bytes()).decode()

    cluster = {"server": server, "certificate-authority-data": embedded("ca.crt")}
    identity = {
        "client-certificate-data": embedded(f"{user}.crt"),
        "client-key-data": embedded(f"{user}.key"),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=0o600)
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "penstock", "cluster": cluster}],
        "users": [{"name": user, "user": identity}],
        "contexts": [{"name": "penstock", "context": {"cluster": "penstock", "user": user}}],
        "current-context": "penstock",
    }
    target.write_text(json.dumps(content, indent=2) + "\n")


def _create_authority(pki: Path, name: str) -> None:
    extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"]
    _request(pki, name, f"/CN=penstock-{name}", extensions, [])


def _sign(pki: Path, leaf: _Leaf) -> None:
    authority = pki / leaf.authority
    signer = ["-CA", f"{authority}.crt", "-CAkey", f"{authority}.key"]
    _request(pki, leaf.name, leaf.subject, leaf.extensions, signer)


def _request(pki: Path, name: str, subject: str, extensions: list[str], signer: list[str]) -> None:
    added = [word for extension in extensions for word in ("-addext", extension)]
    commands.run(
        [
            *("openssl", "req", "-x509", "-new", "-config", str(pki / "openssl.cnf")),
            *("-newkey", "ec", "-pkeyopt", _CURVE, "-nodes", "-sha256", "-days", _DAYS),
            *("-keyout", str(pki / f"{name}.key"), "-out", str(pki / f"{name}.crt")),
            *("-subj", subject, *added, *signer),
        ]
    )
