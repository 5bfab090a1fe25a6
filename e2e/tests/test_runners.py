"""A pod is as a task runner asks, also where plugin defaults ask it."""

from __future__ import annotations

import pytest

from e2e.fixtures.scenario import SHELL_IMAGE, Scenario

pytestmark = pytest.mark.cluster

RUNNER = "io.kestra.plugin.ee.kubernetes.runner.Kubernetes"


def test_the_runners_options_reach_the_pod(scenario: Scenario) -> None:
    # given
    core = scenario.kubernetes.core
    config = {"metadata": {"name": "greeting"}, "data": {"text": "hello"}}
    core.create_namespaced_config_map(scenario.namespace, config)
    core.create_namespaced_service_account(scenario.namespace, {"metadata": {"name": "runner"}})
    flow = scenario.flow(f"""
        id: placed
        namespace: company.team
        pluginDefaults:
          - type: {RUNNER}
            values:
              labels: {{team: data}}
              serviceAccountName: runner
              resources: {{request: {{cpu: 10m}}}}
              podSpec:
                tolerations: [{{key: gpu, operator: Exists}}]
        tasks:
          - id: placed
            type: io.kestra.plugin.scripts.shell.Script
            containerImage: {SHELL_IMAGE}
            taskRunner:
              type: {RUNNER}
              resources: {{limit: {{memory: 64Mi}}}}
              nodeSelector: {{kubernetes.io/os: linux}}
              affinity:
                nodeAffinity:
                  requiredDuringSchedulingIgnoredDuringExecution:
                    nodeSelectorTerms:
                      - matchExpressions: [{{key: kubernetes.io/os, operator: In, values: [linux]}}]
              volumes:
                - {{name: config, configMap: {{name: greeting}}}}
                - {{name: scratch, emptyDir: {{medium: Memory, sizeLimit: 8Mi}}}}
              volumeMounts:
                - {{name: config, mountPath: /config, readOnly: true}}
                - {{name: scratch, mountPath: /scratch}}
            script: |
              cp /config/text /scratch/text
              test ! -e /var/run/secrets/kubernetes.io
              echo "::{{\\"outputs\\":{{\\"text\\":\\"$(cat /scratch/text)\\"}}}}::"
    """)
    # when
    execution = scenario.execution(flow).ends("SUCCESS")
    # then
    assert execution.outputs("placed")["vars"] == {"text": "hello"}
    (pod,) = execution.pods("placed")
    assert pod["metadata"]["labels"]["team"] == "data"
    spec = pod["spec"]
    assert spec["serviceAccountName"] == "runner"
    assert spec["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert {"key": "gpu", "operator": "Exists"} in spec["tolerations"]
    resources = spec["containers"][0]["resources"]
    assert resources["requests"]["cpu"] == "10m"
    assert resources["limits"] == {"memory": "64Mi"}


def test_a_runner_named_by_one_default_and_equipped_by_another_reaches_the_pod(
    scenario: Scenario,
) -> None:
    # given
    flow = scenario.flow(f"""
        id: composed
        namespace: company.team
        pluginDefaults:
          - type: io.kestra.plugin.scripts
            values:
              taskRunner: {{type: {RUNNER}, labels: {{team: data}}}}
          - type: io.kestra.plugin.scripts.shell
            values:
              taskRunner: {{resources: {{limit: {{memory: 64Mi}}}}}}
          - type: {RUNNER}
            values:
              resources: {{request: {{cpu: 10m}}}}
              podSpec:
                tolerations: [{{key: gpu, operator: Exists}}]
        tasks:
          - id: placed
            type: io.kestra.plugin.scripts.shell.Commands
            containerImage: {SHELL_IMAGE}
            commands: ["true"]
    """)
    # when
    execution = scenario.execution(flow).ends("SUCCESS")
    # then
    (pod,) = execution.pods("placed")
    assert pod["metadata"]["labels"]["team"] == "data"
    assert {"key": "gpu", "operator": "Exists"} in pod["spec"]["tolerations"]
    resources = pod["spec"]["containers"][0]["resources"]
    assert resources["requests"]["cpu"] == "10m"
    assert resources["limits"] == {"memory": "64Mi"}
