"""Files of scripts, in real pods: there before the command, kept after it, and nothing else."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml

from e2e.fixtures.kubernetes import wait_for
from e2e.fixtures.scenario import SHELL_IMAGE, ExecutionView, Scenario
from e2e.tests.conftest import SYSTEM_NAMESPACE

pytestmark = pytest.mark.cluster

SHELL = "io.kestra.plugin.scripts.shell.Commands"
WORKING_DIRECTORY = "io.kestra.plugin.core.flow.WorkingDirectory"


def shell(task: str, *commands: str, **properties: Any) -> dict[str, Any]:
    """A task of shell commands."""
    return {
        "id": task,
        "type": SHELL,
        "containerImage": SHELL_IMAGE,
        "commands": list(commands),
        **properties,
    }


def run(scenario: Scenario, *tasks: dict[str, Any], **flow: Any) -> ExecutionView:
    """An execution of a flow of these tasks."""
    spec = {"id": "files", "namespace": "company.team", "tasks": list(tasks), **flow}
    return scenario.execution(scenario.flow(yaml.safe_dump(spec, allow_unicode=True)))


def containers(execution: ExecutionView, task: str) -> list[dict[str, Any]]:
    """The containers of a task's pod, those that begin first among them."""
    (pod,) = execution.pods(task)
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def put_namespace_file(scenario: Scenario, path: str, text: str) -> None:
    """Put a namespace file as the storage's owner does, from beside the controller."""
    program = (
        "import sys; from io import BytesIO;"
        "from penstock.controller.runtime.settings import settings_of_environment as s;"
        "from penstock.storage.settings import opened;"
        "from penstock.storage.execution import NamespaceFiles as N;"
        "N(opened(s().storage).of(sys.argv[1]), 'company.team')"
        ".put(sys.argv[2], BytesIO(sys.argv[3].encode()))"
    )
    container = ["deploy/penstock-storage"]
    words = ["python", "-c", program, scenario.namespace, path, text]
    subprocess.run(
        ["kubectl", "-n", SYSTEM_NAMESPACE, "exec", *container, "--", *words], check=True
    )


def test_output_files_may_stand_in_the_output_directory(scenario: Scenario) -> None:
    execution = run(
        scenario,
        shell("named", "echo a > {{ outputDir }}/a.txt", outputFiles=["a.txt"]),
        shell("by_variable", 'echo b > "$OUTPUT_DIR/b.txt"', outputFiles=["*.txt"]),
        {
            "id": "here",
            "type": WORKING_DIRECTORY,
            "tasks": [
                shell(
                    "shared",
                    'echo "{{ workerTaskrun.id }} {{ taskrun.parentId }}" > {{ outputDir }}/c.txt',
                    outputFiles=["c.txt"],
                )
            ],
        },
        shell("same", "read a b < \"{{ outputs.shared.outputFiles['c.txt'] }}\"; test $a = $b"),
    ).ends("SUCCESS")

    for task, name in (("named", "a.txt"), ("by_variable", "b.txt"), ("shared", "c.txt")):
        assert list(execution.outputs(task)["outputFiles"]) == [name]


def test_what_a_task_keeps_the_next_one_finds(scenario: Scenario) -> None:
    names = {"t": "a b & ünï.txt", "b": "out/日本 $(x).bin"}
    read = {key: f"{{{{ outputs.make.outputFiles['{name}'] }}}}" for key, name in names.items()}
    execution = run(
        scenario,
        shell(
            "make",
            "mkdir out; printf 'héllo\\n' > \"$T\"; head -c 300000 /dev/urandom > \"$B\"",
            "md5sum < \"$B\" > sum.txt; echo no > no.log",
            env={"T": names["t"], "B": names["b"]},
            outputFiles=["*.txt", "out/**"],
        ),
        shell(
            "use",
            'cat text; md5sum < "in/$B" | diff - sum && echo "the same"',
            'cat "{{ outputs.make.outputFiles[\'sum.txt\'] }}" | diff - sum && echo by path',
            'test {{ workingDir }} = "$PWD" && echo here',
            inputFiles={
                "text": read["t"],
                "in/bin": read["b"],
                "sum": "{{ outputs.make.outputFiles['sum.txt'] }}",
            },
            env={"B": "bin"},
        ),
    ).ends("SUCCESS")  # fmt: skip

    kept = execution.outputs("make")["outputFiles"]
    assert sorted(kept) == sorted([*names.values(), "sum.txt"])
    run_id = execution.run("make")["id"]
    folder = f"kestra:///company/team/files/executions/{execution.name}/tasks/make/{run_id}/"
    assert all(uri.startswith(folder) for uri in kept.values())
    assert execution.log("use").split("\n")[:4] == ["héllo", "the same", "by path", "here"]
    assert [item["name"] for item in containers(execution, "use")] == ["files", "task"]


