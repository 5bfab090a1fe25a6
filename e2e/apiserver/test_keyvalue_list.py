"""A new controller reads all KeyValues, which may be many and large, and only who asks for a key
waits for that."""

from __future__ import annotations

from e2e.apiserver.stage import Stage
from penstock.kubernetes.api.client import KEY_VALUES, Object
from penstock.resources import API_VERSION
from penstock.resources.keyvalue import key_value_name

HELLO = """
    id: hello
    namespace: company.team
    tasks: [{id: say, type: io.kestra.plugin.core.debug.Return, format: hello}]
"""
EXPRESSION = """
    id: expression
    namespace: company.team
    tasks:
      - {id: say, type: io.kestra.plugin.core.debug.Return, format: hello}
    outputs:
      - id: told
        type: STRING
        value: "{{ kv('greeting', errorOnMissing=false) ?? 'no such key' }}"
"""
TASK = """
    id: task
    namespace: company.team
    tasks: [{id: get, type: io.kestra.plugin.core.kv.Get, key: greeting}]
"""


def waits_for_list(body: Object) -> bool:
    conditions = (body.get("status") or {}).get("conditions") or ()
    return any("has not read all KeyValues yet" in item.get("message", "") for item in conditions)


async def test_only_who_reads_a_key_waits_for_the_list_of_keyvalues(stage: Stage) -> None:
    # given
    for flow in (HELLO, EXPRESSION, TASK):
        await stage.flow(flow)
    spec = {"namespace": "company.team", "key": "greeting", "value": "good day"}
    meta = {"name": key_value_name("company.team", "greeting")}
    body = {"apiVersion": API_VERSION, "kind": "KeyValue", "metadata": meta, "spec": spec}
    await stage.api.create(KEY_VALUES, stage.namespace, body)
    # when: a new controller can't list them
    stage.controller.faults.lost_keyvalue_lists = 1.0
    stage.controller.start()
    await stage.controller.ready()
    for name in ("expression", "task", "hello"):
        await stage.execute(name, name)
    # then: what reads none of them ends, what does waits and says so
    assert (await stage.ended(["hello"]))["hello"].state == "SUCCESS"
    await stage.until("expression", waits_for_list)
    await stage.until("task", waits_for_list)
    # when
    stage.controller.faults.lost_keyvalue_lists = 0.0
    # then
    ended = await stage.ended()
    assert set(ended) == {"expression", "task", "hello"}
    assert {status.state for status in ended.values()} == {"SUCCESS"}
    assert ended["expression"].outputs == {"told": "good day"}
    assert not any(waits_for_list(body) for body in await stage.executions())
    assert stage.controller.crashes == []
