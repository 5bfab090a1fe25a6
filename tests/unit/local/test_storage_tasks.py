"""Tasks over files of the internal storage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.resources.execution import State
from tests.unit.local.conftest import CORE, HERE, Attempts


async def test_write_gives_a_uri_of_the_task_run(attempts: Attempts) -> None:
    # when
    uri = (await attempts.outputs("storage.Write", content="héllo", extension=".txt"))["uri"]
    # then
    assert uri == "kestra:///company/team/tried/executions/run-1/tasks/t/r/content.txt"
    assert attempts.text(uri) == "héllo"
    assert await attempts.outputs("storage.Size", uri=uri) == {"size": 6}


async def test_concat_writes_the_separator_after_each_file(attempts: Attempts) -> None:
    # given
    files = [attempts.store("a", "1"), attempts.store("b", "2")]
    # when
    made = await attempts.outputs("storage.Concat", files=json.dumps(files), separator="\n")
    # then
    assert attempts.text(made["uri"]) == "a\nb\n"
    assert made["uri"].endswith(".tmp")


async def test_delete(attempts: Attempts) -> None:
    # given
    uri = attempts.store("a")
    # then
    assert await attempts.outputs("storage.Delete", uri=uri) == {"uri": uri, "deleted": True}
    assert await attempts.outputs("storage.Delete", uri=uri) == {"uri": uri, "deleted": False}
    assert uri in await attempts.failure("storage.Delete", uri=uri, errorOnMissing=True)


@pytest.mark.parametrize("text", ["a\nb\nc", "a\nb\nc\n"])
async def test_reverse_turns_lines_round(attempts: Attempts, text: str) -> None:
    made = await attempts.outputs("storage.Reverse", **{"from": attempts.store(text)})
    assert attempts.text(made["uri"]) == "c\nb\na\n"


async def test_reverse_of_nothing_and_of_long_lines(attempts: Attempts) -> None:
    long = "x" * 700_000
    text = f"{long}1, {long}2, 3"
    for given, wanted in (("", ""), (text, f"3, {long}2, {long}1, ")):
        made = await attempts.outputs(
            "storage.Reverse", **{"from": attempts.store(given), "separator": ", "}
        )
        assert attempts.text(made["uri"]) == wanted


@pytest.mark.parametrize(
    ("properties", "parts"),
    [
        ({"rows": 2}, ["a\nb\n", "c\nd\n", "e\n"]),
        ({"rows": "5"}, ["a\nb\nc\nd\ne\n"]),
        ({"partitions": 2}, ["a\nc\ne\n", "b\nd\n"]),
        ({"partitions": 9}, ["a\n", "b\n", "c\n", "d\n", "e\n"]),
        ({"bytes": "3B"}, ["a\nb\n", "c\nd\n", "e\n"]),
        ({"bytes": "1KB", "rows": 1}, ["a\nb\nc\nd\ne\n"]),
    ],
)
async def test_split(attempts: Attempts, properties: dict[str, Any], parts: list[str]) -> None:
    # given
    source = attempts.store("a\nb\nc\nd\ne", "data.csv")
    # when
    uris = (await attempts.outputs("storage.Split", **{"from": source}, **properties))["uris"]
    # then
    assert list(map(attempts.text, uris)) == parts
    assert all(uri.endswith(".csv") for uri in uris)


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({}, "one of `bytes`, `partitions` and `rows`"),
        ({"rows": 0}, "`rows`"),
        ({"partitions": 0}, "`partitions`"),
        ({"bytes": "much"}, "`bytes`"),
        ({"rows": 1, "separator": ""}, "`separator`"),
    ],
)
async def test_split_says_what_it_needs(
    attempts: Attempts, properties: dict[str, Any], words: str
) -> None:
    told = await attempts.failure("storage.Split", **{"from": attempts.store("a")}, **properties)
    assert words in told


async def test_deduplicate_keeps_the_last_of_each_key_in_order(attempts: Attempts) -> None:
    # given
    lines = '{"k":1,"v":"a"}\n{k:2, v:"b"}\n{"k":1,"v":"c"}\n'
    # when
    made = await attempts.outputs(
        "storage.DeduplicateItems", **{"from": attempts.store(lines), "expr": "{{ k }}"}
    )
    # then
    assert attempts.text(made.pop("uri")) == '{k:2, v:"b"}\n{"k":1,"v":"c"}\n'
    assert made == {"numKeys": 2, "processedItemsTotal": 3, "droppedItemsTotal": 1}


@pytest.mark.parametrize(
    ("properties", "kept"),
    [
        ({"errorOrNullBehavior": "EXCLUDE"}, [1]),
        ({"errorOrNullBehavior": "INCLUDE"}, [1, None, "none"]),
        ({"filterType": "EXCLUDE", "errorOrNullBehavior": "EXCLUDE"}, [3]),
    ],
)
async def test_filter(attempts: Attempts, properties: dict[str, Any], kept: list[Any]) -> None:
    # given
    items = [{"n": 1}, {"n": 3}, {"n": None}, {}]
    source = attempts.store("".join(json.dumps(item) + "\n" for item in items))
    condition = "{{ n is null ? null : n < 2 }}"
    # when
    made = await attempts.outputs(
        "storage.FilterItems", **{"from": source, "filterCondition": condition}, **properties
    )
    # then
    lines = [json.loads(line) for line in attempts.text(made["uri"]).splitlines()]
    assert [line.get("n", "none") for line in lines] == kept
    assert made["processedItemsTotal"] == 4
    assert made["droppedItemsTotal"] == 4 - len(kept)


async def test_filter_fails_on_an_error_unless_told_otherwise(attempts: Attempts) -> None:
    told = await attempts.failure(
        "storage.FilterItems", **{"from": attempts.store("{}"), "filterCondition": "{{ n }}"}
    )
    assert "Unable to find `n`" in told
    told = await attempts.failure(
        "storage.FilterItems", **{"from": attempts.store("[1"), "filterCondition": "{{ n }}"}
    )
    assert told.startswith("line 1: ")


async def test_purge_deletes_all_files_of_the_execution(attempts: Attempts) -> None:
    # given
    uri = attempts.store("a")
    # then
    assert await attempts.outputs("storage.PurgeCurrentExecutionFiles") == {"uris": [uri]}
    assert not attempts.host.files.exists(uri)


async def test_the_files_of_others_are_out_of_reach(attempts: Attempts) -> None:
    # given
    other = "kestra:///company/team/tried/executions/run-2/tasks/t/r/content.txt"
    # then
    for task_type, name in (("Size", "uri"), ("Delete", "uri"), ("Reverse", "from")):
        told = await attempts.failure(f"storage.{task_type}", **{name: other})
        assert "didn't belong to the current execution" in told
    assert "not a URI" in await attempts.failure("storage.Size", uri="/etc/passwd")


async def test_local_files_share_a_directory(attempts: Attempts, tmp_path: Path) -> None:
    # given
    shared = tmp_path / "shared"
    shared.mkdir()
    local_files = f"{CORE}.storage.LocalFiles"
    inputs = {"out/stay.txt": "text", "out/b.txt": attempts.store("stored"), "else": None}
    # when
    await attempts.run(local_files, {"inputs": inputs}, directory=shared)
    seen = await attempts.run(local_files, {"outputs": ["out/*"]}, directory=shared)
    # then
    uris = (seen.outputs or {})["uris"]
    assert {name: attempts.text(uri) for name, uri in uris.items()} == {
        "out/stay.txt": "text",
        "out/b.txt": "stored",
    }
    assert (shared / "else").read_text() == ""


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "", "link/x"])
async def test_local_files_stay_in_their_directory(
    attempts: Attempts, tmp_path: Path, name: str
) -> None:
    # given
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "link").symlink_to(tmp_path)
    # when
    seen = await attempts.run(
        f"{CORE}.storage.LocalFiles", {"inputs": {name: "x"}}, directory=shared
    )
    # then
    assert seen.state is State.FAILED
    assert "working directory" in (seen.message or "") or "below" in (seen.message or "")


async def test_upload_download_and_delete_namespace_files(
    attempts: Attempts, tmp_path: Path
) -> None:
    # given
    shared = tmp_path / "shared"
    (shared / "a").mkdir(parents=True)
    (shared / "a" / "x.sql").write_text("one")
    upload = {
        "namespace": "company.data",
        "files": "**/*.sql",
        "filesMap": {"m/y.sql": attempts.store("two"), "z.txt": "three"},
        "destination": "/in",
    }
    # when
    seen = await attempts.run(f"{CORE}.namespace.UploadFiles", upload, directory=shared)
    # then
    assert seen.outputs == {"files": None}
    got = await attempts.outputs(
        "namespace.DownloadFiles", namespace="company.data", files=["*.sql"], destination="d"
    )
    assert {name: attempts.text(uri) for name, uri in got["files"].items()} == {
        "in/a/x.sql": "one",
        "in/m/y.sql": "two",
    }
    assert got["files"]["in/a/x.sql"].startswith(f"kestra://{HERE.folder}tasks/t/r/d/in/")
    # when
    delete = {"namespace": "company.data", "files": "/in/**/*.sql"}
    (metric,) = (await attempts.run(f"{CORE}.namespace.DeleteFiles", delete)).metrics
    # then
    assert (metric.name, metric.value) == ("deleted", 2)
    left = await attempts.outputs("namespace.DownloadFiles", namespace="company.data", files=["**"])
    assert list(left["files"]) == ["in/z.txt"]


async def test_upload_may_leave_or_refuse_what_is_there(attempts: Attempts) -> None:
    # given
    there = {"namespace": "n", "filesMap": {"a": "old"}}
    await attempts.outputs("namespace.UploadFiles", **there)
    there["filesMap"] = {"a": "new"}
    # then
    await attempts.outputs("namespace.UploadFiles", **there, conflict="SKIP")
    assert "exists already" in await attempts.failure(
        "namespace.UploadFiles", **there, conflict="ERROR"
    )
    assert attempts.text("nsfile://n/a") == "old"
    assert "`files` and `filesMap`" in await attempts.failure(
        "namespace.UploadFiles", namespace="n"
    )


async def test_fetch_writes_the_log_of_the_execution(attempts: Attempts) -> None:
    # given
    await attempts.outputs("log.Log", message=["one", "two\nlines"])
    await attempts.outputs("log.Log", message="quiet", level="DEBUG")
    await attempts.outputs("log.Log", message="bad", level="ERROR")
    # when
    made = await attempts.outputs("log.Fetch")
    # then
    entries = [json.loads(line) for line in attempts.text(made["uri"]).splitlines()]
    errors = await attempts.outputs("log.Fetch", level="ERROR", executionId="run-1")
    others = await attempts.outputs("log.Fetch", tasksId=["other"])
    assert [(entry["level"], entry["message"]) for entry in entries] == [
        ("INFO", "one"),
        ("INFO", "two\nlines"),
        ("ERROR", "bad"),
    ]
    assert entries[0]["executionId"] == "run-1"
    assert (made["size"], errors["size"], others["size"]) == (3, 1, 0)
    assert "`flowId`" in await attempts.failure("log.Fetch", namespace="company.team")


async def test_a_log_level_drops_lines_below_it(attempts: Attempts) -> None:
    await attempts.run(f"{CORE}.log.Log", {"message": "a"}, task={"log_level": "WARN"})
    await attempts.run(
        f"{CORE}.log.Log", {"message": "b", "level": "ERROR"}, task={"log_level": "WARN"}
    )
    assert attempts.lines == [("stdout", "ERROR b")]


async def test_metrics_are_published(attempts: Attempts) -> None:
    # when
    metrics = [{"type": "timer", "name": "m", "value": "1.5", "tags": {"a": 1}}]
    seen = await attempts.run(f"{CORE}.metric.Publish", {"metrics": metrics})
    # then
    (metric,) = seen.metrics
    assert (metric.type, metric.name, metric.value, metric.tags) == ("timer", "m", 1.5, {"a": "1"})
    told = await attempts.failure("metric.Publish", metrics=[{"type": "x", "name": "m"}])
    assert told.startswith("property `metrics[0]`")


async def test_a_templated_task_is_the_task_that_it_describes(attempts: Attempts) -> None:
    # given
    spec = "id: x\ntype: io.kestra.plugin.core.debug.Return\nformat: hi\ntimeout: PT1S\n"
    # then
    assert await attempts.outputs("templating.TemplatedTask", spec=spec) == {"value": "hi"}
    nested = f"type: {CORE}.templating.TemplatedTask\nspec: x"
    assert "can't describe another" in await attempts.failure(
        "templating.TemplatedTask", spec=nested
    )
    assert "in YAML" in await attempts.failure("templating.TemplatedTask", spec="a: [")
    flowable = f"type: {CORE}.flow.Sequential\ntasks: []"
    assert "no runnable task" in await attempts.failure("templating.TemplatedTask", spec=flowable)