def test_namespace_files_and_the_output_directory(scenario: Scenario) -> None:
    put_namespace_file(scenario, "scripts/hello.sh", "echo of the namespace")
    put_namespace_file(scenario, "notes.md", "not wanted")
    execution = run(
        scenario,
        shell(
            "use",
            "sh scripts/hello.sh; ls",
            'echo made > "{{ outputDir }}/made.txt"; cat own',
            namespaceFiles={"enabled": True, "exclude": ["*.md"]},
            inputFiles={"own": "nsfile:///notes.md"},
            outputDirectory=True,
        ),
    ).ends("SUCCESS")

    assert execution.log("use").split("\n")[:4] == [
        "of the namespace", "own", "scripts", "not wanted",
    ]  # fmt: skip
    assert list(execution.outputs("use")["outputFiles"]) == ["made.txt"]


def test_a_namespace_that_is_made_anew_has_no_files_of_the_one_before(scenario: Scenario) -> None:
    reads = shell("use", "cat own", inputFiles={"own": "nsfile:///secret.txt"})
    put_namespace_file(scenario, "secret.txt", "theirs")
    assert run(scenario, reads).ends("SUCCESS").log("use").startswith("theirs")

    scenario.kubernetes.core.delete_namespace(scenario.namespace)
    wait_for(
        "the namespace gone", lambda: scenario.namespace not in scenario.kubernetes.namespaces()
    )
    scenario.kubernetes.create_namespace(scenario.namespace)

    failed = run(scenario, reads).ends("FAILED").run("use")
    assert "_files/secret.txt' does not exist" in failed["message"]


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"inputFiles": {"a": "nsfile:///none.csv"}}, "_files/none.csv' does not exist"),
        (
            {"inputFiles": {"a": "kestra:///company/team/files/executions/x/tasks/a/b/c"}},
            "didn't belong to the current execution",
        ),
        ({"outputFiles": ["none.csv"]}, "the task made no file `none.csv`"),
    ],
)
def test_files_that_are_not_to_be_had(
    scenario: Scenario, properties: dict[str, Any], words: str
) -> None:
    execution = run(scenario, shell("a", "echo ran", **properties)).ends("FAILED", 60)
    failed = execution.run("a")
    assert words in failed["message"]
    assert failed["attempts"][-1]["reason"] == "TaskFailed"


def test_a_script_that_fails_keeps_what_it_made(scenario: Scenario) -> None:
    execution = run(
        scenario,
        shell("a", "echo why > log.txt", "exit 3", outputFiles=["log.txt", "*.csv"]),
        errors=[shell("look", "cat \"{{ outputs.a.outputFiles['log.txt'] }}\"")],
    ).ends("FAILED")

    assert execution.run("a")["message"] == (
        "exit code 3; property `outputFiles`: no file matches `*.csv`"
    )
    assert execution.log("look").startswith("why\n")


def test_a_script_without_files_has_one_container(scenario: Scenario) -> None:
    execution = run(
        scenario, shell("a", "cat in; echo {{ workingDir }}", inputFiles={"in": "text"})
    ).ends("SUCCESS")
    assert [item["name"] for item in containers(execution, "a")] == ["task"]
    assert execution.log("a") == "text/penstock/work\n"


def test_a_script_does_not_get_at_the_grant(scenario: Scenario) -> None:
    """Arbitrary code in the pod: its environment, other processes, links that are followed."""
    execution = run(
        scenario,
        shell(
            "a",
            "env; cat /proc/*/environ | tr '\\0' '\\n'; ps | wc -l; ls /penstock/run",
            "find /penstock /tmp -type f -exec grep -l eyJ {} + && echo was seen || :",
            "ln -s /proc/1/environ env.txt; ln -s /proc /penstock/work/proc; echo x > x.txt",
            outputFiles=["*.txt", "proc/**"],
        ),
    ).ends("SUCCESS")

    files, task = containers(execution, "a")
    (grant,) = [item["value"] for item in files["env"] if item["name"].endswith("_GRANT")]
    said = execution.log("a")
    assert grant not in said
    assert grant.partition(".")[0][:40] not in said
    assert "PENSTOCK" not in said
    assert "was seen" not in said
    assert not any("PENSTOCK" in item["name"] for item in task["env"])
    assert list(execution.outputs("a")["outputFiles"]) == ["x.txt"]


