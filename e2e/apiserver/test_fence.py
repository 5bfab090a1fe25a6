"""What the controller's token is worth: with it, the API server does what the controller does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest

from e2e.apiserver.controlplane import CONTROLLER, CONTROLLER_NAMESPACE, ControlPlane
from e2e.apiserver.process import connected
from penstock.kubernetes.api.client import (
    CONFIG_MAPS,
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    JOBS,
    PODS,
    SECRETS,
    Api,
    ApiError,
    Object,
    Resource,
)
from penstock.kubernetes.pods.podspec import JobDefaults
from penstock.kubernetes.secrets.listener import ListenerNeeds, listener_deployment
from penstock.kubernetes.secrets.locations import SecretKey

LISTENER_IMAGE = "penstock:0.1.0"
"""As the manifests have it."""
NAMESPACES = Resource("", "v1", "namespaces")
OWNER = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "Execution",
    "name": "run",
    "uid": "1b7a3c5e-0000-4000-8000-000000000000",
    "controller": True,
}


@pytest.fixture
async def admin(plane: ControlPlane) -> AsyncIterator[Api]:
    async with await connected(plane.kubeconfig("fence-admin")) as client:
        yield Api(client)


@pytest.fixture
async def controller(plane: ControlPlane, admin: Api) -> AsyncIterator[Api]:
    """The API server, as it answers to the controller's token, once the policies are in force."""
    async with await connected(plane.kubeconfig("fence-controller", CONTROLLER)) as client:
        api = Api(client)
        await _in_force(api, admin)
        yield api


@pytest.fixture
async def namespace(admin: Api) -> str:
    name = f"t-{uuid4().hex[:8]}"
    await admin.create(NAMESPACES, "", _body("v1", "Namespace", name))
    return name


def job(**pod: Any) -> Object:
    """A Job of an attempt, in which the spec of the pod is another where the test says so."""
    container = {"name": "task", "image": "busybox"}
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [container],
        **pod,
    }
    return owned("batch/v1", "Job") | {"spec": {"template": {"spec": spec}}}


def owned(version: str, kind: str, **more: Any) -> Object:
    body = _body(version, kind, f"x-{uuid4().hex[:8]}")
    body["metadata"]["ownerReferences"] = [OWNER]
    return body | more


def is_not_kept(told: str) -> bool:
    """Whether a refusal says that something is not what the controller keeps: of two policies that
    both refuse it, the API server names either."""
    return "that an Execution owns" in told or "keeps is immutable" in told


async def refused(doing: Any) -> str:
    with pytest.raises(ApiError) as caught:
        await doing
    assert caught.value.status in (403, 422), caught.value
    return str(caught.value)


async def test_what_the_controller_makes_is_let_through(controller: Api, namespace: str) -> None:
    await controller.create(JOBS, namespace, job())
    await controller.create(CONFIG_MAPS, namespace, owned("v1", "ConfigMap", immutable=True))
    await controller.create(SECRETS, namespace, owned("v1", "Secret", immutable=True))
    await controller.create(CONTROLLER_REVISIONS, namespace, revision())


def _container(**security: Any) -> list[Any]:
    return [{"name": "task", "image": "busybox", "securityContext": security}]


PODS_OF_A_THIEF: Mapping[str, dict[str, Any]] = {
    "a path of the host": {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]},
    "a share that the kubelet mounts": {
        "volumes": [{"name": "x", "nfs": {"server": "x", "path": "/"}}]
    },
    "the network of the host": {"hostNetwork": True},
    "the processes of the host": {"hostPID": True},
    "the memory of the host": {"hostIPC": True},
    "a privileged container": {"containers": _container(privileged=True)},
    "a capability": {"containers": _container(capabilities={"add": ["SYS_ADMIN"]})},
    "the whole of /proc": {"hostUsers": False, "containers": _container(procMount="Unmasked")},
    "a privileged container before the others": {
        "initContainers": [
            {"name": "first", "image": "busybox", "securityContext": {"privileged": True}}
        ]
    },
    "a token": {"automountServiceAccountToken": True},
    "a token, as it is where nothing is said": {"automountServiceAccountToken": None},
    "a token in a volume": {
        "volumes": [
            {"name": "x", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
        ]
    },
    "a port of the host": {
        "containers": [
            {"name": "task", "image": "x", "ports": [{"containerPort": 80, "hostPort": 80}]}
        ]
    },
}


