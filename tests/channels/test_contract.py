"""One contract for every door and for the fake that stands for them in other tests.

Whatever a platform does with its requests, each customer is answered once for each message, in order, and what is not
the platform's leaves nothing behind. One bridge for each door serves all the scenes, each with customers of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.database import MessageRow
from bot.message import Speaker
from tests import databases
from tests.channels.doors import DOORS, Door
from tests.channels.stage import INTERVAL

pytestmark = pytest.mark.slow

PUSHING = [name for name in DOORS if name not in ("web", "wechat-passive")]
FORGED = {"web": 401, "wechat": 403, "wechat-passive": 403, "telegram-polling": 404, "telegram-webhook": 403}

Play = Callable[[Coroutine[Any, Any, None]], None]
Scene = tuple[Door, Play]


@pytest.fixture(scope="module")
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A door that is open, and how to play before it."""
    folder: Path = tmp_path_factory.mktemp("contract")
    with asyncio.Runner() as runner:

        async def begin() -> tuple[Door, AsyncExitStack]:
            door, stack = DOORS[request.param](databases.sqlite(folder)), AsyncExitStack()
            await stack.enter_async_context(door.open())
            return door, stack

        door, stack = runner.run(begin())
        yield door, runner.run
        runner.run(stack.aclose())


def over(*names: str) -> pytest.MarkDecorator:
    """The doors that a scene is played before."""
    return pytest.mark.parametrize("scene", names or list(DOORS), indirect=True)


@over()
def test_duplicates_are_answered_once(scene: Scene) -> None:
    door, play = scene

    async def duplicates() -> None:
        door.copies = 3
        for text in ("一", "二"):
            for who in ("d1", "d2"):
                await door.say(who, text)
        door.copies = 1
        for who in ("d1", "d2"):
            await door.hears(who, "一", "二")
        assert sorted(door.bridge.dialogue.asked) == ["一", "一", "二", "二"]

    play(duplicates())


@over()
def test_what_comes_the_wrong_way_round_is_answered_all_the_same(scene: Scene) -> None:
    door, play = scene

    async def reordered() -> None:
        await door.swapped("r", "早", "晚")
        async with asyncio.timeout(20):
            while len(await door.heard("r")) < 2:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.1)
        assert sorted(await door.heard("r")) == ["您说的是：早", "您说的是：晚"]

    play(reordered())


@over(*FORGED)
def test_the_forged_is_refused_and_leaves_nothing(scene: Scene, request: pytest.FixtureRequest) -> None:
    door, play = scene

    async def forged() -> None:
        before = await door.bridge.conversations.heads(range(1, 100))
        assert await door.forged() == FORGED[request.node.callspec.params["scene"]]
        assert await door.bridge.conversations.heads(range(1, 100)) == before

    play(forged())


@over()
def test_what_is_not_supported_stops_nothing(scene: Scene) -> None:
    door, play = scene

    async def unsupported() -> None:
        await door.unsupported("u")
        await door.say("u", "还在吗")
        await door.hears("u", "还在吗")

    play(unsupported())


@over(*PUSHING)
def test_being_throttled_delays_and_loses_nothing(scene: Scene) -> None:
    door, play = scene

    async def throttled() -> None:
        door.throttle(True)
        await door.say("t", "一")
        await until_stored(door, "t", lambda delivery, error: delivery == "queued" and "throttled" in error)
        assert await door.heard("t") == []
        await door.say("t", "二")
        door.throttle(False)
        await asyncio.sleep(0.3)
        assert await door.heard("t") == [], "not before the platform allows it"
        await door.hurry()
        await door.hears("t", "一", "二")

    play(throttled())


@over(*PUSHING)
def test_the_blocked_is_told_why_and_delivered_when_the_customer_is_back(scene: Scene) -> None:
    door, play = scene

    async def blocked() -> None:
        door.block(True)
        await door.say("b", "一")
        await until_stored(door, "b", lambda delivery, error: delivery == "failed" and bool(error))
        assert [letter.text for letter in await door.bridge.letters.page()] == ["您说的是：一"]
        door.block(False)
        await door.say("b", "二")
        await door.hears("b", "一", "二")
        assert await door.bridge.letters.page() == []

    play(blocked())


@over()
def test_a_slow_platform_or_answer_holds_back_nobody_else(scene: Scene) -> None:
    door, play = scene

    async def slow() -> None:
        door.slow(0.3)
        first = asyncio.create_task(door.say("s1", f"慢 {INTERVAL * 1.2:g}"))
        await asyncio.sleep(0.05)
        await door.say("s2", "快")
        await door.hears("s2", "快")
        assert await door.heard("s1") == []
        await first
        await door.hears("s1", f"慢 {INTERVAL * 1.2:g}")
        door.slow(0)

    play(slow())


@over()
def test_a_restart_in_the_middle_loses_and_doubles_nothing(scene: Scene) -> None:
    door, play = scene

    async def restarted() -> None:
        saying = asyncio.create_task(door.say("x", f"问 {INTERVAL * 0.5:g}"))
        await asyncio.sleep(INTERVAL * 0.25)
        await door.bridge.stop()
        await door.bridge.start()
        await saying
        await door.hears("x", f"问 {INTERVAL * 0.5:g}")
        await door.say("x", "后来")
        await door.hears("x", f"问 {INTERVAL * 0.5:g}", "后来")

    play(restarted())


async def until_stored(door: Door, who: str, right: Callable[[str, str], bool]) -> None:
    """Until the last reply to the customer is stored so."""
    async with asyncio.timeout(20):
        while True:
            conversation = await door.bridge.conversations.find(*door.address(who))
            if conversation is not None:
                async with door.bridge.database.read() as session:
                    found = await session.execute(
                        select(MessageRow.delivery, MessageRow.delivery_error)
                        .where(MessageRow.conversation_id == conversation, MessageRow.speaker == Speaker.BOT)
                        .order_by(MessageRow.seq.desc())
                    )
                    if (row := found.first()) is not None and right(row.delivery, row.delivery_error or ""):
                        return
            await asyncio.sleep(0.05)
