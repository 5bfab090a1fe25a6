"""A tenant who writes whatever might stop the controller, into a namespace of their own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any

from e2e.apiserver.hostile_objects import Written
from e2e.apiserver.raw import send, to_text
from penstock.kubernetes.api.client import (
    JOBS,
    PODS,
    Api,
    ApiError,
    Object,
)
from penstock.kubernetes.api.labels import EXECUTION_UID
from penstock.resources import API_VERSION, GROUP
from tests.fixtures.pods import ended, pod_of

_POLL = 0.2


class Tenant:
    """Makes, changes and deletes objects; what they say was drawn before."""

    def __init__(self, api: Api, namespace: str, random: Random, odd: Sequence[Any]) -> None:
        self._api = api
        self._namespace = namespace
        self._random = random
        self._odd = odd
        """What is put in the place of something else."""
        self._made: list[Written] = []
        self.victims: list[Object] = []
        """Executions of somebody else, of which Jobs and pods pretend to be attempts."""
        self.answers: Counter[int] = Counter()
        """What the API server said, by HTTP status."""

    async def write(self, written: Written) -> None:
        """Make an object; or change or delete one that was made before."""
        if written.resource in (JOBS, PODS) and self.victims:
            self._pretend(written.body)
        act = self._random.choices((self._create, self._change, self._delete), (7, 3, 1))[0]
        await act(written)

    async def _create(self, written: Written) -> None:
        """Make an object, in the place of one that has the name."""
        status = await self._send("POST", written)
        if status == 409:
            await self._send("DELETE", written)
            status = await self._send("POST", written)
        if status == 201:
            self._made.append(written)

    async def _change(self, written: Written) -> None:
        """Put something odd in the place of anything that an object says."""
        if not self._made:
            return await self._create(written)
        chosen = self._random.choice(self._made)
        body: Object = {"metadata": {"name": chosen.name}}
        if chosen.resource.group != GROUP or self._random.random() < 0.2:
            body["metadata"]["annotations"] = written.body["metadata"]["annotations"]
        else:  # the API server takes seconds to refuse a pod that is nested deep
            body["spec"] = self._mutated(chosen.body["spec"])
        await self._send("PATCH", Written(chosen.resource, body))

    async def _delete(self, written: Written) -> None:
        """Delete an object of any kind that was made before."""
        await self._send("DELETE", self._random.choice(self._made) if self._made else written)

    async def _send(self, verb: str, written: Written) -> int:
        name = "" if verb == "POST" else written.name
        text = "" if verb == "DELETE" else to_text(written.body)
        status, _ = await send(self._api, verb, written.resource, self._namespace, text, name)
        self.answers[status] += 1
        return status

    def _mutated(self, value: Any) -> Any:
        """A copy in which one thing is another."""
        inside = (
            list(value) if isinstance(value, dict)
            else range(len(value)) if isinstance(value, list)
            else ()
        )  # fmt: skip
        if not inside or self._random.random() < 0.2:
            if isinstance(value, list) and value and self._random.random() < 0.5:
                return value * 50
            return self._random.choice(self._odd)
        place = self._random.choice(list(inside))
        copy = value.copy()
        copy[place] = self._mutated(value[place])
        return copy

    def _pretend(self, body: Object) -> None:
        victim = self._random.choice(self.victims)["metadata"]
        meta = body["metadata"]
        meta["labels"] = {**meta["labels"], EXECUTION_UID: victim["uid"]}
        owner = {"apiVersion": API_VERSION, "kind": "Execution", "controller": True}
        meta["ownerReferences"] = [{**owner, "name": victim["name"], "uid": victim["uid"]}]


class HostilePods:
    """Lets a pod follow each Job in a namespace, and end with what somebody wrote."""

    def __init__(self, api: Api, namespace: str, random: Random, messages: Sequence[str]) -> None:
        self._api = api
        self._namespace = namespace
        self._random = random
        self._messages = messages
        self._seen: set[str] = set()
        self.ended = 0
        """How many pods have."""

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            for job in await self._api.list(JOBS, self._namespace):
                if job["metadata"]["uid"] not in self._seen:
                    self._seen.add(job["metadata"]["uid"])
                    with suppress(ApiError):  # the Job is gone, or its pod is refused
                        await self._end(job)
            await asyncio.sleep(_POLL)

    async def _end(self, job: Object) -> None:
        pod = pod_of(job)
        await self._api.create(PODS, self._namespace, pod)
        status = ended(self._random.choice((0, 0, 0, 1, 137)))
        terminated = status["containerStatuses"][0]["state"]["terminated"]
        terminated["message"] = self._random.choice(self._messages)
        name = pod["metadata"]["name"]
        await self._api.patch(PODS, self._namespace, name, {"status": status}, "status")
        self.ended += 1
