"""The folders and files of the cluster.

Three places with three lifetimes: the state of one cluster (removed by ``down``), the cache of
what is slow to make (shared by all clones of the repository, kept), and a short folder in /run
for sockets and mounts, because the path of a Unix socket is limited to 108 characters.
"""

import os
from dataclasses import dataclass
from pathlib import Path

# Fixed, not derived from the clone: kube-proxy's rules and the bridge are of the machine, so a
# machine holds one such cluster at a time, and this folder says whose.
RUN = Path("/run/penstock")
LOCK = Path("/run/penstock.lock")


@dataclass(frozen=True)
class Layout:
    """The folders and files of one cluster."""

    repository: Path
    state: Path
    cache: Path

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def config(self) -> Path:
        return self.state / "config"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def pod_logs(self) -> Path:
        return self.state / "pod-logs"

    @property
    def volumes(self) -> Path:
        return self.state / "volumes"

    @property
    def tools(self) -> Path:
        """The folder that users put on PATH, with kubectl and helm."""
        return self.state / "bin"

    @property
    def components(self) -> Path:
        """The control plane's program under the name of each component."""
        return self.state / "libexec"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def loaded_images(self) -> Path:
        return self.state / "loaded-images.json"

    @property
    def pids(self) -> Path:
        return RUN / "pids"

    @property
    def owner(self) -> Path:
        return RUN / "state-directory"

    @property
    def containerd_socket(self) -> Path:
        return RUN / "containerd.sock"

    @property
    def containerd_state(self) -> Path:
        return RUN / "containerd"

    @property
    def kubelet_data(self) -> Path:
        return self.state / "kubelet"

    @property
    def kubelet_root(self) -> Path:
        """The kubelet's data, mounted where its sockets have short paths."""
        return RUN / "kubelet"


def discover() -> Layout:
    """The layout that the environment asks for."""
    repository = Path(__file__).resolve().parents[2]
    return Layout(repository=repository, state=_state_directory(repository), cache=_cache())


def running_state_directory() -> Path | None:
    """The state directory of the cluster that this machine runs (or ran, before a crash)."""
    try:
        return Path((RUN / "state-directory").read_text().strip())
    except OSError:
        return None


def _state_directory(repository: Path) -> Path:
    configured = os.environ.get("PENSTOCK_CLUSTER_DIR")
    if configured:
        return Path(configured).expanduser().resolve()
    running = running_state_directory()
    kubeconfig = os.environ.get("KUBECONFIG")
    if running and kubeconfig and Path(kubeconfig).resolve() == running / "kubeconfig":
        # Another clone's cluster, named by KUBECONFIG: operate that one.
        return running
    return repository / "build" / "cluster"


def _cache() -> Path:
    configured = os.environ.get("PENSTOCK_CACHE")
    if configured:
        return Path(configured).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").resolve() / "penstock"
