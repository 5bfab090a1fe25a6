"""The alternative for machines with docker: a cluster of kind, when PENSTOCK_CLUSTER=kind."""

import os
from pathlib import Path

from e2e.cluster import commands
from e2e.cluster.console import ClusterError, say, step
from e2e.cluster.paths import Layout

_NAME = "penstock"


def is_wanted() -> bool:
    """Whether the environment asks for kind; raises when it asks for something unknown."""
    wanted = os.environ.get("PENSTOCK_CLUSTER", "")
    if wanted not in ("", "local", "kind"):
        raise ClusterError(f"PENSTOCK_CLUSTER={wanted}: it can be `kind`, `local` or unset")
    return wanted == "kind"


def bring_up(layout: Layout) -> None:
    """Create the cluster unless it exists, and write its kubeconfig."""
    _require_programs()
    layout.state.mkdir(parents=True, exist_ok=True)
    if _NAME in commands.run(["kind", "get", "clusters"]).split():
        target = ["--name", _NAME, "--kubeconfig", str(layout.kubeconfig)]
        commands.run(["kind", "export", "kubeconfig", *target])
        say(f"already up: the kind cluster {_NAME}; export KUBECONFIG={layout.kubeconfig}")
        return
    with step(f"the kind cluster {_NAME} created"):
        commands.run(
            [
                *("kind", "create", "cluster", "--name", _NAME, "--wait", "120s"),
                *("--kubeconfig", str(layout.kubeconfig)),
            ],
            hint="Does `docker info` work?",
        )
    say(f"up: export KUBECONFIG={layout.kubeconfig}")


def remove(layout: Layout) -> None:
    _require_programs()
    with step(f"the kind cluster {_NAME} deleted"):
        commands.run(["kind", "delete", "cluster", "--name", _NAME])
    layout.kubeconfig.unlink(missing_ok=True)


def load_image(archive: Path) -> None:
    _require_programs()
    with step(f"{archive} loaded into the kind cluster {_NAME}"):
        commands.run(["kind", "load", "image-archive", archive, "--name", _NAME])


def _require_programs() -> None:
    missing = [name for name in ("docker", "kind") if commands.find_program(name) is None]
    if missing:
        raise ClusterError(
            f"PENSTOCK_CLUSTER=kind needs {' and '.join(missing)}, which this machine has not: "
            "install that, or unset PENSTOCK_CLUSTER"
        )
