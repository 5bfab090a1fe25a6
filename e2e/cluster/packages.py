"""Installs the Debian packages whose programs are missing, and starts none of their services."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster import commands
from e2e.cluster.console import ClusterError, step

# What is looked for, rather than the package: on a machine that has the programs from elsewhere
# nothing needs to be installed.
_PROGRAMS = {
    "containerd": "containerd",
    "containerd-shim-runc-v2": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "git": "git",
    "openssl": "openssl",
    "mount": "mount",
}
_FILES = {
    "/bin/busybox": "busybox-static",
    "/etc/ssl/certs/ca-certificates.crt": "ca-certificates",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
_CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
_CNI_PLUGINS = ("bridge", "host-local", "portmap", "loopback")
_SERVICE_POLICY = Path("/usr/sbin/policy-rc.d")


def ensure_installed() -> None:
    """Install what is missing; touches nothing, and needs no network, when nothing is."""
    _install_those(_missing_packages())
    if still := _missing_packages():
        raise ClusterError(f"apt-get succeeded, yet these are still missing: {', '.join(still)}")


def ensure_programs(programs: Mapping[str, str]) -> None:
    """Install the packages of further programs, given as package by program."""
    _install_those(sorted({package for name, package in programs.items() if not _has(name)}))


def _install_those(missing: list[str]) -> None:
    if not missing:
        return
    if commands.find_program("apt-get") is None:
        raise ClusterError(
            f"missing: {', '.join(missing)}. This machine has no apt-get: install what these "
            "Debian packages hold by its own means, then run this again."
        )
    with step(f"Debian packages installed: {' '.join(missing)}"), _no_service_starts():
        _install(missing)


def cni_folder() -> Path:
    """The folder that holds the network plugins."""
    for folder in _CNI_FOLDERS:
        if all((folder / plugin).exists() for plugin in _CNI_PLUGINS):
            return folder
    raise ClusterError(
        f"no network plugins in {' or '.join(map(str, _CNI_FOLDERS))}: "
        "install the package containernetworking-plugins"
    )


def _missing_packages() -> list[str]:
    missing = {package for program, package in _PROGRAMS.items() if not _has(program)}
    missing |= {package for file, package in _FILES.items() if not Path(file).exists()}
    try:
        cni_folder()
    except ClusterError:
        missing.add("containernetworking-plugins")
    return sorted(missing)


def _has(program: str) -> bool:
    return commands.find_program(program) is not None


def _install(packages: list[str]) -> None:
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    # An unreachable third-party source makes "update" fail; what counts is whether the
    # installation that follows succeeds.
    commands.attempt(["apt-get", "update"], env=quiet)
    commands.run(
        ["apt-get", "install", "--yes", "--no-install-recommends", *packages],
        env=quiet,
        hint="If it cannot reach the archive, check /etc/apt/sources.list and the network.",
    )


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Keep the packages' own services from starting: the cluster runs its own containerd."""
    if _SERVICE_POLICY.exists():
        # Somebody's policy is there already; replace nothing, but it must forbid.
        previous: bytes | None = _SERVICE_POLICY.read_bytes()
    else:
        previous = None
    _SERVICE_POLICY.write_text("#!/bin/sh\nexit 101\n")
    _SERVICE_POLICY.chmod(0o755)
    try:
        yield
    finally:
        if previous is None:
            _SERVICE_POLICY.unlink(missing_ok=True)
        else:
            _SERVICE_POLICY.write_bytes(previous)