def test_a_kill_while_files_are_kept_ends_at_once(scenario: Scenario) -> None:
    execution = run(
        scenario,
        shell(
            "a",
            "for i in $(seq 5000); do echo $i > $i.txt; done; echo all made",
            outputFiles=["*.txt"],
        ),
    )
    scenario.eventually("the task runs", lambda: execution.states().get("a") == "RUNNING")
    scenario.eventually("the files are kept", lambda: "all made" in execution.log("a"))
    execution.patched({"kill": True}).ends("KILLED", 30)
    scenario.eventually("the pod is gone", lambda: not execution.pods("a"), 40)


def test_a_large_file_in_bounded_memory(scenario: Scenario) -> None:
    execution = run(
        scenario,
        shell(
            "make",
            "head -c 104857600 /dev/urandom > large; md5sum < large > sum",
            outputFiles=["large", "sum"],
        ),
        shell(
            "use",
            "md5sum < large | diff - sum && wc -c < large",
            inputFiles={
                "large": "{{ outputs.make.outputFiles.large }}",
                "sum": "{{ outputs.make.outputFiles.sum }}",
            },
        ),
    ).ends("SUCCESS", 120)

    assert execution.log("use").strip() == "104857600"
    for task in ("make", "use"):
        (pod,) = execution.pods(task)
        (files,) = pod["status"]["initContainerStatuses"]
        assert files["restartCount"] == 0
        assert pod["spec"]["initContainers"][0]["resources"]["limits"] == {"memory": "256Mi"}


def test_the_tasks_of_a_working_directory_share_it(scenario: Scenario) -> None:
    cached = 'if [ -f kept/n ]; then echo "cached $(cat kept/n)"; fi'
    tasks = [
        {
            "id": "here",
            "type": WORKING_DIRECTORY,
            "inputFiles": {"greeting.txt": "hello"},
            "outputFiles": ["*.txt"],
            "cache": {"patterns": ["kept/**"], "ttl": "PT1H"},
            "tasks": [
                shell(
                    "first",
                    cached,
                    "mkdir -p kept; echo 7 > kept/n; cat greeting.txt > got.txt",
                    "printf '#!/bin/sh\\necho script' > go; chmod 700 go; ln -s go link",
                ),
                {
                    "id": "between",
                    "type": "io.kestra.plugin.core.debug.Return",
                    "format": "{{ taskrun.id }}",
                },
                {
                    "id": "local",
                    "type": "io.kestra.plugin.core.storage.LocalFiles",
                    "inputs": {"extra.txt": "of a core task"},
                    "outputs": ["go"],
                },
                shell(
                    "second",
                    "if [ ! -f tried ]; then touch tried; exit 1; fi",
                    "./link; cat got.txt extra.txt; ls",
                    retry={"type": "constant", "interval": "PT0.1S", "maxAttempts": 3},
                ),
            ],
        },
        shell("after", "cat \"{{ outputs.here.outputFiles['got.txt'] }}\""),
    ]
    flow = scenario.flow(yaml.safe_dump({"id": "w", "namespace": "company.team", "tasks": tasks}))
    execution = scenario.execution(flow).ends("SUCCESS", 60)

    assert len(execution.run("second")["attempts"]) == 2
    kept = sorted(execution.outputs("here")["outputFiles"])
    assert kept == ["extra.txt", "got.txt", "greeting.txt"]
    assert list(execution.outputs("local")["uris"]) == ["go"]
    said = execution.log("second").split("\n")
    assert said[0] == "script"
    assert said[1] == "helloof a core taskextra.txt"
    assert execution.log("after").startswith("hello")
    assert "cached" not in execution.log("first")

    again = scenario.execution(flow).ends("SUCCESS", 60)
    assert again.log("first").startswith("cached 7\n")


def test_a_pod_that_takes_more_disk_than_it_may_says_so(scenario: Scenario) -> None:
    runner = {
        "type": "io.kestra.plugin.ee.kubernetes.runner.Kubernetes",
        "resources": {"limit": {"ephemeral-storage": "10Mi"}},
    }
    task = shell("a", "head -c 60000000 /dev/zero > big; sleep 100", taskRunner=runner)
    execution = run(scenario, task).ends("FAILED", 90)
    (attempt,) = execution.run("a")["attempts"]
    assert attempt["reason"] == "Evicted"
    assert "ephemeral local storage usage exceeds" in attempt["message"]
