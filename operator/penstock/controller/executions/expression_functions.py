"""The functions of expressions that read something, for the executions of a cluster.

The engine decides at once and waits for nothing. So a function that has to look at the storage, or
to ask a server, gives what was fetched before, and else says what it wants (``NotLoaded``): that is
fetched in a thread when its tenant's turn has come, and then the decision is made anew. What was
fetched counts until what was decided with it is done, so a decision that is made twice is the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from penstock.controller.executions.expression_calls import Calls, Interruption
from penstock.controller.executions.held_answers import HeldAnswers, size_of
from penstock.controller.keyvalues.index import expression_kv
from penstock.controller.runtime.execution_memory import ExecutionMemories
from penstock.controller.runtime.outcomes import NotListed
from penstock.engine.interface.identity import Identity
from penstock.engine.rendering.evaluation import HostFunctions
from penstock.expressions import ExpressionError, NotLoaded
from penstock.flow.document import Flow
from penstock.kubernetes.api.client import Object
from penstock.storage.errors import StorageError
from penstock.storage.functions import file_uri
from penstock.storage.kv import Readable
from penstock.storage.uris import ExecutionPlace
from penstock.tasks.contract.task import TaskFailure

Readers = Mapping[str, Callable[..., Any]]
"""How functions read, by name. They are called in a thread; what they raise is an
``ExpressionError``, ``StorageError`` or ``TaskFailure``."""

READ = ("read", "fileSize", "fileExists", "isFileEmpty", "fileEmpty")
ASK = ("http",)
SECONDS = 12.0
"""How long one call may take from the beginning of its turn."""
READS, READS_PER_TENANT = 6, 2
"""Files that are read at once."""
ASKS, ASKS_PER_TENANT = 16, 4
"""Servers that are asked at once: a thread that waits costs little, but each may hold an answer."""
_MAX_CALLS = 256
_MAX_BYTES = 32 * 1024 * 1024
"""What the answers of one execution take in memory, about."""
_MAX_ARGUMENTS = 128 * 1024
"""Characters of the arguments of one call, which are kept while it waits for its turn."""


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
    """Bytes that the answers take in memory."""
    give_back: Callable[[int], object] = lambda size: None
    """Told of what they do not take any more."""
    under_way: dict[Call, asyncio.Task[None]] = field(default_factory=dict)
    """The calls that wait for their turn or their answer."""

    def keep(self, call: Call, answer: Any, size: int) -> None:
        self.answers[call] = answer
        self.size += size

    def close(self) -> None:
        """Let the next decision read anew. What is under way is given up: something was decided
        without it, or the execution has ended or is gone."""
        self.answers.clear()
        self.give_back(self.size)
        self.size = 0
        under_way, self.under_way = self.under_way, {}
        for task in under_way.values():
            task.cancel()

    @property
    def is_full(self) -> bool:
        return len(self.answers) >= _MAX_CALLS or self.size > _MAX_BYTES


class ExpressionFunctions:
    """The functions of all executions."""

    def __init__(
        self,
        memories: ExecutionMemories,
        readers: Callable[[Object, ExecutionPlace, Interruption], Readers],
        ready: Callable[[Object], None],
        keyvalues: Callable[[str], Readable],
    ) -> None:
        """``ready`` is told of an execution that can be decided again; ``keyvalues`` gives the
        key-value pairs of a tenant."""
        self._memories = memories
        self._readers = readers
        self._ready = ready
        self._keyvalues = keyvalues
        self._held = HeldAnswers()
        self._tasks: set[asyncio.Task[None]] = set()
        # Servers that keep everybody waiting must not keep the storage's readers waiting.
        self._calls = {
            **dict.fromkeys(READ, Calls("penstock-read", READS, READS_PER_TENANT)),
            **dict.fromkeys(ASK, Calls("penstock-ask", ASKS, ASKS_PER_TENANT)),
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
            "kv": expression_kv(self._keyvalues(tenant), flow.namespace),
            "fileURI": _telling(partial(file_uri, flow.namespace)),
            **{name: partial(_answer, fetched, place, name) for name in (*READ, *ASK)},
        }

    def fetch(self, execution: Object, missing: NotLoaded) -> None:
        """See to what an execution's decision lacks; ``ready`` is told when it is there. Raises
        ``NotListed`` for what a list will bring."""
        call = missing.wanted
        if isinstance(call, NotListed):
            raise call
        assert isinstance(call, Call)
        uid = execution["metadata"]["uid"]
        if self._memories.is_forgotten(uid):  # deleted while it was decided
            return
        fetched = self._memories.of(uid, _Fetched)
        fetched.give_back = partial(self._held.give_back, execution["metadata"]["namespace"])
        if call not in fetched.under_way:
            task = asyncio.create_task(self._fetch(execution, call, fetched))
            fetched.under_way[call] = task
            self._tasks.add(task)  # the loop itself keeps no task alive
            task.add_done_callback(self._tasks.discard)

    def done(self, execution: Object) -> None:
        """Take in that what was decided is done: the next decision reads anew."""
        fetched = self._memories.look(execution["metadata"]["uid"], _Fetched)
        if fetched is not None:
            fetched.close()

    async def _fetch(self, execution: Object, call: Call, fetched: _Fetched) -> None:
        calls, tenant = self._calls[call.name], execution["metadata"]["namespace"]
        read = partial(_called, partial(self._readers, execution, call.place), call)
        try:
            answer, size = await calls.answer(tenant, read, SECONDS)
        except TimeoutError:
            answer = ExpressionError(f"{call.name}(): no answer within {SECONDS:.0f} s")
            size = 0
        if not self._held.take(tenant, size):
            told = "the executions of this Kubernetes namespace read too much at once"
            answer, size = ExpressionError(f"{call.name}(): {told}; let a task read it"), 0
        del fetched.under_way[call]
        fetched.keep(call, answer, size)
        self._ready(execution)


def _answer(fetched: _Fetched, place: ExecutionPlace, name: str, *args: Any, **named: Any) -> Any:
    try:
        call = Call(name, json.dumps([args, named], sort_keys=True), place)
    except (TypeError, ValueError):
        raise ExpressionError(f"{name}(): an argument is no JSON value") from None
    if len(call.arguments) > _MAX_ARGUMENTS:
        raise ExpressionError(
            f"{name}(): the arguments have more than {_MAX_ARGUMENTS} characters; let a task do it"
        )
    if call in fetched.answers:
        answer = fetched.answers[call]
        if isinstance(answer, ExpressionError):
            raise ExpressionError(answer.message)
        return answer
    if fetched.is_full:
        raise ExpressionError(f"{name}(): too much is read at once; let a task read it")
    raise NotLoaded(call)


def _called(
    readers: Callable[[Interruption], Readers], call: Call, interruption: Interruption
) -> tuple[Any, int]:
    """Call a function. Returns its value, or why there is none, and how much memory that takes."""
    args, named = json.loads(call.arguments)
    try:
        answer = _telling(readers(interruption)[call.name])(*args, **named)
    except ExpressionError as error:
        answer = error
    except Exception as error:  # such as an argument too many
        answer = ExpressionError(f"`{call.name}()` failed: {error}")
    held = answer.message if isinstance(answer, ExpressionError) else answer
    return answer, len(call.arguments) + size_of(held)


def _telling(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function, so that its failures are those of the expression."""

    def call(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except (StorageError, TaskFailure) as error:
            raise ExpressionError(str(error)) from None

    return call
