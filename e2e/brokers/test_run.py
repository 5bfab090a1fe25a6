"""`penstock run --triggers` against a real broker: what came is run, and nothing is left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from e2e.fixtures.brokers.redis import RedisServer

FLOW = """\
id: numbers
namespace: company.team
tasks:
  - {{id: it, type: io.kestra.plugin.core.debug.Return, format: "{{{{ trigger.value }}}}"}}
outputs: [{{id: it, type: STRING, value: "{{{{ outputs.it.value }}}}"}}]
triggers:
  - id: arrived
    type: io.kestra.plugin.redis.list.RealtimeTrigger
    url: "{url}"
    key: {key}
"""


def test_every_element_of_a_list_is_an_execution(redis_server: RedisServer, tmp_path: Path) -> None:
    # given
    redis_server.client.flushall()
    file = tmp_path / "numbers.yaml"
    properties = redis_server.properties()
    file.write_text(FLOW.format(url=properties["url"], key=properties["key"]))
    redis_server.send([str(each) for each in range(5)])

    # when it runs until all of them are acknowledged, and until Ctrl-C
    run = subprocess.Popen(
        [sys.executable, "-m", "penstock.cli", "run", "--triggers", str(file), "-o", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 30
    while redis_server.client.keys("*") and time.monotonic() < until:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=30)

    # then
    assert redis_server.client.keys("*") == [], err
    heard = [item["spec"]["trigger"]["variables"]["value"] for item in json.loads(out)]
    assert heard == ["0", "1", "2", "3", "4"]
