"""A `git push` becomes Flows: applied, revised, pruned; and one bad file stops no other."""

from __future__ import annotations

import pytest

from e2e.fixtures.scenario import Scenario

pytestmark = pytest.mark.cluster


def returns(flow_id: str, value: str, sleep: str | None = None) -> str:
    wait = (
        f"  - {{id: wait, type: io.kestra.plugin.core.flow.Sleep, duration: {sleep}}}\n"
        if sleep
        else ""
    )
    return (
        f"id: {flow_id}\nnamespace: company.team\ntasks:\n{wait}"
        f"  - {{id: answer, type: io.kestra.plugin.core.debug.Return, format: {value}}}\n"
    )


def test_a_push_becomes_a_flow_that_runs(scenario: Scenario) -> None:
    repository = scenario.repository({"README.md": "flows", "flows/one.yaml": returns("one", "1")})
    scenario.git_source(path="flows")

    commit = repository.head()
    status = scenario.source_applied(commit)
    flow = scenario.flow_named("company.team.one").is_ready()

    assert status["flows"] == 1
    annotations = flow.body["metadata"]["annotations"]
    assert annotations["penstock.dev/commit"] == commit
    assert annotations["penstock.dev/path"] == "flows/one.yaml"
    execution = scenario.execution(flow).ends("SUCCESS")
    assert execution.outputs("answer") == {"value": "1"}


def test_a_changed_flow_is_a_new_revision_and_what_runs_keeps_the_old(scenario: Scenario) -> None:
    repository = scenario.repository({"a.yaml": returns("a", "old", "PT6S")})
    scenario.git_source()
    flow = scenario.flow_named("company.team.a").is_ready(revision=1)
    running = scenario.execution(flow)
    scenario.eventually("a pod of the running one", running.pods)

    commit = repository.commit({"a.yaml": returns("a", "new", "PT0.1S")}, "Change the answer")
    scenario.source_applied(commit)
    flow.is_ready(revision=2)
    later = scenario.execution(flow)

    assert later.ends("SUCCESS").outputs("answer") == {"value": "new"}
    assert running.ends("SUCCESS").outputs("answer") == {"value": "old"}
    assert running.status["flow"]["revision"] == 1
    assert later.status["flow"]["revision"] == 2
    pinned = scenario.execution(flow, revision=1).ends("SUCCESS")
    assert pinned.outputs("answer") == {"value": "old"}


def test_a_deleted_file_prunes_its_flow_and_no_other(scenario: Scenario) -> None:
    by_hand = scenario.flow(returns("by-hand", "1"))
    repository = scenario.repository({"a.yaml": returns("a", "1"), "b.yaml": returns("b", "1")})
    scenario.git_source()
    gone = scenario.flow_named("company.team.a").is_ready()
    stays = scenario.flow_named("company.team.b").is_ready()

    scenario.source_applied(repository.commit({"a.yaml": None}, "Delete a"))

    scenario.eventually("the flow gone", lambda: not gone.exists)
    assert stays.exists and by_hand.exists


def test_a_file_commented_out_whole_prunes_its_flow(scenario: Scenario) -> None:
    # given
    text = returns("a", "1")
    repository = scenario.repository({"a.yaml": text, "b.yaml": returns("b", "1")})
    scenario.git_source()
    gone = scenario.flow_named("company.team.a").is_ready()
    stays = scenario.flow_named("company.team.b").is_ready()
    # when
    commented = "".join(f"# {line}\n" for line in text.splitlines())
    status = scenario.source_applied(repository.commit({"a.yaml": commented}, "Switch a off"))
    # then
    scenario.eventually("the flow gone", lambda: not gone.exists)
    assert stays.exists and status["failed"] == 0 and status["flows"] == 1
    # and it comes back as it was
    scenario.source_applied(repository.commit({"a.yaml": text}, "Switch a on"))
    scenario.flow_named("company.team.a").is_ready()