@pytest.mark.parametrize("pod", PODS_OF_A_THIEF.values(), ids=PODS_OF_A_THIEF)
async def test_no_job_has_more_than_a_task_needs(
    controller: Api, admin: Api, namespace: str, pod: dict[str, Any]
) -> None:
    told = await refused(controller.create(JOBS, namespace, job(**pod)))
    # then it is the fence that says so: somebody else may
    assert "of Penstock's tasks" in told
    await admin.create(JOBS, namespace, job(**pod))


@pytest.mark.parametrize(
    "owners", [[], [OWNER | {"kind": "Flow"}], [OWNER | {"controller": False}]]
)
async def test_nothing_is_made_that_no_execution_owns(
    controller: Api, namespace: str, owners: list[Any]
) -> None:
    for resource, body in (
        (JOBS, job()),
        (CONFIG_MAPS, owned("v1", "ConfigMap", immutable=True)),
        (SECRETS, owned("v1", "Secret", immutable=True)),
    ):
        made = deepcopy(body)
        made["metadata"]["ownerReferences"] = owners
        assert "that an Execution owns" in await refused(
            controller.create(resource, namespace, made)
        )


async def test_what_others_own_is_not_deleted(controller: Api, admin: Api, namespace: str) -> None:
    foreign = job()
    del foreign["metadata"]["ownerReferences"]
    await admin.create(JOBS, namespace, foreign)
    name = foreign["metadata"]["name"]

    told = await refused(controller.delete(JOBS, namespace, name))

    assert is_not_kept(told)


async def test_a_set_of_pods_keeps_its_revisions(
    controller: Api, admin: Api, namespace: str
) -> None:
    foreign = revision() | {"metadata": {"name": "of-a-daemonset"}}
    await admin.create(CONTROLLER_REVISIONS, namespace, foreign)

    for doing in (
        controller.delete(CONTROLLER_REVISIONS, namespace, "of-a-daemonset"),
        controller.create(CONTROLLER_REVISIONS, namespace, foreign | {"metadata": {"name": "x"}}),
    ):
        assert "only with the revisions of Flows" in await refused(doing)


