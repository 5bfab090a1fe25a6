"""Task types that are found by entry point: Penstock's own, and those of other distributions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from penstock.schema.reference_tasks import examples
from penstock.tasks.contract.core_types import CORE_TYPES
from penstock.tasks.contract.installed import find, own_definitions
from penstock.tasks.scripts.script_types import SCRIPT_TYPES
from penstock.types import own_task_types
from tests.fixtures.distributions import Distribution

QUERY = "com.company.lake.Query"
HEAVY = (
    *("adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "boto3", "cryptography", "fsspec"),
    *("gcsfs", "git", "google", "kopf", "kubernetes", "lakedriver", "prometheus_client", "s3fs"),
)
"""What the controller, the storage and the tasks run with; `lakedriver` is the one of the test."""

FLOW = """
id: {id}
namespace: company.team
tasks:
  - {task}
"""


@pytest.fixture
def lakehouse(tmp_path: Path) -> Distribution:
    """Brings a task that runs with a driver, which is not installed here."""
    made = Distribution(tmp_path / "site")
    made.module(
        "definitions",
        f"""
        from penstock.tasks.contract.definition import TaskDefinition

        TASKS = (
            TaskDefinition(
                "{QUERY}",
                "lakehouse.query:Query",
                aliases=("com.company.OldQuery",),
                needs=("metrics",),
                runtime="lake",
                program="lakehouse.running:query",
            ),
        )
        """,
    )
    made.module(
        "query",
        f'''
        from dataclasses import dataclass, field


        @dataclass(frozen=True)
        class Query:
            """Asks the lake.

            Outputs: `rows`, what it answered.

            ```yaml
            id: ask
            type: {QUERY}
            sql: select 1
            ```
            """

            sql: str
            """The question."""
            limit: int = 10
            """How many rows to take at most."""
        ''',
    )
    made.module(
        "running",
        """
        import lakedriver


        def query(properties, context):
            context.log(f"asking: {properties.sql}")
            return {"rows": lakedriver.ask(properties.sql)[: properties.limit]}
        """,
    )
    return made.entry("penstock.tasks", "lake", "lakehouse.definitions:TASKS")


def flows(folder: Path, *tasks: str) -> Path:
    """A folder of flows with one task each."""
    made = folder / "flows"
    made.mkdir()
    for number, task in enumerate(tasks):
        (made / f"{number}.yaml").write_text(FLOW.format(id=f"f{number}", task=task))
    return made


# --- Penstock's own -----------------------------------------------------------------------------


def test_penstocks_own_types_are_found_by_entry_point() -> None:
    assert set(own_definitions()) == {*CORE_TYPES, *SCRIPT_TYPES}
    for definition in own_definitions():
        assert [find(name.upper()) for name in definition.names] == [definition] * len(
            definition.names
        )


def test_flows_of_every_type_are_checked_where_nothing_of_what_they_run_with_is_there(
    lakehouse: Distribution, tmp_path: Path
) -> None:
    # given: the example of each type of task, and one of a foreign type
    tasks = [text for known in own_task_types() for text in examples(known)]
    written = [json.dumps(yaml.load(text, yaml.BaseLoader)) for text in tasks]
    folder = flows(tmp_path, *written, f"{{id: ask, type: {QUERY}, sql: select 1}}")
    assert len(tasks) > 80
    # when
    code, output = lakehouse.validate(folder, without=HEAVY)
    # then
    assert code == 0, output
    assert f"{len(tasks) + 1} flow files: {len(tasks) + 1} valid, 0 refused" in output


# --- those of others ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (f"{{id: a, type: {QUERY.upper()}, sql: '{{{{ vars.q }}}}', limit: '3'}}", None),
        ("{id: a, type: com.company.OldQuery, sql: select 1, timeout: PT1M}", None),
        (f"{{id: a, type: {QUERY}}}", "tasks[0].sql: missing required property"),
        (f"{{id: a, type: {QUERY}, sql: x, limits: 3}}", "did you mean `limit`?"),
        (f"{{id: a, type: {QUERY}, sql: x, limit: few}}", "tasks[0].limit: must be a whole number"),
        ("{id: a, type: com.company.lake.Ask, sql: x}", "`com.company.lake.Ask` is not served"),
    ],
)
def test_a_foreign_task_is_checked_as_any_other(
    lakehouse: Distribution, tmp_path: Path, task: str, words: str | None
) -> None:
    # when
    code, output = lakehouse.validate(flows(tmp_path, task))
    # then
    assert (code == 0) is (words is None), output
    assert words is None or words in output


def test_a_foreign_task_is_told_in_the_schema_and_described(lakehouse: Distribution) -> None:
    # when
    told = lakehouse.told_by(f"""
        import json
        from penstock.schema.editor import flow_schema
        from penstock.schema.files import generated_files
        from penstock.schema.reference_docstrings import describe_class
        from penstock.schema.reference_tasks import own_properties, task_class
        from penstock.types import task_types

        known = task_types().find("{QUERY}")
        schema = flow_schema()
        print(json.dumps({{
            "offered": schema["$defs"]["Task"]["properties"]["type"]["anyOf"][0]["enum"],
            "properties": [item.name for item in own_properties(known)],
            "outputs": describe_class(task_class(known)).outputs,
            "generated": any("{QUERY}" in text for text in generated_files().values()),
        }}))
    """)
    # then
    assert {QUERY, "com.company.OldQuery", "io.kestra.plugin.core.log.Log"} <= {*told["offered"]}
    assert told["properties"] == ["sql", "limit"]
    assert told["outputs"] == "`rows`, what it answered."
    assert told["generated"] is False, "the files of the repository are the same on every machine"


def test_a_foreign_task_runs_in_the_image_of_its_runtime(lakehouse: Distribution) -> None:
    # when
    told = lakehouse.told_by(f"""
        import json
        from penstock.tasks.registry.definitions import TASK_VARIABLE, container, is_script

        what = container("{QUERY}", {{"sql": "select 1", "limit": "2"}})
        print(json.dumps({{
            "runtime": what.runtime,
            "image": what.image,
            "task": json.loads(what.env[TASK_VARIABLE]),
            "is_script": is_script("{QUERY}"),
        }}))
    """)
    # then
    task = {"type": QUERY, "properties": {"sql": "select 1", "limit": 2}}
    assert told == {"runtime": "lake", "image": None, "task": task, "is_script": False}


@pytest.mark.parametrize("there", [True, False])
def test_a_pod_runs_the_program_of_a_foreign_task(
    lakehouse: Distribution, tmp_path: Path, there: bool
) -> None:
    # given
    if there:
        driver = "def ask(sql):\n    return [sql] * 5\n"
        (lakehouse.folder / "lakedriver.py").write_text(driver)
    message = tmp_path / "message"
    task = {"type": QUERY, "properties": {"sql": "select 1", "limit": 2}}
    # when
    done = lakehouse.python(
        "import sys; from penstock.tasks.pod.main import main; sys.exit(main())",
        env={"PENSTOCK_TASK": json.dumps(task), "PENSTOCK_TERMINATION_FILE": str(message)},
    )
    # then
    assert done.returncode == (0 if there else 1), done.stderr
    assert done.stdout == ("asking: select 1\n" if there else "")
    result = json.loads(message.read_text().partition("\n")[2])
    if there:
        assert result["outputs"] == {"rows": ["select 1", "select 1"]}
    else:
        assert "lakedriver" in result["message"]


def test_a_table_that_cannot_be_read_is_told_and_keeps_nothing_from_working(
    lakehouse: Distribution, tmp_path: Path
) -> None:
    # given
    lakehouse.module("broken", "import lakedriver")
    lakehouse.module("wrong", "TASKS = ['no definition']")
    lakehouse.entry("penstock.tasks", "broken", "lakehouse.broken:TASKS")
    lakehouse.entry("penstock.tasks", "wrong", "lakehouse.wrong:TASKS")
    # when
    code, output = lakehouse.validate(flows(tmp_path, f"{{id: a, type: {QUERY}, sql: select 1}}"))
    # then
    assert code == 0, output
    begin = "what the package lakehouse brings as"
    assert f"{begin} `broken` of penstock.tasks can't be used: ModuleNotFoundError" in output
    assert "`lakehouse.wrong:TASKS` is no TaskDefinition, and no table of them" in output


def test_a_type_of_penstocks_own_is_nobody_elses(lakehouse: Distribution, tmp_path: Path) -> None:
    # given
    lakehouse.module(
        "thief",
        """
        from penstock.tasks.contract.definition import TaskDefinition

        LOG = TaskDefinition("com.company.Log", "lakehouse.query:Query",
                             aliases=("io.kestra.plugin.core.LOG.Log",))
        """,
    )
    lakehouse.entry("penstock.tasks", "thief", "lakehouse.thief:LOG")
    tasks = [
        "{id: a, type: io.kestra.plugin.core.log.Log, message: x}",
        f"{{id: a, type: {QUERY}, sql: x}}",
    ]
    # when
    code, output = lakehouse.validate(flows(tmp_path, *tasks))
    # then
    assert code == 0, output
    assert "there is a task type io.kestra.plugin.core.log.log already" in output


def test_others_are_not_looked_through_for_a_type_of_penstocks_own(
    lakehouse: Distribution, tmp_path: Path
) -> None:
    # given
    lakehouse.module("loud", "print('I was read')")
    lakehouse.entry("penstock.tasks", "loud", "lakehouse.loud:TASKS")
    lakehouse.entry("penstock.triggers", "loud", "lakehouse.loud:TASKS")
    own = "{id: a, type: io.kestra.plugin.core.log.Log, message: x}"
    # when
    code, output = lakehouse.validate(flows(tmp_path, own))
    # then
    assert (code, "I was read" in output) == (0, False)


# --- installed without its metadata -------------------------------------------------------------


def test_without_its_own_entry_points_penstock_says_what_to_do(lakehouse: Distribution) -> None:
    done = lakehouse.python("""
        import importlib.metadata

        def missing(name):
            raise importlib.metadata.PackageNotFoundError(name)

        importlib.metadata.distribution = missing
        from penstock.types import task_types

        task_types()
    """)
    assert done.returncode == 1
    assert "entry points `penstock.tasks` are not known" in done.stderr
    assert "make dev" in done.stderr
