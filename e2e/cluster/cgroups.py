"""The control group that holds every container, so that none can outlive the cluster.

The kubelet puts all pods below it. Whatever happened to the kubelet or to containerd, the
processes listed there are the cluster's and nobody else's.
"""

import os
import signal
import time
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
NAME = "penstock"
_CONTROLLERS = ("cpuset", "cpu", "memory", "pids", "hugetlb")


def create() -> None:
    """Make the group in each hierarchy: the kubelet wants it to be there when it starts."""
    if (_MOUNT / "cgroup.controllers").exists():
        _create_unified()
        return
    for hierarchy in _hierarchies():
        group = hierarchy / NAME
        group.mkdir(exist_ok=True)
        _inherit_cpuset(hierarchy, group)


def kill_all(timeout: float = 10.0) -> None:
    """Kill every process of every container, and wait until they are gone."""
    deadline = time.monotonic() + timeout
    while (alive := _members()) and time.monotonic() < deadline:
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def remove() -> None:
    """Remove the group and all below it; best effort, since the kernel may hold one a while."""
    for group in _groups():
        for folder, _, _ in os.walk(group, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:
                continue


def _create_unified() -> None:
    group = _MOUNT / NAME
    group.mkdir(exist_ok=True)
    available = (_MOUNT / "cgroup.controllers").read_text().split()
    for controller in (name for name in _CONTROLLERS if name in available):
        for parent in (_MOUNT, group):
            try:
                (parent / "cgroup.subtree_control").write_text(f"+{controller}")
            except OSError:
                continue


def _inherit_cpuset(parent: Path, group: Path) -> None:
    # A new cpuset allows no processor and no memory, and refuses processes until it does.
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (group / file).exists():
            (group / file).write_text((parent / file).read_text())


def _hierarchies() -> list[Path]:
    return [path for path in _MOUNT.iterdir() if (path / "cgroup.procs").exists()]


def _groups() -> list[Path]:
    if (_MOUNT / NAME).is_dir():
        return [_MOUNT / NAME]
    return [hierarchy / NAME for hierarchy in _hierarchies() if (hierarchy / NAME).is_dir()]


def _members() -> set[int]:
    pids: set[int] = set()
    for group in _groups():
        # Containers end meanwhile: a folder that is gone by now is passed over by `walk`.
        for folder, _, _ in os.walk(group):
            try:
                listing = Path(folder, "cgroup.procs").read_text()
            except OSError:
                continue
            pids.update(map(int, listing.split()))
    # Zero stands for a process of another PID namespace: killing it would kill our own group.
    return pids - {0}
