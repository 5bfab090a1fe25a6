"""The flags and the configuration of each component.

kube-controller-manager keeps its default rates and numbers of workers: those are what users run,
so those are what is tested. Only what a private cluster of one node needs differs from defaults.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from e2e.cluster import cgroups, images, packages
from e2e.cluster.network import NODE_ADDRESS, POD_SUBNET, SERVICE_SUBNET
from e2e.cluster.paths import RUN, Layout

NODE = "penstock"
# None of them a component's default, so that another Kubernetes on the machine does not clash.
API_PORT = 16443
_ETCD_PORT, _ETCD_PEER_PORT = 12379, 12380
_KUBELET_PORT, _KUBELET_HEALTH_PORT = 16250, 16248
_PROXY_HEALTH_PORT, _PROXY_METRICS_PORT = 16256, 16249
_CONTROLLER_MANAGER_PORT, _SCHEDULER_PORT = 16257, 16259

API_SERVER = f"https://{NODE_ADDRESS}:{API_PORT}"
ETCD = f"http://127.0.0.1:{_ETCD_PORT}"
ISSUER = "https://kubernetes.default.svc.cluster.local"

# In the order in which they start.
NAMES = (
    *("containerd", "etcd", "kube-apiserver"),
    *("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"),
)
# What the control plane's program can be called as.
LINKS = (*NAMES[1:], "kubectl")

Arguments = Sequence[str | Path]


def kubeconfig(layout: Layout, component: str) -> Path:
    return layout.config / f"{component}.kubeconfig"


def etcd(layout: Layout) -> Arguments:
    # On loopback, without TLS: pods cannot reach it. Its data does not outlive the cluster, so
    # waiting for the disk would only slow the tests.
    peer = f"http://127.0.0.1:{_ETCD_PEER_PORT}"
    return [
        layout.components / "etcd",
        f"--name={NODE}",
        f"--data-dir={layout.state / 'etcd'}",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster={NODE}={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def kube_apiserver(layout: Layout) -> Arguments:
    pki = layout.pki
    return [
        layout.components / "kube-apiserver",
        f"--advertise-address={NODE_ADDRESS}",
        f"--bind-address={NODE_ADDRESS}",
        f"--secure-port={API_PORT}",
        f"--etcd-servers={ETCD}",
        f"--service-cluster-ip-range={SERVICE_SUBNET}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--tls-cert-file={pki / 'kube-apiserver.crt'}",
        f"--tls-private-key-file={pki / 'kube-apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={pki / 'service-account.pub'}",
        f"--service-account-signing-key-file={pki / 'service-account.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--proxy-client-cert-file={pki / 'front-proxy-client.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy-client.key'}",
        f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
    ]


def kube_controller_manager(layout: Layout) -> Arguments:
    return [
        layout.components / "kube-controller-manager",
        *_client_flags(layout, "kube-controller-manager"),
        f"--bind-address={NODE_ADDRESS}",
        f"--secure-port={_CONTROLLER_MANAGER_PORT}",
        f"--cert-dir={layout.state / 'self-signed'}",
        f"--root-ca-file={layout.pki / 'ca.crt'}",
        f"--service-account-private-key-file={layout.pki / 'service-account.key'}",
        f"--cluster-signing-cert-file={layout.pki / 'ca.crt'}",
        f"--cluster-signing-key-file={layout.pki / 'ca.key'}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        f"--flex-volume-plugin-dir={layout.state / 'volume-plugins'}",
    ]


def kube_scheduler(layout: Layout) -> Arguments:
    return [
        layout.components / "kube-scheduler",
        *_client_flags(layout, "kube-scheduler"),
        f"--bind-address={NODE_ADDRESS}",
        f"--secure-port={_SCHEDULER_PORT}",
        f"--cert-dir={layout.state / 'self-signed'}",
        "--leader-elect=false",
    ]


def kubelet(layout: Layout) -> Arguments:
    return [
        layout.components / "kubelet",
        f"--config={layout.config / 'kubelet.json'}",
        f"--kubeconfig={kubeconfig(layout, 'kubelet')}",
        f"--root-dir={layout.kubelet_root}",
        f"--cert-dir={layout.state / 'self-signed'}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}",
    ]


def kube_proxy(layout: Layout) -> Arguments:
    return [
        layout.components / "kube-proxy",
        f"--config={layout.config / 'kube-proxy.json'}",
        f"--hostname-override={NODE}",
    ]


def containerd(layout: Layout) -> Arguments:
    return ["containerd", f"--config={layout.config / 'containerd.toml'}"]


def write_configuration(layout: Layout) -> None:
    """Write the configuration files that the flags above name."""
    layout.config.mkdir(parents=True, exist_ok=True)
    (layout.config / "containerd.toml").write_text(_containerd_configuration(layout))
    for name, content in (
        ("kubelet", _kubelet_configuration(layout)),
        ("kube-proxy", _kube_proxy_configuration(layout)),
    ):
        (layout.config / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")


def _client_flags(layout: Layout, component: str) -> list[str]:
    own = kubeconfig(layout, component)
    return [
        f"--kubeconfig={own}",
        f"--authentication-kubeconfig={own}",
        f"--authorization-kubeconfig={own}",
    ]


def _kubelet_configuration(layout: Layout) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "port": _KUBELET_PORT,
        "healthzBindAddress": NODE_ADDRESS,
        "healthzPort": _KUBELET_HEALTH_PORT,
        "tlsCertFile": str(layout.pki / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet-server.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.NAME}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "podLogsDir": str(layout.pod_logs),
        "volumePluginDir": str(layout.state / "volume-plugins"),
        "staticPodPath": "",
        # Test images come by import, not from a registry: one that is evicted is lost. Nor may
        # a machine whose disk is nearly full evict the pods of a test.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {},
        # Its only user-visible effect would be rules that nobody removes; kube-proxy has its own.
        "makeIPTablesUtilChains": False,
    }


def _kube_proxy_configuration(layout: Layout) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig(layout, "kube-proxy"))},
        "mode": "iptables",
        "clusterCIDR": str(POD_SUBNET),
        "bindAddress": NODE_ADDRESS,
        "healthzBindAddress": f"{NODE_ADDRESS}:{_PROXY_HEALTH_PORT}",
        "metricsBindAddress": f"{NODE_ADDRESS}:{_PROXY_METRICS_PORT}",
        # All pods are on one bridge: without this, the answer of a Service's pod to another pod
        # would cross the bridge straight, past the rules that must translate its address back.
        "iptables": {"masqueradeAll": True, "localhostNodePorts": False},
        # The machine's connection tracking is not the cluster's to resize.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def _containerd_configuration(layout: Layout) -> str:
    # restrict_oom_score_adj: without CAP_SYS_RESOURCE (containers, small virtual machines) every
    # sandbox fails, with "can't get final child's PID from pipe: EOF".
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "{layout.state / "containerd"}"
state = "{layout.containerd_state}"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "{layout.containerd_socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{layout.state / "containerd-opt"}"

[{cri}]
  sandbox_image = "{images.PAUSE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

[{cri}.cni]
  bin_dir = "{packages.cni_folder()}"
  conf_dir = "{layout.config / "cni"}"

[{cri}.containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[{cri}.containerd.runtimes.runc.options]
  Root = "{RUN / "runc"}"
  SystemdCgroup = false
"""