def test_a_flow_moves_into_a_copy_of_its_file_while_its_file_gets_another(
    scenario: Scenario,
) -> None:
    # given
    repository = scenario.repository({"a.yaml": returns("a", "1")})
    scenario.git_source()
    flow = scenario.flow_named("company.team.a").is_ready(revision=1)
    uid = flow.body["metadata"]["uid"]
    # when: both files are changed in one commit
    status = scenario.source_applied(
        repository.commit({"a.yaml": returns("new", "2"), "copy.yaml": returns("a", "3")}, "Copy")
    )
    # then
    assert status["failed"] == 0 and status["flows"] == 2
    flow.is_ready(revision=2)
    assert flow.body["metadata"]["uid"] == uid
    assert flow.body["metadata"]["annotations"]["penstock.dev/path"] == "copy.yaml"
    scenario.flow_named("company.team.new").is_ready()
    # and when: the files are exchanged, so that each content stands under the other's name
    status = scenario.source_applied(
        repository.commit({"a.yaml": returns("a", "3"), "copy.yaml": returns("new", "2")}, "Swap")
    )
    # then
    assert status["failed"] == 0 and status["flows"] == 2
    scenario.eventually(
        "the path of the flow",
        lambda: flow.body["metadata"]["annotations"]["penstock.dev/path"] == "a.yaml",
    )
    assert flow.body["metadata"]["uid"] == uid


def test_a_broken_file_is_reported_and_the_rest_goes_on(scenario: Scenario) -> None:
    repository = scenario.repository({"a.yaml": returns("a", "1")})
    scenario.git_source()
    kept = scenario.flow_named("company.team.a").is_ready()

    commit = repository.commit(
        {
            "a.yaml": "id: a\nnamespace: company.team\ntasks:\n  - id: [\n",
            "b.yaml": returns("b", "2"),
        },
        "Break a",
    )
    status = scenario.source_applied(commit)
    other = scenario.flow_named("company.team.b").is_ready()

    assert status["failed"] == 1
    assert status["problems"][0]["path"] == "a.yaml"
    assert status["problems"][0]["line"] >= 4
    ready = next(item for item in status["conditions"] if item["type"] == "Ready")
    assert ready["status"] == "False" and "a.yaml:" in ready["message"]
    assert kept.is_ready().exists and other.exists
    events = scenario.eventually(
        "an event about the file",
        lambda: [
            event
            for event in scenario.kubernetes.events(scenario.namespace, "flows")
            if event["reason"] == "FileInvalid"
        ],
    )
    assert "a.yaml:" in events[0]["message"]


def test_an_invalid_flow_names_file_and_line(scenario: Scenario) -> None:
    text = (
        "id: bad\nnamespace: company.team\ntasks:\n"
        "  - id: a\n    type: io.kestra.plugin.core.log.Log\n    mesage: x\n"
    )
    scenario.repository({"flows/bad.yaml": text, "flows/good.yaml": returns("good", "1")})
    scenario.git_source()

    message = scenario.flow_named("company.team.bad").is_refused()

    assert "flows/bad.yaml:6" in message and "tasks[0].mesage" in message
    scenario.flow_named("company.team.good").is_ready()


def test_a_file_that_becomes_invalid_leaves_the_last_good_flow(scenario: Scenario) -> None:
    repository = scenario.repository({"a.yaml": returns("a", "good")})
    scenario.git_source()
    flow = scenario.flow_named("company.team.a").is_ready()

    invalid = returns("a", "bad").replace("format", "formt")
    scenario.source_applied(repository.commit({"a.yaml": invalid}, "Break a"))

    condition = scenario.eventually(
        "the flow says that its file is invalid", lambda: flow.condition("SourceInvalid")
    )
    assert "a.yaml:4" in condition["message"]
    assert scenario.execution(flow).ends("SUCCESS").outputs("answer") == {"value": "good"}
    scenario.source_applied(repository.commit({"a.yaml": returns("a", "better")}, "Mend a"))
    scenario.eventually("the condition gone", lambda: not flow.condition("SourceInvalid"))
    flow.is_ready(revision=2)


