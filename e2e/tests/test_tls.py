"""What goes over the cluster's network between Penstock's parts is encrypted, by its own CA."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from e2e.fixtures.scenario import Scenario
from e2e.tests.conftest import SYSTEM_NAMESPACE

pytestmark = pytest.mark.cluster

ASKING = """
id: asking
namespace: company.team
inputs: [{id: services, type: STRING}]
tasks:
  - id: ask
    type: io.kestra.plugin.scripts.python.Script
    containerImage: penstock.local/python:3
    inputFiles: {services: "{{ inputs.services }}"}
    script: |
      import base64, json, ssl, urllib.request

      def ask(url, trust=None):
          try:
              with urllib.request.urlopen(url + "/healthz", timeout=10, context=trust) as answer:
                  return answer.read().decode()
          except OSError as error:
              return type(getattr(error, "reason", error)).__name__
          except Exception as error:
              return type(error).__name__

      told = {}
      for name, service in json.loads(base64.b64decode(open("services").read())).items():
          known = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
          known.load_verify_locations(cadata=service["ca"])
          known.check_hostname = False
          told[name] = {
              "plain": ask("http://" + service["at"]),
              "public": ask("https://" + service["at"], ssl.create_default_context()),
              "known": ask("https://" + service["at"], known),
          }
      print("::" + json.dumps({"outputs": {"told": told}}) + "::")
"""

FILES = """
id: files
namespace: company.team
tasks:
  - id: write
    type: io.kestra.plugin.scripts.shell.Commands
    containerImage: penstock.local/busybox:1
    outputFiles: [a.txt]
    commands: [echo hello > a.txt]
  - id: size
    type: io.kestra.plugin.core.storage.Size
    uri: "{{ outputs.write.outputFiles['a.txt'] }}"
"""


def services_of(scenario: Scenario) -> dict[str, Any]:
    core = scenario.kubernetes.core
    found = {}
    for name in ("penstock-storage", "penstock-git"):
        spec = core.read_namespaced_service(name, SYSTEM_NAMESPACE).spec
        data = core.read_namespaced_secret(f"{name}-tls", SYSTEM_NAMESPACE).data
        found[name] = {
            "at": f"{spec.cluster_ip}:{spec.ports[0].port}",
            "ca": base64.b64decode(data["ca.crt"]).decode(),
        }
    return found


def test_the_services_are_known_by_the_ca_and_answer_no_plain_http(scenario: Scenario) -> None:
    # given
    services = base64.b64encode(json.dumps(services_of(scenario)).encode()).decode()
    # when
    asked = scenario.execution(scenario.flow(ASKING), {"services": services}).ends("SUCCESS")
    # then
    told = asked.outputs("ask")["vars"]["told"]
    storage = told["penstock-storage"]
    assert storage["known"] == "ok"
    assert storage["public"] == "SSLCertVerificationError"
    assert storage["plain"] != "ok"
    # and to the Git service there is no way at all, where the network enforces policies
    git = told["penstock-git"]
    assert git["plain"] != "ok"
    assert git["public"] != "ok"


def test_the_pods_of_tasks_move_their_files_by_tls(scenario: Scenario) -> None:
    # when
    execution = scenario.execution(scenario.flow(FILES)).ends("SUCCESS")
    # then
    assert execution.outputs("size") == {"size": 6}
    held = {
        item["name"]: item["value"]
        for pod in scenario.kubernetes.pods(scenario.namespace)
        for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])
        for item in container.get("env") or ()
        if item["name"].startswith("PENSTOCK_STORAGE")
    }
    assert held["PENSTOCK_STORAGE_URL"].startswith("https://")
    assert held["PENSTOCK_STORAGE_CA"].startswith("-----BEGIN CERTIFICATE-----")
