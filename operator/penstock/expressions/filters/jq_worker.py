"""Run one jq program inside limits; started by ``query``, reads and writes JSON."""

from __future__ import annotations

import json
import resource
import sys

_MEMORY = 256 * 1024 * 1024


def main() -> None:
    """Answer the request on standard input."""
    request = json.load(sys.stdin)
    seconds = int(request["seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    import jq

    outputs: list[str] = []
    size = 0
    try:
        jq.compile(request["program"])
        for output in jq.compile(request["whole"]).input_text(request["text"]):
            outputs.append(output)
            size += len(output)
            if len(outputs) > request["outputs"] or size > request["chars"]:
                raise ValueError("too many outputs")
        answer = json.dumps({"outputs": outputs})
    except ValueError as error:
        answer = json.dumps({"error": str(error).split("\n", 1)[0]})
    sys.stdout.write(answer)


if __name__ == "__main__":
    main()
