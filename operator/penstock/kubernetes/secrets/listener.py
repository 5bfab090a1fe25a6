"""The Deployment of a namespace's listener: a pure function of what its triggers need.

Its pod has no credentials of the cluster. By its one token the gateway knows of which namespace it
is; the API server does not take it. The secrets that its triggers name are variables from
`secretKeyRef`s, each optional: what is missing for one trigger keeps no other from working.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.kubernetes.api.client import Object
from penstock.kubernetes.pods.podspec import JobDefaults, literal
from penstock.kubernetes.secrets.locations import SecretKey
from penstock.resources.labels import IGNORE_UPDATES, MANAGED_BY, MANAGER
from penstock.resources.names import short_hash

NAME = "penstock-listener"
"""The name of the Deployment, and of its container."""
LABEL = "penstock.dev/listener"
"""The label of the Deployment and its pods."""
DIGEST = "penstock.dev/digest"
"""The annotation of the Deployment with a hash of what was asked for, which tells whether it is to
be another."""
AUDIENCE = "penstock-gateway"
_TOKEN_FOLDER = "/var/run/secrets/penstock-gateway"
_TOKEN_SECONDS = 3600
_STEADY_SECONDS = 10
"""Seconds for which a listener runs before it counts as one that does."""
_USER = 65532
_DISK = "2112Mi"
"""Room for the files that sources write at once, two of 1 GiB, before they go to the storage."""


@dataclass(frozen=True)
class ListenerNeeds:
    """What the listener of a namespace is given."""

    gateway: str
    """The URL of the gateway."""
    refused: Iterable[str] = ()
    """Networks that it does not ask."""
    secrets: Mapping[str, Mapping[str, SecretKey]] = field(default_factory=dict)
    """The places of the secrets that the triggers of each Flow name, by the name of the Flow."""
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What its container asks for, and may take."""


def listener_deployment(namespace: str, needs: ListenerNeeds, defaults: JobDefaults) -> Object:
    """Build the Deployment."""
    labels = {MANAGED_BY: MANAGER, LABEL: "true"}
    spec = {
        "replicas": 1,
        "revisionHistoryLimit": 1,
        # One that ends at once, again and again, is never available.
        "minReadySeconds": _STEADY_SECONDS,
        # Never two at a time: of some sources each would get every event.
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": {LABEL: "true"}},
        "template": {"metadata": {"labels": labels}, "spec": _pod(namespace, needs, defaults)},
    }
    annotations = {IGNORE_UPDATES: "true", DIGEST: short_hash(json.dumps(spec, sort_keys=True))}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": NAME,
            "namespace": namespace,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": spec,
    }


def digest_of(deployment: Object) -> str | None:
    """Tell what a Deployment was made of; None where we did not make it."""
    meta = deployment["metadata"]
    if (meta.get("labels") or {}).get(MANAGED_BY) != MANAGER:
        return None
    digest = (meta.get("annotations") or {}).get(DIGEST)
    return None if digest is None else str(digest)


def _pod(namespace: str, needs: ListenerNeeds, defaults: JobDefaults) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": NAME,
        "image": defaults.image,
        "args": ["listener"],
        "env": _environment(namespace, needs),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "token", "mountPath": _TOKEN_FOLDER, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    if defaults.image_pull_policy is not None:
        container["imagePullPolicy"] = defaults.image_pull_policy
    if any(needs.resources.values()):
        container["resources"] = {key: dict(item) for key, item in needs.resources.items() if item}
    token = {"audience": AUDIENCE, "expirationSeconds": _TOKEN_SECONDS, "path": "token"}
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}},
            {"name": "tmp", "emptyDir": {"sizeLimit": _DISK}},
        ],
    }
    if defaults.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in defaults.image_pull_secrets]
    if defaults.node_selector:
        pod["nodeSelector"] = dict(defaults.node_selector)
    if defaults.tolerations:
        pod["tolerations"] = [dict(item) for item in defaults.tolerations]
    return pod


def _environment(namespace: str, needs: ListenerNeeds) -> list[dict[str, Any]]:
    places: dict[str, dict[str, str]] = {}
    keys: dict[str, SecretKey] = {}
    for flow, secrets in sorted(needs.secrets.items()):
        for name, key in sorted(secrets.items()):
            variable = f"PENSTOCK_SECRET_{short_hash(key.name, key.key).upper()}"
            places.setdefault(flow, {})[name] = variable
            keys[variable] = key
    plain = {
        "PENSTOCK_GATEWAY": needs.gateway,
        "PENSTOCK_NAMESPACE": namespace,
        "PENSTOCK_GATEWAY_TOKEN": f"{_TOKEN_FOLDER}/token",
        "PENSTOCK_REFUSED_NETWORKS": ",".join(needs.refused),
        "PENSTOCK_LISTENER_SECRETS": literal(json.dumps(places, sort_keys=True)),
    }
    entries: list[dict[str, Any]] = [
        {"name": name, "value": value} for name, value in plain.items()
    ]
    for variable, key in sorted(keys.items()):
        source = {"name": key.name, "key": key.key, "optional": True}
        entries.append({"name": variable, "valueFrom": {"secretKeyRef": source}})
    return entries
