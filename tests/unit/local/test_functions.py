"""What expressions read in a local run: files, pairs, secrets, errors."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest

from penstock.expressions import ExpressionError, Host
from penstock.local.services import LocalServices
from penstock.storage.errors import StorageError
from penstock.storage.execution import NamespaceFiles
from penstock.storage.uris import ExecutionPlace
from penstock.types import expressions
from tests.unit.local.conftest import CORE, HERE, Attempts


def rendered(attempts: Attempts, template: str, **variables: object) -> str | None:
    return expressions().render(template, variables, Host(functions=attempts.host.functions()))


def test_kv_reads_the_namespace_and_those_above(attempts: Attempts) -> None:
    # given
    attempts.local.set_pairs({"company": {"a": 1}, "other": {"b": {"c": "deep"}}})
    # then
    assert rendered(attempts, "{{ kv('a') + 1 }}") == "2"
    assert rendered(attempts, "{{ kv('b', namespace='other').c }}") == "deep"
    assert rendered(attempts, "{{ kv('x', errorOnMissing=false) ?? 'none' }}") == "none"
    with pytest.raises(ExpressionError, match="The key 'x' does not exist in the namespace"):
        rendered(attempts, "{{ kv('x') }}")


def test_files_are_read_by_uri_and_by_path(attempts: Attempts) -> None:
    # given
    uri = attempts.store("text")
    empty = attempts.store("", "empty")
    NamespaceFiles(attempts.local.storage, "company.team").put("q/a b.sql", io.BytesIO(b"select"))
    # then
    assert rendered(attempts, "{{ read(u) }}", u=uri) == "text"
    assert rendered(attempts, "{{ read('q/a b.sql') }}") == "select"
    assert rendered(attempts, "{{ read('nsfile:///q/a b.sql') }}") == "select"
    assert rendered(attempts, "{{ read(fileURI('/q/a b.sql')) }}") == "select"
    assert rendered(attempts, "{{ fileURI('q/x.sql') }}") == "kestra:///company/team/_files/q/x.sql"
    assert rendered(attempts, "{{ fileSize(u) }}", u=uri) == "4"
    assert rendered(attempts, "{{ fileExists(u) }}", u=uri) == "true"
    assert rendered(attempts, "{{ fileExists('nsfile:///no') ? 'yes' : 'no' }}") == "no"
    assert rendered(attempts, "{{ isFileEmpty(u) }}", u=uri) == "false"
    assert rendered(attempts, "{{ isFileEmpty(u) }}", u=empty) == "true"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ fileURI('../x') }}", "is not the path"),
        ("{{ read('../x') }}", "is not the path"),
        ("{{ read('file:///etc/passwd') }}", "not a URI of the internal storage"),
        ("{{ read('kestra:///a/b/executions/c/tasks/t/r/f') }}", "didn't belong to the current"),
        ("{{ read('nothing') }}", "does not exist"),
    ],
)
def test_files_out_of_reach_are_an_error(attempts: Attempts, template: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        rendered(attempts, template)


def test_a_secret_is_read_and_never_shown(
    attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    encoded = base64.encodebytes(b'{"user": "me", "password": "s3cret!"}').decode()
    monkeypatch.setenv("SECRET_MY_KEY", encoded)
    # then
    assert rendered(attempts, "{{ secret('my_key', subkey='password') }}") == "s3cret!"
    assert attempts.local.mask("login with s3cret! failed") == "login with ******* failed"
    with pytest.raises(ExpressionError, match="Cannot find secret for key 'NONE'"):
        rendered(attempts, "{{ secret('NONE') }}")
    with pytest.raises(ExpressionError, match="has no field 'x'"):
        rendered(attempts, "{{ secret('MY_KEY', subkey='x') }}")


def test_a_secret_that_is_not_base64_is_told_of(
    attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_BAD", "plain text!")
    with pytest.raises(ExpressionError, match="SECRET_BAD is not text in base64"):
        rendered(attempts, "{{ secret('BAD') }}")


async def test_secrets_are_masked_in_logs_and_messages(tmp_path: Path) -> None:
    # given
    attempts = Attempts(LocalServices(tmp_path, secrets={"KEY": "line one\nline two"}))
    assert rendered(attempts, "{{ secret('KEY') }}") == "line one\nline two"
    shell = "io.kestra.plugin.scripts.shell.Commands"
    # when
    await attempts.run(shell, {"commands": ["echo 'see line two' >&2"]})
    await attempts.run(f"{CORE}.log.Log", {"message": "line one\nline two"})
    failed = await attempts.run(f"{CORE}.execution.Fail", {"errorMessage": "no line one"})
    # then
    assert [line for _, line in attempts.lines] == [
        "see ********",
        "*****************",
        "ERROR no ********",
    ]
    assert failed.message == "no ********"
    assert not any("line one" in entry.message for entry in attempts.local.logs())


async def test_errors_of_the_execution_are_known_to_its_expressions(attempts: Attempts) -> None:
    # given
    await attempts.run(f"{CORE}.log.Log", {"message": "fine"})
    await attempts.run(f"{CORE}.execution.Fail", {"errorMessage": "sorry"})
    # then
    template = "{{ errorLogs() | jq('.[] | .taskId + \" \" + .message') | first }}"
    assert rendered(attempts, template) == "t sorry"
    other = attempts.local.execution(ExecutionPlace("company.team", "tried", "run-2"))
    assert other.functions()["errorLogs"]() == []


def test_files_given_as_inputs_are_kept(attempts: Attempts, tmp_path: Path) -> None:
    # given
    (tmp_path / "data.csv").write_text("a,b")
    NamespaceFiles(attempts.local.storage, "company.team").put("c.yml", io.BytesIO(b"x: 1"))
    parents_file = attempts.store("of the parent")
    child = attempts.local.execution(ExecutionPlace("company", "child", "run-2"), [HERE])
    # when
    uri = attempts.host.store_input("data", tmp_path / "data.csv")
    copied = attempts.host.store_input("conf", "nsfile:///c.yml")
    # then
    assert uri == "kestra:///company/team/tried/executions/run-1/inputs/data/data.csv"
    assert attempts.text(uri) == "a,b"
    assert copied.endswith("/inputs/conf/c.yml")
    assert attempts.text(copied) == "x: 1"
    assert child.store_input("f", parents_file) == parents_file
    for refused in ("file:///etc/passwd", "kestra:///a/b/executions/c/tasks/t/r/f", "data.csv"):
        with pytest.raises(StorageError):
            attempts.host.store_input("data", refused)


def test_a_folder_that_is_given_keeps_everything_for_the_next_run(tmp_path: Path) -> None:
    # given
    (tmp_path / "ns").mkdir()
    (tmp_path / "ns" / "a.py").write_text("x")
    with LocalServices.opened(tmp_path / "kept") as first:
        first.add_namespace_files("company", tmp_path / "ns")
        first.set_pairs({"company": {"k": 1}})
    # then
    with LocalServices.opened(tmp_path / "kept") as second:
        host = second.execution(ExecutionPlace("company", "f", "e"))
        assert host.functions()["read"]("a.py") == "x"
        assert host.functions()["kv"]("k") == 1
    with LocalServices.opened() as fresh:
        assert fresh.pairs.keys("company") == []
