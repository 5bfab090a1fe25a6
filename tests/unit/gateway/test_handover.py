"""The listener's door: which triggers it tells of, and what becomes of events and reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from penstock.gateway.bodies import MOST_BYTES
from penstock.gateway.listener_door import ListenerDoor
from penstock.gateway.source_flows import MOST_BYTES as MOST_FLOWS
from penstock.kubernetes.api.client import EXECUTIONS, TRIGGER_STATES
from penstock.resources.listener_report import ANNOTATION, report_of
from penstock.resources.trigger_state import new_trigger_state, trigger_state_name
from penstock.storage.arrivals import AUTHORITIES, ROUTE, URL
from penstock.storage.arrivals import KEY as KEY_NAME
from penstock.storage.signing import OneObject
from penstock.storage.uris import ExecutionPlace, parse
from tests.fixtures.apiserver import Refused
from tests.unit.gateway.conftest import Gateway

LISTENER = "/api/v1/listener"
EVENT = {"flow": "company.team.watch", "trigger": "low", "key": "7", "variables": {"code": 200}}


def watching(more: str = "", vars: str = "{}") -> str:
    """The YAML of a flow with a trigger for the listener, and with more of its properties."""
    lines = "".join(f"\n    {line}" for line in more.splitlines() if line)
    return f"""
id: watch
namespace: company.team
variables: {vars}
tasks:
  - {{id: take, type: io.kestra.plugin.core.log.Log, message: "{{{{ trigger.code }}}}"}}
triggers:
  - id: low
    type: io.kestra.plugin.core.http.Trigger
    uri: https://shop.example.com{lines}
  - id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: a-long-key
