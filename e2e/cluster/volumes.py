"""Volumes for claims: folders of this machine, since nothing here provisions any.

They are of no storage class, so that a claim that names none is bound to one of them, as it would
be to a volume of the default class elsewhere. Their files go with the cluster's state.
"""

import json
import shutil
from typing import Any

from e2e.cluster import commands, components
from e2e.cluster.components import NODE
from e2e.cluster.paths import Layout

_NAMES = ("penstock-0", "penstock-1", "penstock-2")
_SIZE = "20Gi"


def ensure(layout: Layout) -> None:
    """Make volumes that can be claimed; those whose claim is gone are emptied and offered again."""
    found = {item["metadata"]["name"]: item for item in _listed(layout)}
    for name in _NAMES:
        volume = found.get(name)
        if volume is not None and volume["status"]["phase"] != "Released":
            continue
        if volume is not None:
            _kubectl(layout, "delete", "persistentvolume", name)
            shutil.rmtree(layout.volumes / name)
        (layout.volumes / name).mkdir(parents=True, exist_ok=True)
        _kubectl(layout, "create", "--filename", "-", stdin=json.dumps(_volume(layout, name)))


def _listed(layout: Layout) -> list[dict[str, Any]]:
    listed = json.loads(_kubectl(layout, "get", "persistentvolumes", "--output", "json"))
    items: list[dict[str, Any]] = listed["items"]
    return items


def _volume(layout: Layout, name: str) -> dict[str, Any]:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": _SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": str(layout.volumes / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


def _kubectl(layout: Layout, *arguments: str, stdin: str | None = None) -> str:
    program = layout.tools / "kubectl"
    kubeconfig = components.kubeconfig(layout, "admin")
    return commands.run([program, "--kubeconfig", kubeconfig, *arguments], stdin=stdin)
