"""Brings the cluster up: builds what is missing, starts the components, waits until it works."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from e2e.cluster import (
    application,
    certificates,
    cgroups,
    commands,
    components,
    golang,
    images,
    network,
    packages,
    processes,
    volumes,
)
from e2e.cluster.api import ApiClient
from e2e.cluster.components import API_SERVER, NAMES, NODE
from e2e.cluster.console import ClusterError, say, step
from e2e.cluster.loading import load_image
from e2e.cluster.paths import RUN, Layout, running_state_directory
from e2e.cluster.teardown import remove_cluster

_CLIENTS = ("admin", *NAMES[3:])

_BASE_IMAGES = (images.pause, images.busybox, images.python)


def bring_up(layout: Layout, image: str | None = None) -> None:
    """Make sure that a working cluster runs; quick when one does already.

    `image`: a tag of the repository's own image, which is built meanwhile, so that whoever wants it
    next need not wait.
    """
    _refuse_second_cluster(layout)
    if is_healthy(layout):
        _load_base_images(layout)
        volumes.ensure(layout)
        say(f"already up, healthy: export KUBECONFIG={layout.kubeconfig}")
        return
    programs = _prepare(layout, image)
    if RUN.exists() or layout.state.exists():
        say("removing what is left of an earlier cluster")
        take_down(layout)
    _create_folders(layout, programs)
    try:
        _start(layout)
    except ClusterError as error:
        raise ClusterError(f"{error}\nAll logs are in {layout.logs}; `down` cleans up.") from None
    say(f"up: export KUBECONFIG={layout.kubeconfig} PATH={layout.tools}:$PATH")


def is_healthy(layout: Layout) -> bool:
    """Whether all components run, the API server is ready and so is the node."""
    if not all(status(layout).values()):
        return False
    client = ApiClient(API_SERVER, layout.pki)
    return client.ready() and client.node_ready(NODE)


def status(layout: Layout) -> dict[str, int | None]:
    """The pid of each component, or None for one that does not run."""
    return {name: processes.pid_of(layout, name) for name in NAMES}


def _refuse_second_cluster(layout: Layout) -> None:
    running = running_state_directory()
    if running is None or running == layout.state:
        return
    other = _leftover_layout(layout)
    if any(status(other).values()):
        raise ClusterError(
            f"this machine runs a cluster already, whose state is in {running}. Use that one: "
            f"export KUBECONFIG={other.kubeconfig}; or stop it first: "
            f"PENSTOCK_CLUSTER_DIR={running} python3 -m e2e.cluster down"
        )


def take_down(layout: Layout) -> None:
    """Remove this clone's cluster and what is left of any other, but none that still runs."""
    _refuse_second_cluster(layout)
    remove_cluster(_leftover_layout(layout))
    remove_cluster(layout)


def _leftover_layout(layout: Layout) -> Layout:
    """The cluster that this machine ran last, whichever clone's it is."""
    running = running_state_directory()
    return Layout(layout.repository, running or layout.state, layout.cache)


def _prepare(layout: Layout, image: str | None) -> dict[str, Path]:
    """Building Go programs takes minutes, and needs none of the packages: do both at once."""
    say("making what is not in the cache: on two cores all of it takes about 7 minutes")
    wanted = (golang.control_plane(layout), golang.helm(layout))
    with ThreadPoolExecutor(max_workers=1) as background:
        building = background.submit(golang.Builder(layout, wanted).build_all)
        packages.ensure_installed()
        for make in _BASE_IMAGES:
            make(layout)
        if image is not None:
            application.build_repository(layout, image)
        return building.result()


def _create_folders(layout: Layout, programs: dict[str, Path]) -> None:
    for folder in (layout.state, layout.tools, layout.components, layout.kubelet_data):
        folder.mkdir(parents=True, exist_ok=True)
    layout.kubelet_root.mkdir(parents=True, exist_ok=True)
    layout.owner.write_text(f"{layout.state}\n")
    (layout.state / ".gitignore").write_text("*\n")
    for name in components.LINKS:
        (layout.components / name).symlink_to(programs["kubernetes"])
    for name, program in (("kubectl", programs["kubernetes"]), ("helm", programs["helm"])):
        (layout.tools / name).symlink_to(program)


def _start(layout: Layout) -> None:
    with step("certificates made"):
        certificates.create(layout.pki, NODE)
        for client in _CLIENTS:
            target = components.kubeconfig(layout, client)
            certificates.write_kubeconfig(layout.pki, client, API_SERVER, target)
    components.write_configuration(layout)
    with step(f"network ready: bridge {network.BRIDGE}, node address {network.NODE_ADDRESS}"):
        network.create(layout)
        cgroups.create()
        commands.run(["mount", "--bind", layout.kubelet_data, layout.kubelet_root])
    _start_control_plane(layout)
    _start_node(layout)
    volumes.ensure(layout)
    # Written last: who waits for this file finds a cluster that works.
    certificates.write_kubeconfig(layout.pki, "admin", API_SERVER, layout.kubeconfig)


def _start_control_plane(layout: Layout) -> None:
    client = ApiClient(API_SERVER, layout.pki)
    with step("etcd and kube-apiserver answer"):
        processes.start(layout, "containerd", components.containerd(layout))
        processes.start(layout, "etcd", components.etcd(layout))
        processes.start(layout, "kube-apiserver", components.kube_apiserver(layout))
        processes.wait_until(layout, "kube-apiserver", "the API server is ready", client.ready)
    processes.start(layout, "kube-controller-manager", components.kube_controller_manager(layout))
    processes.start(layout, "kube-scheduler", components.kube_scheduler(layout))


def _start_node(layout: Layout) -> None:
    client = ApiClient(API_SERVER, layout.pki)
    wait = partial(processes.wait_until, layout)
    with step(f"node {NODE} ready, images loaded"):
        wait("containerd", "containerd answers", layout.containerd_socket.is_socket)
        processes.start(layout, "kubelet", components.kubelet(layout))
        processes.start(layout, "kube-proxy", components.kube_proxy(layout))
        _load_base_images(layout)
        wait("kubelet", "the node is ready", lambda: client.node_ready(NODE))
        wait(
            "kube-controller-manager",
            "the service account `default` exists",
            lambda: client.service_account_exists("default", "default"),
        )


def _load_base_images(layout: Layout) -> None:
    for make in _BASE_IMAGES:
        load_image(layout, make(layout))