def test_a_flow_of_somebody_else_is_never_touched(scenario: Scenario) -> None:
    theirs = scenario.flow(returns("a", "theirs"))
    repository = scenario.repository({"a.yaml": returns("a", "ours")})
    scenario.git_source()

    status = scenario.source_applied(repository.head())

    assert "does not belong" in status["problems"][0]["message"]
    assert theirs.body["spec"]["tasks"][0]["format"] == "theirs"


def test_a_branch_a_tag_and_a_commit_can_be_followed(scenario: Scenario) -> None:
    repository = scenario.repository({"a.yaml": returns("a", "first")})
    first = repository.head()
    repository.tag("v1")
    repository.commit({"a.yaml": returns("a", "second")}, "Second")
    scenario.git_source(ref={"tag": "v1"})
    flow = scenario.flow_named("company.team.a").is_ready()
    assert flow.body["spec"]["tasks"][0]["format"] == "first"

    patch = {"spec": {"ref": {"tag": None, "branch": "main"}}}
    scenario.kubernetes.patch("gitsources", scenario.namespace, "flows", patch)
    scenario.eventually("the branch", lambda: flow.body["spec"]["tasks"][0]["format"] == "second")

    patch = {"spec": {"ref": {"branch": None, "commit": first}}}
    scenario.kubernetes.patch("gitsources", scenario.namespace, "flows", patch)
    scenario.eventually("the commit", lambda: flow.body["spec"]["tasks"][0]["format"] == "first")


def test_a_suspended_source_does_nothing(scenario: Scenario) -> None:
    repository = scenario.repository({"a.yaml": returns("a", "1")})
    scenario.git_source()
    first = repository.head()
    scenario.source_applied(first)
    patch = {"spec": {"suspend": True}}
    scenario.kubernetes.patch("gitsources", scenario.namespace, "flows", patch)

    repository.commit({"b.yaml": returns("b", "1")}, "While suspended")
    waited = scenario.flow(returns("waits", "1", "PT5S"))
    scenario.execution(waited).ends("SUCCESS")

    assert scenario.source_status()["appliedCommit"] == first
    assert not scenario.flow_named("company.team.b").exists


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"ref": {"branch": "no-such-branch"}}, "NotFound"),
        ({"path": "no/such/folder"}, "NotFound"),
        ({"url": "http://127.0.0.1:9/none.git"}, "GitOperationFailed"),
    ],
)
def test_what_git_refuses_is_said(scenario: Scenario, spec: dict[str, object], reason: str) -> None:
    scenario.repository({"a.yaml": returns("a", "1")})
    scenario.git_source(**spec)

    def ready() -> dict[str, str] | None:
        conditions = scenario.source_status().get("conditions", [])
        return next((item for item in conditions if item["type"] == "Ready"), None)

    condition = scenario.eventually("a condition", ready)

    assert condition["status"] == "False"
    assert condition["reason"] == reason, condition


READER = """
id: reader
namespace: company.team
tasks:
  - id: run
    type: io.kestra.plugin.scripts.shell.Commands
    containerImage: penstock.local/busybox:1
    namespaceFiles: {enabled: true}
    commands:
      - 'echo "::{\\"outputs\\": {\\"said\\": \\"$(sh scripts/say.sh)\\"}}::"'
"""


def test_namespace_files_come_from_git_before_the_flows_that_read_them(scenario: Scenario) -> None:
    files = {"flows/reader.yaml": READER, "files/scripts/say.sh": "echo one\n"}
    repository = scenario.repository({**files, "files/old.yaml": "no: flow"})
    mapped = [{"namespace": "company.team", "path": "files"}]
    scenario.git_source(namespaceFiles=mapped)
    status = scenario.source_applied(repository.head())
    assert (status["flows"], status["failed"]) == (1, 0)
    flow = scenario.flow_named("company.team.reader").is_ready()
    first = scenario.execution(flow).ends("SUCCESS")
    assert first.outputs("run")["vars"] == {"said": "one"}

    changed = {"files/scripts/say.sh": "echo two $(ls)\n", "files/old.yaml": None}
    scenario.source_applied(repository.commit(changed, "Say another thing"))
    second = scenario.execution(flow).ends("SUCCESS")
    assert second.outputs("run")["vars"] == {"said": "two scripts"}
