"""Who may ask the Git service."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from penstock.git_service.door import ReviewDoor, SecretDoor, is_admitted
from penstock.kubernetes.api.client import Api, ApiError, Object, Resource

CONTROLLER = "system:serviceaccount:penstock-system:penstock"


def token(user: str = CONTROLLER, audience: Any = ("penstock-git",), signature: str = "s") -> str:
    claims = json.dumps({"sub": user, "aud": audience}).encode()
    return f"head.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{signature}"


class Reviews(Api):
    """An API server that knows tokens by what they claim, if they are signed by it."""

    def __init__(self) -> None:
        super().__init__(None)
        self.asked: list[str] = []
        self.away = False
        self.status: Object | None = None

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        assert (resource.plural, namespace) == ("tokenreviews", "")
        assert body["spec"]["audiences"] == ["penstock-git"]
        if self.away:
            raise ApiError(503, "ServiceUnavailable", "later")
        self.asked.append(body["spec"]["token"])
        if self.status is not None:
            return {"status": self.status}
        _, claims, signature = body["spec"]["token"].split(".")
        if signature == "forged":
            return {"status": {"authenticated": False, "error": "invalid signature"}}
        found = json.loads(base64.urlsafe_b64decode(claims + "=="))
        user = {"username": found["sub"]}
        return {"status": {"authenticated": True, "user": user, "audiences": found["aud"]}}


async def admitted(reviews: Reviews, shown: str) -> bool | None:
    return await is_admitted(ReviewDoor(reviews, CONTROLLER), f"Bearer {shown}")


async def test_the_controller_is_let_in() -> None:
    assert await admitted(Reviews(), token()) is True


@pytest.mark.parametrize(
    "shown",
    [
        token(user="system:serviceaccount:team:tenant"),
        token(audience=("https://kubernetes.default.svc",)),
        token(audience=()),
        "", "x", "a.b", "a.b.c", "a.e30.c", f"head.{'W' * 20_000}.s", token() + ".more",
    ],
)  # fmt: skip
async def test_what_says_of_itself_that_it_is_no_such_token_is_not_even_asked_about(
    shown: str,
) -> None:
    reviews = Reviews()
    assert await admitted(reviews, shown) is False
    assert reviews.asked == []


async def test_a_forged_token_is_refused() -> None:
    reviews = Reviews()
    assert await admitted(reviews, token(signature="forged")) is False
    assert len(reviews.asked) == 1


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"authenticated": True},
        {"authenticated": True, "user": {"username": CONTROLLER}},
        {"authenticated": True, "user": {"username": CONTROLLER}, "audiences": ["other"]},
        {"authenticated": True, "user": {"username": "other"}, "audiences": ["penstock-git"]},
    ],
)
async def test_it_is_the_api_server_that_says_who_it_is(status: Object) -> None:
    reviews = Reviews()
    reviews.status = status
    assert await admitted(reviews, token()) is False


async def test_what_was_said_counts_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    now = [1000.0]
    monkeypatch.setattr("penstock.kubernetes.api.reviews.time.monotonic", lambda: now[0])
    reviews = Reviews()
    door = ReviewDoor(reviews, CONTROLLER)
    # when
    for seconds in (0, 30, 29, 2):
        now[0] += seconds
        assert await door.admits(token(), "10.0.0.1")
    # then
    assert len(reviews.asked) == 2


async def test_who_shows_forged_tokens_keeps_the_controller_not_waiting() -> None:
    # given: an API server that thinks about each token, and somebody who shows many
    thinking = asyncio.Event()

    class Slow(Reviews):
        async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
            if body["spec"]["token"].endswith("forged"):
                await thinking.wait()
            return await super().create(resource, namespace, body)

    door = ReviewDoor(Slow(), CONTROLLER)
    forged = [
        asyncio.create_task(door.admits(f"{number}{token(signature='forged')}", "10.6.6.6"))
        for number in range(50)
    ]
    await asyncio.sleep(0)
    # then
    async with asyncio.timeout(2):
        assert await door.admits(token(), "10.0.0.1")
    thinking.set()
    assert not any(await asyncio.gather(*forged))


async def test_while_the_api_server_is_away_nobody_knows() -> None:
    reviews = Reviews()
    reviews.away = True
    assert await admitted(reviews, token()) is None


async def test_a_controller_that_started_the_service_shows_its_secret() -> None:
    door = SecretDoor("word")
    assert await is_admitted(door, "Bearer word") is True
    for shown in ("Bearer other", "Bearer ", "Basic word", "word", "", "Bearer wörd"):
        assert await is_admitted(door, shown) is False
