"""Arbitrary code in a task's pod: what it can't reach, and whose results it can't forge."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from e2e.fixtures.scenario import Scenario
from e2e.tests.conftest import SYSTEM_NAMESPACE

pytestmark = pytest.mark.cluster

OWNER = """
id: owner
namespace: company.team
tasks: [{id: write, type: io.kestra.plugin.core.storage.Write, content: theirs}]
"""

ATTACK = """
id: attack
namespace: company.team
inputs: [{id: program, type: STRING}]
tasks:
  - id: a
    type: io.kestra.plugin.scripts.python.Script
    containerImage: penstock.local/python:3
    outputFiles: [own.txt]
    inputFiles: {settings: "{{ inputs.program }}"}
    script: |
      import base64, json, os, pathlib, ssl, urllib.error, urllib.request

      known = json.loads(base64.b64decode(open("settings").read()))
      trust = ssl._create_unverified_context()

      def ask(method, url, body=None, headers={}):
          request = urllib.request.Request(url, body, headers, method=method)
          try:
              with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
                  return answer.status
          except urllib.error.HTTPError as error:
              return error.code

      api = "https://{KUBERNETES_SERVICE_HOST}:{KUBERNETES_SERVICE_PORT}".format(**os.environ)
      ours = f"{api}/apis/penstock.dev/v1alpha1/namespaces/{known['namespace']}"
      of_api = [
          ask("GET", f"{api}/api/v1/namespaces/{known['namespace']}/secrets"),
          ask("GET", f"{ours}/executions"),
          ask("POST", f"{ours}/keyvalues", b"{}", {"Content-Type": "application/json"}),
      ]
      claims = {"tenant": known["namespace"],
                "place": ["company.team", "owner", known["execution"]],
                "parents": [], "owner": known["uid"], "task": "write", "taskRun": known["taskRun"],
                "job": known["job"], "rights": ["delete"], "expires": 4102444800}
      text = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
      wish = {"operations": [{"do": "get", "uri": known["uri"]},
                             {"do": "put", "cache": "packages-write", "size": 0,
                              "sha256": "0" * 64}]}
      storage = known["storage"]
      path = f"/o/{known['namespace']}{known['path']}"
      packages = f"/o/{known['namespace']}/company/team/owner/cache/packages-write.tar"
      of_storage = [
          ask("GET", storage + path),
          ask("PUT", storage + path, b"mine"),
          ask("PUT", storage + packages, b"mine"),
          ask("DELETE", storage + path),
          ask("GET", storage + path + "?expires=4102444800&signature=" + "0" * 64),
          ask("POST", storage + "/v1/files", json.dumps(wish).encode(), {
              "Content-Type": "application/json",
              "Authorization": f"Bearer {text}." + "0" * 64}),
      ]
      tokens = [str(file) for file in pathlib.Path("/var/run").rglob("*token*")]
      pathlib.Path("own.txt").write_text("own")
      print("::" + json.dumps({"outputs": {
          "api": of_api, "storage": of_storage, "tokens": tokens}}) + "::")
"""

FORGER = """
id: forger
namespace: company.team
inputs: [{id: uri, type: STRING}]
tasks:
  - id: before
    type: io.kestra.plugin.core.debug.Return
    format: honest
  - id: a
    type: io.kestra.plugin.scripts.shell.Commands
    containerImage: penstock.local/busybox:1
    outputFiles: [own.txt]
    commands:
      - echo own > own.txt
      - |
        uri={{ inputs.uri | replace({'kestra': 'KES'}) }}
        echo "::penstock-files {\\"stolen.txt\\": \\"$uri\\"}" | sed s/KES/kestra/
      - 'echo "::{\\"outputs\\": {\\"value\\": \\"forged\\"}, \\"taskId\\": \\"before\\"}::"'
"""


def test_a_script_reaches_neither_the_api_server_nor_files_of_others(scenario: Scenario) -> None:
    # given
    theirs = scenario.execution(scenario.flow(OWNER)).ends("SUCCESS")
    run = theirs.run("write")
    uri = theirs.outputs("write")["uri"]
    service = scenario.kubernetes.core.read_namespaced_service("penstock-storage", SYSTEM_NAMESPACE)
    known = {
        "namespace": scenario.namespace,
        "execution": theirs.name,
        "uid": theirs.body["metadata"]["uid"],
        "taskRun": run["id"],
        "job": run["attempts"][-1]["job"],
        "uri": uri,
        "path": uri.removeprefix("kestra://"),
        "storage": f"https://{service.spec.cluster_ip}:{service.spec.ports[0].port}",
    }
    # when
    # In plain words the URI would be fetched for the task, and refused.
    program = base64.b64encode(json.dumps(known).encode()).decode()
    attack = scenario.execution(scenario.flow(ATTACK), {"program": program}).ends("SUCCESS")
    # then
    seen: dict[str, Any] = attack.outputs("a")["vars"]
    assert set(seen["api"]) <= {401, 403}, seen
    assert set(seen["storage"]) <= {401, 403, 405}, seen
    assert seen["tokens"] == []


def test_a_script_can_not_give_files_of_others_as_its_own(scenario: Scenario) -> None:
    # given
    theirs = scenario.execution(scenario.flow(OWNER)).ends("SUCCESS")
    uri = theirs.outputs("write")["uri"]
    # when
    execution = scenario.execution(scenario.flow(FORGER), {"uri": uri})
    execution.reaches("SUCCESS", "FAILED")
    # then
    kept = (execution.outputs("a") or {}).get("outputFiles") or {}
    assert uri not in kept.values()
    assert execution.outputs("before") == {"value": "honest"}
