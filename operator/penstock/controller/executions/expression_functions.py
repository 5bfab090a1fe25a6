"""The functions of expressions that read something, for the executions of a cluster.

The engine decides at once and waits for nothing. So a function that has to look at the storage, or
to ask a server, gives what was fetched before, and else says what it wants (``NotLoaded``): that is
fetched in a thread, and then the decision is made anew. What was fetched counts until what was
decided with it is done, so a decision that is made twice is the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from penstock.engine.interface.identity import Identity
from penstock.engine.rendering.evaluation import HostFunctions
from penstock.expressions import ExpressionError, NotLoaded
from penstock.flow.document import Flow
from penstock.kubernetes.api.client import Object
from penstock.storage.errors import StorageError
from penstock.storage.functions import file_uri
from penstock.storage.kv import Readable, kv_function
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.task import TaskFailure

Readers = Mapping[str, Callable[..., Any]]
"""How functions read, by name. They are called in a thread; what they raise is an
``ExpressionError``, ``StorageError`` or ``TaskFailure``."""

READ = ("read", "fileSize", "fileExists", "isFileEmpty", "fileEmpty")
ASK = ("http",)
_SECONDS = 12.0
_MAX_CALLS = 256
_MAX_CHARACTERS = 32 * 1024 * 1024


@dataclass(frozen=True)
class Call:
    """One call of a function, with its arguments as JSON, and whose expression it is in."""

    name: str
    arguments: str
    place: ExecutionPlace


@dataclass
class _Fetched:
    """What the calls of one execution gave: a value, or why there is none."""

    answers: dict[Call, Any] = field(default_factory=dict)
    size: int = 0

    def keep(self, call: Call, answer: Any) -> None:
        self.answers[call] = answer
        self.size += len(answer) if isinstance(answer, str) else len(str(answer))

    @property
    def is_full(self) -> bool:
        return len(self.answers) >= _MAX_CALLS or self.size > _MAX_CHARACTERS


class ExpressionFunctions:
    """The functions of all executions."""

    def __init__(
        self,
        readers: Callable[[Object, ExecutionPlace], Readers],
        ready: Callable[[Object], None],
        pairs: Callable[[str], Readable],
    ) -> None:
        """``ready`` is told of an execution that can be decided again; ``pairs`` gives those of a
        tenant."""
        self._readers = readers
        self._ready = ready
        self._pairs = pairs
        self._fetched: dict[str, _Fetched] = {}
        self._fetching: dict[tuple[str, Call], asyncio.Task[None]] = {}
        # Servers that keep everybody waiting must not keep the storage's readers waiting.
        self._threads = {
            **dict.fromkeys(READ, ThreadPoolExecutor(4, "penstock-read")),
            **dict.fromkeys(ASK, ThreadPoolExecutor(8, "penstock-ask")),
        }

    def of(self, tenant: str) -> HostFunctions:
        """The functions of the executions in a Kubernetes namespace."""
        return partial(self._of_execution, tenant)

    def _of_execution(
        self, tenant: str, identity: Identity, flow: Flow
    ) -> Mapping[str, Callable[..., Any]]:
        place = ExecutionPlace(flow.namespace, flow.id, identity.name)
        fetched = self._fetched.get(identity.uid, _Fetched())
        return {
            "kv": _telling(kv_function(self._pairs(tenant), flow.namespace)),
            "fileURI": _telling(partial(file_uri, flow.namespace)),
            **{name: partial(_answer, fetched, place, name) for name in (*READ, *ASK)},
        }

    def fetch(self, body: Object, missing: NotLoaded) -> None:
        """See to what an execution's decision lacks; ``ready`` is told when it is there."""
        call, uid = missing.wanted, body["metadata"]["uid"]
        assert isinstance(call, Call)
        if (uid, call) not in self._fetching:
            self._fetching[uid, call] = asyncio.create_task(self._fetch(body, call))

    def done(self, body: Object) -> None:
        """What was decided is done: the next decision reads anew."""
        self._fetched.pop(body["metadata"]["uid"], None)

    async def _fetch(self, body: Object, call: Call) -> None:
        readers = partial(self._readers, body, call.place)
        running = asyncio.get_running_loop().run_in_executor(
            self._threads[call.name], _called, readers, call
        )
        try:
            answer = await asyncio.wait_for(running, _SECONDS)
        except TimeoutError:
            answer = ExpressionError(f"{call.name}(): no answer within {_SECONDS:.0f} s")
        uid = body["metadata"]["uid"]
        self._fetched.setdefault(uid, _Fetched()).keep(call, answer)
        del self._fetching[uid, call]
        self._ready(body)


def _answer(fetched: _Fetched, place: ExecutionPlace, name: str, *args: Any, **named: Any) -> Any:
    try:
        call = Call(name, json.dumps([args, named], sort_keys=True), place)
    except (TypeError, ValueError):
        raise ExpressionError(f"{name}(): an argument is no JSON value") from None
    if call in fetched.answers:
        answer = fetched.answers[call]
        if isinstance(answer, ExpressionError):
            raise ExpressionError(answer.message)
        return answer
    if fetched.is_full:
        raise ExpressionError(f"{name}(): too much is read at once; let a task read it")
    raise NotLoaded(call)


def _called(readers: Callable[[], Readers], call: Call) -> Any:
    args, named = json.loads(call.arguments)
    try:
        return _telling(readers()[call.name])(*args, **named)
    except ExpressionError as error:
        return error
    except Exception as error:  # such as an argument too many
        return ExpressionError(f"`{call.name}()` failed: {error}")


def _telling(function: Callable[..., Any]) -> Callable[..., Any]:
    """Its failures as those of the expression."""

    def call(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except (StorageError, TaskFailure) as error:
            raise ExpressionError(str(error)) from None

    return call
