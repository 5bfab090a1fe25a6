"""The node's bridge, the pods' network, and the packet rules that they need.

The bridge comes first and holds the node's address: the kubelet refuses an address on loopback,
and an address of this machine's real interfaces would expose the test cluster.
"""

import ipaddress
import json
import re
from pathlib import Path

from e2e.cluster import commands
from e2e.cluster.paths import RUN, Layout

BRIDGE = "penstock0"
NETWORK = "penstock"
POD_SUBNET = ipaddress.ip_network("10.231.0.0/20")
SERVICE_SUBNET = ipaddress.ip_network("10.232.0.0/16")
NODE_ADDRESS = str(POD_SUBNET[1])
API_SERVICE_ADDRESS = str(SERVICE_SUBNET[1])

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_FORWARDING_BEFORE = RUN / "ip_forward.before"
_RESULTS = Path("/var/lib/cni/results")
# Chains of our own, each hooked into a built-in chain: removing them cannot touch other rules.
_CHAINS = (
    ("filter", "INPUT", "PENSTOCK-INPUT"),
    ("filter", "FORWARD", "PENSTOCK-FORWARD"),
    ("nat", "POSTROUTING", "PENSTOCK-NAT"),
)
_RULES = (
    ("filter", "PENSTOCK-INPUT", ["-i", BRIDGE, "-j", "ACCEPT"]),
    ("filter", "PENSTOCK-FORWARD", ["-i", BRIDGE, "-j", "ACCEPT"]),
    ("filter", "PENSTOCK-FORWARD", ["-o", BRIDGE, "-j", "ACCEPT"]),
    (
        "nat",
        "PENSTOCK-NAT",
        ["-s", str(POD_SUBNET), "!", "-d", str(POD_SUBNET), "-j", "MASQUERADE"],
    ),
)
_TABLES = ("filter", "nat", "mangle")
# Chains of kube-proxy, and those of the portmap plugin, which has no clean-up of its own.
_LEFT_OVER_CHAIN = re.compile(r"KUBE-|CNI-HOSTPORT-|CNI-DN-")


def create(layout: Layout) -> None:
    """Make the bridge, the pods' network configuration and the rules."""
    _create_bridge()
    _allow_forwarding()
    for table, hook, chain in _CHAINS:
        commands.run(["iptables", "-w", "-t", table, "-N", chain])
        commands.run(["iptables", "-w", "-t", table, "-I", hook, "-j", chain])
    for table, chain, rule in _RULES:
        commands.run(["iptables", "-w", "-t", table, "-A", chain, *rule])
    folder = layout.config / "cni"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "10-penstock.conflist").write_text(json.dumps(_pod_network(layout), indent=2))


def remove() -> None:
    """Take away the bridge, what hangs on it, and every rule of the cluster; never fails."""
    for interface in _bridge_ports():
        commands.attempt(["ip", "link", "delete", interface])
    commands.attempt(["ip", "link", "delete", BRIDGE])
    for table, hook, chain in _CHAINS:
        commands.attempt(["iptables", "-w", "-t", table, "-D", hook, "-j", chain])
    for program in ("iptables", "ip6tables"):
        for table in _TABLES:
            _remove_chains(program, table)
    _forget_results()
    if _FORWARDING_BEFORE.exists():
        _FORWARDING.write_text(_FORWARDING_BEFORE.read_text())
        _FORWARDING_BEFORE.unlink()


def _forget_results() -> None:
    """Remove the records of killed pods from the folder that all runtimes of a machine share."""
    for result in _RESULTS.glob("*"):
        # The pods' network namespaces are mounted in our folder: their path is in the record.
        if f"{RUN}/" in result.read_text(errors="replace"):
            result.unlink(missing_ok=True)


def _create_bridge() -> None:
    commands.run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    address = f"{NODE_ADDRESS}/{POD_SUBNET.prefixlen}"
    commands.run(["ip", "address", "add", address, "dev", BRIDGE])
    commands.run(["ip", "link", "set", BRIDGE, "up"])


def _allow_forwarding() -> None:
    before = _FORWARDING.read_text()
    if before.strip() != "1":
        _FORWARDING_BEFORE.write_text(before)
        _FORWARDING.write_text("1\n")


def _pod_network(layout: Layout) -> dict[str, object]:
    # No ipMasq: one rule for the whole subnet (above) spares two iptables calls for each pod.
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.state / "addresses"),
            "routes": [{"dst": "0.0.0.0/0"}],
            "ranges": [[{"subnet": str(POD_SUBNET), "gateway": NODE_ADDRESS}]],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    return {"cniVersion": "0.4.0", "name": NETWORK, "plugins": [bridge, portmap]}


def _bridge_ports() -> list[str]:
    printed = commands.attempt(["ip", "-json", "link", "show", "master", BRIDGE])
    links: list[dict[str, str]] = json.loads(printed) if printed and printed.strip() else []
    return [link["ifname"] for link in links if "ifname" in link]


def _remove_chains(program: str, table: str) -> None:
    """Remove the cluster's chains in one table: first the rules that name them, then them."""
    listed = commands.attempt([program, "-w", "-t", table, "-S"]) or ""
    own = {chain for _, _, chain in _CHAINS}
    chains = [
        words[1]
        for words in map(str.split, listed.splitlines())
        if words[0] == "-N" and (words[1] in own or _LEFT_OVER_CHAIN.match(words[1]))
    ]
    if not chains:
        return
    lines = [f"*{table}"]
    for rule in listed.splitlines():
        target = re.search(r" -[jg] (\S+)", rule)
        into_ours = rule.startswith("-A ") and target is not None and target[1] in chains
        if into_ours and rule.split()[1] not in chains:
            lines.append(f"-D {rule.removeprefix('-A ')}")
    lines += [f"-F {chain}" for chain in chains]
    lines += [f"-X {chain}" for chain in chains]
    lines.append("COMMIT")
    commands.attempt([f"{program}-restore", "-w", "--noflush"], stdin="\n".join(lines) + "\n")
