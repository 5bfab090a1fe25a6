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

from penstock.controller.runtime.execution_memory import ExecutionMemories
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
    """What the calls of one execution gave, a value or why there is none: a slot of its memory."""

    answers: dict[Call, Any] = field(default_factory=dict)
    size: int = 0
    fetching: set[Call] = field(default_factory=set)
    """The calls that are under way."""

    def keep(self, call: Call, answer: Any) -> None:
        self.answers[call] = answer
        self.size += len(answer) if isinstance(answer, str) else len(str(answer))

    def clear(self) -> None:
        """Let the next decision read anew; what is under way goes on."""
        self.answers.clear()
        self.size = 0

    @property
    def is_full(self) -> bool:
        return len(self.answers) >= _MAX_CALLS or self.size > _MAX_CHARACTERS


class ExpressionFunctions:
    """The functions of all executions."""

    def __init__(
        self,
        memories: ExecutionMemories,
        readers: Callable[[Object, ExecutionPlace], Readers],
        ready: Callable[[Object], None],
        keyvalues: Callable[[str], Readable],
    ) -> None:
        """``ready`` is told of an execution that can be decided again; ``keyvalues`` gives the
        key-value pairs of a tenant."""
        self._memories = memories
        self._readers = readers
        self._ready = ready
        self._keyvalues = keyvalues
        self._tasks: set[asyncio.Task[None]] = set()
        # Servers that keep everybody waiting must not keep the storage's readers waiting.
        self._threads = {
            **dict.fromkeys(READ, ThreadPoolExecutor(4, "penstock-read")),
            **dict.fromkeys(ASK, ThreadPoolExecutor(8, "penstock-ask")),
        }

    def of(self, tenant: str) -> HostFunctions:
        """Give the functions of the executions in a Kubernetes namespace."""
        return partial(self._of_execution, tenant)

    def _of_execution(
        self, tenant: str, identity: Identity, flow: Flow
    ) -> Mapping[str, Callable[..., Any]]:
        place = ExecutionPlace(flow.namespace, flow.id, identity.name)
        fetched = self._memories.look(identity.uid, _Fetched) or _Fetched()
        return {
            "kv": _telling(kv_function(self._keyvalues(tenant), flow.namespace)),
            "fileURI": _telling(partial(file_uri, flow.namespace)),
            **{name: partial(_answer, fetched, place, name) for name in (*READ, *ASK)},
        }

    def fetch(self, execution: Object, missing: NotLoaded) -> None:
        """See to what an execution's decision lacks; ``ready`` is told when it is there."""
        call = missing.wanted
        assert isinstance(call, Call)
        fetched = self._memories.of(execution["metadata"]["uid"], _Fetched)
        if call not in fetched.fetching:
            fetched.fetching.add(call)
            task = asyncio.create_task(self._fetch(execution, call, fetched))
            self._tasks.add(task)  # the loop itself keeps no task alive
            task.add_done_callback(self._tasks.discard)

    def done(self, execution: Object) -> None:
        """Take in that what was decided is done: the next decision reads anew."""
        fetched = self._memories.look(execution["metadata"]["uid"], _Fetched)
        if fetched is not None:
            fetched.clear()

    async def _fetch(self, execution: Object, call: Call, fetched: _Fetched) -> None:
        readers = partial(self._readers, execution, call.place)
        running = asyncio.get_running_loop().run_in_executor(
            self._threads[call.name], _called, readers, call
        )
        try:
            answer = await asyncio.wait_for(running, _SECONDS)
        except TimeoutError:
            answer = ExpressionError(f"{call.name}(): no answer within {_SECONDS:.0f} s")
        fetched.keep(call, answer)
        fetched.fetching.discard(call)
        self._ready(execution)


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
    """Wrap a function, so that its failures are those of the expression."""

    def call(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except (StorageError, TaskFailure) as error:
            raise ExpressionError(str(error)) from None

    return call