async def test_a_secret_is_no_way_to_a_token(controller: Api, namespace: str) -> None:
    token = owned("v1", "Secret", immutable=True, type="kubernetes.io/service-account-token")
    token["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "default"}

    assert "of type Opaque only" in await refused(controller.create(SECRETS, namespace, token))


CERTIFICATES = ("penstock-ca", "penstock-storage-tls", "penstock-git-tls")
ARRIVALS = "penstock-gateway-arrivals"


def certificate(name: str, **more: Any) -> Object:
    data = {"tls.crt": "eA==", "tls.key": "eA=="}
    return _body("v1", "Secret", name) | {"type": "kubernetes.io/tls", "data": data} | more


@pytest.mark.parametrize("name", CERTIFICATES)
async def test_the_controller_keeps_its_certificates(
    controller: Api, admin: Api, name: str
) -> None:
    await admin.delete(SECRETS, CONTROLLER_NAMESPACE, name)
    made = await controller.create(SECRETS, CONTROLLER_NAMESPACE, certificate(name))
    renewed = {**made, "data": {"tls.crt": "eXk=", "tls.key": "eXk="}}
    await controller.replace(SECRETS, renewed)
    kept = await controller.get(SECRETS, CONTROLLER_NAMESPACE, name)
    assert kept["data"] == renewed["data"]
    # and it deletes none
    told = await refused(controller.delete(SECRETS, CONTROLLER_NAMESPACE, name))
    assert "cannot delete" in told
    await admin.delete(SECRETS, CONTROLLER_NAMESPACE, name)


@pytest.mark.parametrize("name", CERTIFICATES)
async def test_under_the_name_of_a_certificate_nothing_else_is_kept(
    controller: Api, admin: Api, namespace: str, name: str
) -> None:
    # given
    await admin.delete(SECRETS, CONTROLLER_NAMESPACE, name)
    account = {"annotations": {"kubernetes.io/service-account.name": "default"}, "name": name}
    token = {"type": "kubernetes.io/service-account-token", "metadata": account, "data": {}}
    # then: no Secret of another type, which may become a token
    for wrong in (certificate(name) | token, certificate(name, type="Opaque")):
        told = await refused(controller.create(SECRETS, CONTROLLER_NAMESPACE, wrong))
        assert "but for its own certificates" in told
    # and none in the namespace of somebody else
    told = await refused(controller.create(SECRETS, namespace, certificate(name)))
    assert is_not_kept(told)


async def test_the_controller_keeps_what_the_gateway_signs_with(
    controller: Api, admin: Api, namespace: str
) -> None:
    # given
    await admin.delete(SECRETS, CONTROLLER_NAMESPACE, ARRIVALS)
    body = _body("v1", "Secret", ARRIVALS) | {"type": "Opaque", "data": {"key": "eA=="}}
    token = body | {"type": "kubernetes.io/service-account-token", "data": {}}
    token["metadata"] = {
        "name": ARRIVALS,
        "annotations": {"kubernetes.io/service-account.name": "default"},
    }
    # then
    assert "of type Opaque only" in await refused(
        controller.create(SECRETS, CONTROLLER_NAMESPACE, token)
    )
    assert is_not_kept(await refused(controller.create(SECRETS, namespace, body)))
    made = await controller.create(SECRETS, CONTROLLER_NAMESPACE, body)
    await controller.replace(SECRETS, {**made, "data": {"key": "eXk="}})
    await admin.delete(SECRETS, CONTROLLER_NAMESPACE, ARRIVALS)


async def test_no_other_secret_is_a_certificate(controller: Api, admin: Api) -> None:
    # given: a Secret beside those, of somebody else
    name = f"x-{uuid4().hex[:8]}"
    told = await refused(controller.create(SECRETS, CONTROLLER_NAMESPACE, certificate(name)))
    assert is_not_kept(told)
    generated = certificate(name)
    generated["metadata"] = {"generateName": "penstock-ca"}
    told = await refused(controller.create(SECRETS, CONTROLLER_NAMESPACE, generated))
    assert is_not_kept(told)
    theirs = await admin.create(SECRETS, CONTROLLER_NAMESPACE, certificate(name))
    # then
    assert "cannot get" in await refused(controller.get(SECRETS, CONTROLLER_NAMESPACE, name))
    assert "cannot update" in await refused(controller.replace(SECRETS, theirs))
    await admin.delete(SECRETS, CONTROLLER_NAMESPACE, name)


async def test_what_is_kept_can_not_be_changed(controller: Api, admin: Api, namespace: str) -> None:
    assert "is immutable" in await refused(
        controller.create(CONFIG_MAPS, namespace, owned("v1", "ConfigMap"))
    )
    body = owned("v1", "ConfigMap")
    await admin.create(CONFIG_MAPS, namespace, body)
    changed = controller.patch(CONFIG_MAPS, namespace, body["metadata"]["name"], {"data": {}})
    assert "cannot patch" in await refused(changed)


@pytest.mark.parametrize("name", ["kube-system", "kube-public", "kube-node-lease"])
async def test_the_namespaces_of_the_cluster_are_left_alone(controller: Api, name: str) -> None:
    assert "changes nothing in this namespace" in await refused(
        controller.create(JOBS, name, job())
    )


@pytest.mark.parametrize(
    "foreign",
    [{"labels": {}}, {"ownerReferences": []}, {"ownerReferences": [OWNER]}],
    ids=["no label", "no owner", "another owner"],
)
async def test_no_container_comes_into_a_foreign_pod(
    controller: Api, admin: Api, namespace: str, foreign: dict[str, Any]
) -> None:
    mine, theirs = directory_pod(), directory_pod()
    theirs["metadata"] |= foreign
    for body in (mine, theirs):
        await admin.create(PODS, namespace, body)
    added = {"name": "added", "image": "busybox"}

    await controller.add_containers(namespace, mine["metadata"]["name"], [added])
    told = await refused(controller.add_containers(namespace, theirs["metadata"]["name"], [added]))
    privileged = added | {"name": "more", "securityContext": {"privileged": True}}
    never = await refused(
        controller.add_containers(namespace, mine["metadata"]["name"], [added, privileged])
    )

    assert "only to the pods of its WorkingDirectories" in told
    assert "never privileged" in never


def directory_pod() -> Object:
    body = _body("v1", "Pod", f"x-{uuid4().hex[:8]}")
    owner = {**OWNER, "apiVersion": "batch/v1", "kind": "Job", "name": "run"}
    body["metadata"] |= {
        "labels": {"penstock.dev/working-directory": "true"},
        "ownerReferences": [owner],
    }
    return body | {"spec": {"containers": [{"name": "directory", "image": "busybox"}]}}


def revision() -> Object:
    body = _body("apps/v1", "ControllerRevision", f"x-{uuid4().hex[:8]}")
    body["metadata"]["labels"] = {
        "app.kubernetes.io/managed-by": "penstock",
        "penstock.dev/flow": "chain",
    }
    return body | {"revision": 1, "data": {}}


def _body(version: str, kind: str, name: str) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


async def _in_force(controller: Api, admin: Api) -> None:
    """Wait until the last of the policies counts: each does so a moment after it was made."""
    pod = directory_pod()
    pod["metadata"]["labels"] = {}
    await admin.create(PODS, "default", pod)
    for number in range(200):
        added = {"name": f"probe-{number}", "image": "busybox"}
        try:
            await controller.add_containers("default", pod["metadata"]["name"], [added])
        except ApiError as error:
            if "WorkingDirectories" in str(error):
                return
            raise
        await asyncio.sleep(0.05)
    raise RuntimeError("the policies of the chart do not come into force")


def listener(**more: Any) -> Object:
    """The Deployment of a listener, as the controller makes it; others where the test says so."""
    needs = ListenerNeeds("http://gateway", secrets={"flow": {"KEY": SecretKey("keys", "key")}})
    body = listener_deployment("unused", needs, JobDefaults(image=LISTENER_IMAGE))
    del body["metadata"]["namespace"]
    pod = body["spec"]["template"]["spec"]
    pod["containers"][0] |= more.pop("container", {})
    pod |= more
    return body


async def test_the_listener_of_a_namespace_is_made_rolled_and_deleted(
    controller: Api, namespace: str
) -> None:
    made = await controller.create(DEPLOYMENTS, namespace, listener())
    name = made["metadata"]["name"]
    patch = {"spec": {"template": {"metadata": {"annotations": {"rolled": "1"}}}}}
    await controller.patch(DEPLOYMENTS, namespace, name, patch)
    await controller.delete(DEPLOYMENTS, namespace, name)


_OTHER_TOKEN = {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
LISTENERS_OF_A_THIEF: Mapping[str, dict[str, Any]] = {
    "another image": {"container": {"image": "evil"}},
    "another program": {"container": {"args": ["controller"]}},
    "another command": {"container": {"command": ["sh"]}},
    "a second container": {"containers": [{"name": "x", "image": LISTENER_IMAGE}] * 2},
    "a container before it": {"initContainers": [{"name": "x", "image": LISTENER_IMAGE}]},
    "a token of the API server": {"automountServiceAccountToken": True},
    "a projected token of the API server": {
        "volumes": [{"name": "token", "projected": {"sources": [_OTHER_TOKEN]}}]
    },
    "a whole Secret": {"volumes": [{"name": "token", "secret": {"secretName": "x"}}]},
    "a path of the host": {"volumes": [{"name": "token", "hostPath": {"path": "/"}}]},
    "another service account": {"serviceAccountName": "admin"},
    "the network of the host": {"hostNetwork": True},
    "root": {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}},
    "a privileged container": {"container": {"securityContext": {"privileged": True}}},
}


@pytest.mark.parametrize("wrong", LISTENERS_OF_A_THIEF.values(), ids=LISTENERS_OF_A_THIEF)
async def test_no_other_deployment_is_made(
    controller: Api, namespace: str, wrong: dict[str, Any]
) -> None:
    told = await refused(controller.create(DEPLOYMENTS, namespace, listener(**wrong)))
    assert "listener" in told


async def test_deployments_of_others_are_left_alone(
    controller: Api, admin: Api, namespace: str
) -> None:
    # given one under another name, and one of somebody else under the listener's
    changes: list[Object] = [{"name": "web"}, {"labels": {}}]
    for changed in changes:
        body = listener()
        body["metadata"] |= changed
        assert "of its listeners" in await refused(controller.create(DEPLOYMENTS, namespace, body))
        theirs = await admin.create(DEPLOYMENTS, namespace, body)
        name = theirs["metadata"]["name"]
        doing = controller.patch(DEPLOYMENTS, namespace, name, {"spec": {"replicas": 0}})
        assert "of its listeners" in await refused(doing)
        assert "of its listeners" in await refused(controller.delete(DEPLOYMENTS, namespace, name))
