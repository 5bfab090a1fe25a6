"""Network policies are on by default: each part is let talk to whom it needs, and no further."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from penstock.kubernetes.api.labels import EXECUTION_UID
from penstock.network import REFUSED
from tests.unit.docs.snippets import ROOT, documents
from tests.unit.packaging.test_manifests import deployment, of_kind, pod_of

PARTS = ("penstock", "penstock-gateway", "penstock-git", "penstock-storage")
METADATA = (
    "169.254.169.254",
    "169.254.170.23",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
)
DNS = {(port, protocol) for port in (53, 5353, 8053) for protocol in ("TCP", "UDP")}
API_SERVER = {(port, "TCP") for port in (443, 6443, 8443, 16443)}

Rule = dict[str, Any]


def policy(name: str) -> dict[str, Any]:
    (found,) = [body for body in of_kind("NetworkPolicy") if body["metadata"]["name"] == name]
    spec: dict[str, Any] = found["spec"]
    return spec


def labels_of(name: str) -> dict[str, str]:
    labels: dict[str, str] = deployment(name)["spec"]["template"]["metadata"]["labels"]
    return labels


def ports_of(rule: Rule) -> set[tuple[Any, str]]:
    return {(item.get("port"), item["protocol"]) for item in rule["ports"]}


def to_everybody(name: str) -> list[Rule]:
    """The rules by which a part may call every address."""
    return [rule for rule in policy(name)["egress"] if "to" not in rule]


def to_peers(name: str) -> list[Rule]:
    """The rules by which a part may call those that they name."""
    return [rule for rule in policy(name)["egress"] if "to" in rule]


def lets_call(rule: Rule, address: str) -> bool:
    """Whether a rule opens an address outside of the cluster."""
    at = ip_address(address)
    blocks = [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]
    return any(
        at in ip_network(block["cidr"])
        and not any(at in ip_network(network) for network in block.get("except", ()))
        for block in blocks
    )


def test_each_part_has_a_policy_and_no_other_part_falls_under_it() -> None:
    assert {body["metadata"]["name"] for body in of_kind("NetworkPolicy")} == set(PARTS)
    for name in PARTS:
        selector = policy(name)["podSelector"]["matchLabels"].items()
        found = [part for part in PARTS if selector <= labels_of(part).items()]
        assert found == [name]
        assert policy(name)["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize("name", PARTS)
def test_each_port_of_a_part_is_let_in_and_no_other(name: str) -> None:
    (container,) = pod_of(name)["containers"]
    served = {port["name"] for port in container["ports"]}
    let_in = {port for rule in policy(name)["ingress"] for port, _ in ports_of(rule)}
    assert let_in == served
    # and what a Service or a probe asks is among them
    for service in of_kind("Service"):
        if service["spec"]["selector"].items() <= labels_of(name).items():
            assert {item["targetPort"] for item in service["spec"]["ports"]} <= let_in
    probes = [value["httpGet"]["port"] for key, value in container.items() if "Probe" in key]
    assert set(probes) <= let_in


def test_the_git_service_lets_in_the_controller_alone() -> None:
    (rule,) = policy("penstock-git")["ingress"]
    (peer,) = rule["from"]
    allowed = peer["podSelector"]["matchLabels"].items()
    # A peer without a `namespaceSelector` is a pod of the own namespace.
    assert list(peer) == ["podSelector"]
    assert [part for part in PARTS if allowed <= labels_of(part).items()] == ["penstock"]


def test_the_storage_service_lets_in_every_pod_and_the_api_server() -> None:
    (rule,) = policy("penstock-storage")["ingress"]
    assert "from" not in rule


@pytest.mark.parametrize("name", PARTS)
def test_each_part_resolves_names_and_asks_the_api_server(name: str) -> None:
    dns, api_server = to_everybody(name)
    assert ports_of(dns) == DNS
    assert ports_of(api_server) == API_SERVER


@pytest.mark.parametrize(
    ("name", "ports"),
    [("penstock", {(None, "TCP")}), ("penstock-git", {(80, "TCP"), (443, "TCP")})],
)
def test_what_asks_for_users_may_ask_pods_and_the_world_but_not_for_credentials(
    name: str, ports: set[tuple[Any, str]]
) -> None:
    (rule,) = to_peers(name)
    assert ports_of(rule) == ports
    assert {"namespaceSelector": {}} in rule["to"]
    assert lets_call(rule, "93.184.215.14")
    assert lets_call(rule, "2606:2800:21f:cb07::1")
    for address in METADATA:
        assert not lets_call(rule, address), address


def test_the_network_refuses_what_the_code_refuses() -> None:
    """But for this machine itself, which no policy is about."""
    local = ("0.0.0.0/8", "127.0.0.0/8", "::/128", "::1/128")
    (rule,) = to_peers("penstock")
    blocks = [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]
    excepted = {ip_network(network) for block in blocks for network in block["except"]}
    refused = {ip_network(network) for network in REFUSED if network not in local}
    covered = {network for network in refused if any(_holds(other, network) for other in excepted)}
    assert covered == refused
    assert excepted <= refused


def test_the_gateway_lets_in_everybody_and_calls_the_api_server_and_the_storage_service() -> None:
    (rule,) = policy("penstock-gateway")["ingress"]
    assert "from" not in rule
    (called,) = to_peers("penstock-gateway")
    (peer,) = called["to"]
    allowed = peer["podSelector"]["matchLabels"].items()
    assert list(peer) == ["podSelector"]
    assert [part for part in PARTS if allowed <= labels_of(part).items()] == ["penstock-storage"]
    assert ports_of(called) == {("storage", "TCP")}


def test_with_a_volume_the_storage_service_calls_the_api_server_alone() -> None:
    assert to_peers("penstock-storage") == []


def test_the_policy_for_tasks_in_the_docs_leaves_them_their_files() -> None:
    # given
    shown = [body for _, body in documents(ROOT / "docs/security.md")]
    (spec,) = [body["spec"] for body in shown if body.get("kind") == "NetworkPolicy"]
    # then: it is about the pods of tasks
    (expression,) = spec["podSelector"]["matchExpressions"]
    assert expression == {"key": EXECUTION_UID, "operator": "Exists"}
    # and they reach the storage service
    (rule,) = [rule for rule in spec["egress"] if "podSelector" in str(rule)]
    (peer,) = rule["to"]
    storage = deployment("penstock-storage")
    assert peer["podSelector"]["matchLabels"].items() <= labels_of("penstock-storage").items()
    assert list(peer["namespaceSelector"]["matchLabels"].values()) == [
        storage["metadata"]["namespace"]
    ]
    (port,) = pod_of("penstock-storage")["containers"][0]["ports"]
    assert ports_of(rule) == {(port["containerPort"], "TCP")}
    # and nothing that serves credentials
    (world,) = [rule for rule in spec["egress"] if "ipBlock" in str(rule)]
    assert not lets_call(world, "169.254.169.254")


def _holds(other: Any, network: Any) -> bool:
    return bool(other.version == network.version and network.subnet_of(other))