"""


@pytest.fixture
def door(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """A gateway that takes every caller for the listener of the namespace `team`."""

    async def namespace(_: ListenerDoor, request: web.Request) -> str:
        return request.headers.get("Authorization", "team")

    monkeypatch.setattr(ListenerDoor, "namespace", namespace)
    return gateway


async def post(door: Gateway, body: Any, path: str = "firings") -> tuple[int, Any]:
    answer = await door.call(f"{LISTENER}/{path}", json=body)
    return answer.status, await answer.json() if answer.status != 204 else None


async def listed(door: Gateway, revision: str = "") -> Any:
    answer = await door.call(f"{LISTENER}/triggers", "GET", params={"revision": revision})
    return await answer.json() if answer.status == 200 else None


async def test_a_listener_is_told_what_it_renders_and_not_more(door: Gateway) -> None:
    more = 'headers: {X: "{{ secret(\'X\') }}"}\ninputs: {a: b}\nwhen: "{{ true }}"'
    door.has(watching(more, vars="{region: north}"))
    (told,) = (await listed(door))["triggers"]
    assert told["properties"] == {
        "uri": "https://shop.example.com",
        "headers": {"X": "{{ secret('X') }}"},
    }
    assert told["variables"]["vars"] == {"region": "north"}


async def test_an_answer_waits_for_news(door: Gateway) -> None:
    body = door.has(watching())
    first = await listed(door)
    assert await listed(door, first["revision"]) is None
    # when somebody disables the trigger
    state = new_trigger_state(body, "low", disabled=True)
    door.switches.seen(state)
    # then
    assert (await listed(door, first["revision"]))["triggers"] == []
    assert (await post(door, EVENT))[0] == 410


async def test_what_a_poll_trigger_remembers_is_given_back(door: Gateway) -> None:
    body = door.has(watching())
    state = new_trigger_state(body, "low", disabled=False)
    door.server.put(TRIGGER_STATES, state | {"status": {"memory": {"cursor": 7}}})
    (told,) = (await listed(door))["triggers"]
    assert told["memory"] == {"cursor": 7}


async def test_the_same_event_starts_one_execution(door: Gateway) -> None:
    door.has(watching('labels: {code: "{{ trigger.code }}"}'))
    first = await post(door, EVENT)
    # when it comes again, and its source says so
    again = await post(door, EVENT | {"variables": {"code": 200, "redelivered": True}})
    # then
    assert first == (200, {"execution": first[1]["execution"], "isNew": True})
    assert again == (200, {"execution": first[1]["execution"], "isNew": False})
    (execution,) = door.executions
    assert execution["spec"]["labels"] == {"code": "200"}


async def test_an_event_that_no_condition_wants_starts_nothing(door: Gateway) -> None:
    door.has(watching('when: "{{ trigger.code == 500 }}"'))
    assert await post(door, EVENT) == (204, None)
    assert door.executions == []


@pytest.mark.parametrize(
    ("more", "event", "told"),
    [
        ('inputs: {a: "{{ trigger.missing.deeper }}"}', {}, "its inputs can't be rendered"),
        ('when: "{{ trigger.missing.deeper }}"', {}, "its conditions can't be told"),
        ("inputs: {a: \"{{ secret('X') }}\"}", {}, "its inputs can't be rendered"),
        ("", {"variables": json.loads("[" * 200 + "]" * 200)}, "`variables` is a map"),
        ("", {"variables": {"a": json.loads("[" * 200 + "]" * 200)}}, "nested deeper"),
        ("", {"key": ""}, "`key` is a text"),
        ("", {"key": "x" * 3_000}, "`key` is a text"),
    ],
    ids=["inputs", "conditions", "a secret", "no map", "too deep", "no key", "a long key"],
)
async def test_what_can_never_become_an_execution_is_refused_for_good(
    door: Gateway, more: str, event: dict[str, Any], told: str
) -> None:
    door.has(watching(more))
    status, answer = await post(door, EVENT | event)
    assert status in (400, 422)
    assert told in answer["message"]
    assert door.executions == []


async def test_an_event_that_is_too_large_is_refused_for_good(door: Gateway) -> None:
    door.has(watching())
    assert (await post(door, EVENT | {"variables": {"body": "x" * MOST_BYTES}}))[0] == 413


async def test_with_the_api_server_away_an_event_is_to_come_again(door: Gateway) -> None:
    door.has(watching())
    door.server.refuse("POST", EXECUTIONS, Refused(500, "InternalError"))
    assert (await post(door, EVENT))[0] == 503


@pytest.mark.parametrize(
    ("event", "status"),
    [({"flow": "company.team.other"}, 410), ({"trigger": "hook"}, 410), ({"trigger": None}, 410)],
    ids=str,
)
async def test_only_triggers_for_the_listener_fire(
    door: Gateway, event: dict[str, Any], status: int
) -> None:
    door.has(watching())
    assert (await post(door, EVENT | event))[0] == status


async def test_a_flow_that_was_just_changed_is_waited_for(door: Gateway) -> None:
    door.has(watching(), observedGeneration=0)
    assert (await post(door, EVENT))[0] == 503


async def test_nobody_reaches_another_namespace(door: Gateway) -> None:
    door.has(watching(), "other")
    assert (await listed(door))["triggers"] == []
    assert (await post(door, EVENT))[0] == 410


async def test_without_a_token_nothing_is_told(gateway: Gateway) -> None:
    gateway.has(watching())
    for path, method in (("triggers", "GET"), ("firings", "POST"), ("reports", "POST")):
        answer = await gateway.call(f"{LISTENER}/{path}", method)
        assert answer.status == 401


async def test_flows_that_are_too_large_together_are_told(door: Gateway) -> None:
    door.has(watching(vars=json.dumps({"much": "x" * MOST_FLOWS})))
    (told,) = (await listed(door))["triggers"]
    assert "too large together" in told["problem"]
    assert "properties" not in told


async def test_a_report_stands_on_the_trigger_state(door: Gateway) -> None:
    body = door.has(watching())
    place = {"flow": "company.team.watch", "trigger": "low"}
    report = {"failing": True, "message": "no such host", "memory": {"cursor": 1}}
    # as long as there is none, it is to come again
    assert (await post(door, place | {"report": report}, "reports"))[0] == 503
    door.server.put(TRIGGER_STATES, new_trigger_state(body, "low", disabled=False))
    # then
    assert await post(door, place | {"report": report}, "reports") == (204, None)
    (state,) = door.server.all(TRIGGER_STATES)
    assert state["metadata"]["name"] == trigger_state_name("company.team.watch", "low")
    told = report_of(state["metadata"]["annotations"])
    assert told is not None
    assert (told.failing, told.message, told.memory) == (True, "no such host", {"cursor": 1})
    # and what is too large is refused
    large = {"memory": "x" * 70_000}
    assert (await post(door, place | {"report": large}, "reports"))[0] == 422


def test_a_report_that_can_not_be_read_counts_for_nothing() -> None:
    for text in ("{", "[]", '{"failing": "perhaps"}', "[" * 5_000):
        assert report_of({ANNOTATION: text}) is None
    assert report_of(None) is None


ASKED = {
    "flow": "company.team.watch",
    "trigger": "low",
    "key": "7",
    "name": "messages.ion",
    "size": 3,
    "sha256": "ab" * 32,
}
KEY = "0f" * 32


def know_the_storage(folder: Path) -> None:
    """Mount what the controller keeps for the gateway."""
    values = {URL: "https://10.0.0.9:8082", AUTHORITIES: "a CA", KEY_NAME: KEY}
    for name, value in values.items():
        (folder / name).write_text(value)


async def test_a_file_of_an_event_has_a_place_with_its_execution(
    door: Gateway, tmp_path: Path
) -> None:
    # given
    know_the_storage(tmp_path)
    door.has(watching())
    # when
    status, place = await post(door, ASKED, "files")
    started = (await post(door, EVENT))[1]["execution"]
    # then: it lies in the folder of the Execution that the event starts
    folder = ExecutionPlace("company.team", "watch", started).folder
    path = parse(place["uri"], "company.team")
    assert status == 200
    assert path.startswith(f"{folder}trigger/") and path.endswith("/messages.ion")
    assert place["authorities"] == "a CA"
    # and the address is signed for this file in this namespace, for a while
    address = urlsplit(place["url"])
    asked = parse_qs(address.query)
    assert address.netloc == "10.0.0.9:8082"
    assert address.path == f"{ROUTE}/team{path}"
    wanted = OneObject("PUT", "team", path, int(asked["expires"][0]), 3, "ab" * 32)
    wanted.check(bytes.fromhex(KEY), asked["signature"][0])


async def test_until_the_storage_is_known_a_file_has_to_wait(door: Gateway) -> None:
    door.has(watching())
    status, told = await post(door, ASKED, "files")
    assert (status, told["message"]) == (
        503,
        "the internal storage is not ready for files of triggers yet; try again",
    )


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"trigger": "other"}, 410),
        ({"flow": "company.team.other"}, 410),
        ({"key": ""}, 400),
        ({"size": "many"}, 400),
        ({"size": -1}, 422),
        ({"size": 2**40}, 422),
        ({"sha256": "short"}, 422),
        ({"name": "../../a"}, 422),
        ({"name": ".."}, 422),
    ],
)
async def test_a_file_that_may_not_be_has_no_place(
    door: Gateway, tmp_path: Path, change: dict[str, Any], status: int
) -> None:
    know_the_storage(tmp_path)
    door.has(watching())
    assert (await post(door, ASKED | change, "files"))[0] == status


async def test_a_file_of_another_namespaces_trigger_has_no_place(
    door: Gateway, tmp_path: Path
) -> None:
    know_the_storage(tmp_path)
    door.has(watching())
    answer = await door.call(f"{LISTENER}/files", json=ASKED, headers={"Authorization": "other"})
    assert answer.status == 410
