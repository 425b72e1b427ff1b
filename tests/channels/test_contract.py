"""One contract for every door and for the fake that stands for them in other tests.

Whatever a platform does with its requests, each customer is answered once for each message, in order, and what is not
the platform's leaves nothing behind. One bridge for each door serves all the scenes, each with customers of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from bot.channel import Throttled, Undeliverable
from bot.database import MessageRow
from bot.message import Delivery, Inbound, Speaker
from channels.webchat.channel import Webchat
from tests import databases
from tests.channels.stage import INTERVAL, Bridge, TelegramStage, WeChatStage, served
from tests.fakes import RememberingChannel
from tests.product import free_port

pytestmark = pytest.mark.slow

SECRET = "a secret of the tests"


class Door:
    """What customers and platform do, in words that fit every protocol; `copies` of each message come at once."""

    name: str
    bridge: Bridge
    pushes = True
    copies = 1

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Platform and bridge run as long as the block."""
        await self.bridge.start()
        yield
        await self.bridge.stop()

    async def say(self, who: str, text: str) -> None:
        """A customer writes; returns when the platform is done with it or goes on by itself."""
        raise NotImplementedError

    async def heard(self, who: str) -> list[str]:
        """What the customer's phone shows from us."""
        raise NotImplementedError

    async def swapped(self, who: str, first: str, second: str) -> None:
        """Two messages arrive the wrong way round: the second, with the higher number, comes first."""
        raise NotImplementedError

    async def forged(self) -> int:
        """The status that answers somebody who is not the platform."""
        raise NotImplementedError

    async def unsupported(self, who: str) -> None:
        """Something of the platform that we do not handle."""

    def throttle(self, on: bool) -> None:
        """The platform asks to wait."""

    def block(self, on: bool) -> None:
        """The customer, or the platform, takes nothing from us."""

    def slow(self, seconds: float) -> None:
        """Every send takes so long."""

    async def fetch(self, who: str) -> None:
        """Where nothing can be pushed, the customer asks for what waits."""

    def address(self, sender: str) -> tuple[str, str]:
        """Channel and sender as they are stored."""
        return self.name, sender

    async def hears(self, who: str, *texts: str, within: float = 25) -> None:
        """Until the phone shows these answers; fails if it shows anything else, or one of them twice."""
        wanted = [f"您说的是：{text}" for text in texts]
        async with asyncio.timeout(within):
            while (found := await self.heard(who)) != wanted and len(found) < len(wanted):
                await asyncio.sleep(0.05)
                await self.fetch(who)
        await asyncio.sleep(0.1)
        assert await self.heard(who) == wanted

    async def hurry(self) -> None:
        """What waits for its next try is due now."""
        async with self.bridge.database.write() as session:
            await session.execute(
                update(MessageRow)
                .where(MessageRow.delivery == Delivery.QUEUED)
                .values(delivery_due=datetime.now(UTC) - timedelta(seconds=1))
            )
        self.bridge.bell.ring("outbox")


class Fake(Door):
    name = "fake"

    def __init__(self, url: str) -> None:
        self.bridge = Bridge(url, free_port(), lambda bridge: self.channel)
        self.channel = RememberingChannel(self.name)
        self._ids = count()

    async def say(self, who: str, text: str) -> None:
        await self._give(who, next(self._ids), text)

    async def _give(self, who: str, id: int, text: str) -> None:
        inbound = Inbound(self.name, who, str(id), text, datetime.now(UTC))
        await asyncio.gather(*(self.bridge.conversations.accept(inbound) for _ in range(self.copies)))

    async def heard(self, who: str) -> list[str]:
        return [text for recipient, text in self.channel.sent if recipient == who]

    async def swapped(self, who: str, first: str, second: str) -> None:
        early, late = next(self._ids), next(self._ids)
        await self._give(who, late, second)
        await self._give(who, early, first)

    def throttle(self, on: bool) -> None:
        self.channel.failures = [Throttled(60)] if on else []

    def block(self, on: bool) -> None:
        self.channel.failures = [Undeliverable("blocked")] if on else []

    def slow(self, seconds: float) -> None:
        self.channel.delay = seconds


class Web(Door):
    name = "web"
    pushes = False

    def __init__(self, url: str) -> None:
        self.bridge = Bridge(url, free_port(), self._door)
        self._tokens: dict[str, str] = {}
        self._ids = count()

    async def _position(self, conversation: int) -> int | None:
        return None

    def _door(self, bridge: Bridge) -> Webchat:
        return Webchat(bridge.conversations, bridge.bell, SECRET, self._position, bridge.files)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.bridge.port}", timeout=20) as self._http:
            async with super().open():
                yield

    async def _post(self, who: str, frame: dict[str, str]) -> None:
        if who not in self._tokens:
            self._tokens[who] = (await self._http.post("/chat/session")).json()["token"]
        asked = {"token": self._tokens[who]}
        await asyncio.gather(*(self._http.post("/chat/messages", params=asked, json=frame) for _ in range(self.copies)))

    async def say(self, who: str, text: str) -> None:
        await self._post(who, {"type": "message", "id": str(next(self._ids)), "text": text})

    async def heard(self, who: str) -> list[str]:
        asked = {"token": self._tokens[who], "after": "0"}
        frames = (await self._http.get("/chat/messages", params=asked)).json()["messages"]
        return [one["text"] for one in frames if one["type"] == "message" and one["from"] != "customer"]

    async def swapped(self, who: str, first: str, second: str) -> None:
        early, late = next(self._ids), next(self._ids)
        await self._post(who, {"type": "message", "id": str(late), "text": second})
        await self._post(who, {"type": "message", "id": str(early), "text": first})

    async def forged(self) -> int:
        frame = {"type": "message", "id": "1", "text": "停电了"}
        return (await self._http.post("/chat/messages", params={"token": "forged"}, json=frame)).status_code

    async def unsupported(self, who: str) -> None:
        await self._post(who, {"type": "dance", "id": "1"})


class WeChat(Door):
    name = "wechat"

    def __init__(self, url: str, passive: bool = False) -> None:
        self.stage = WeChatStage(url, passive)
        self.stage.platform.faults.mode = "aes"
        self.bridge, self.platform, self.pushes = self.stage.bridge, self.stage.platform, not passive

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with served(self.platform.app(), self.stage._platform_port), super().open():
            yield
        await self.platform.close()

    async def say(self, who: str, text: str) -> None:
        self.platform.faults.copies = self.copies
        await self.platform.say(who, text)

    async def heard(self, who: str) -> list[str]:
        return self.platform.heard(who)

    async def swapped(self, who: str, first: str, second: str) -> None:
        early, late = next(self.platform._ids), next(self.platform._ids)
        await self.platform.push(who, {"MsgType": "text", "Content": second, "MsgId": late})
        await self.platform.push(who, {"MsgType": "text", "Content": first, "MsgId": early})

    async def forged(self) -> int:
        xml = self.platform.xml("forger", {"MsgType": "text", "Content": "停电了", "MsgId": 1})
        query, body = self.platform.signed(xml)
        async with httpx.AsyncClient() as http:
            url = f"http://127.0.0.1:{self.bridge.port}/wechat"
            return (await http.post(url, params={**query, "msg_signature": "0" * 40}, content=body)).status_code

    async def unsupported(self, who: str) -> None:
        await self.platform.push(who, {"MsgType": "event", "Event": "TEMPLATESENDJOBFINISH", "Status": "success"})

    async def fetch(self, who: str) -> None:
        if not self.pushes:
            await self.platform.push(who, {"MsgType": "text", "Content": "结果", "MsgId": next(self.platform._ids)})

    def throttle(self, on: bool) -> None:
        self.platform.faults.throttled = on

    def block(self, on: bool) -> None:
        self.platform.faults.closed = on

    def slow(self, seconds: float) -> None:
        self.platform.faults.slow = seconds


class Telegram(Door):
    name = "telegram"

    def __init__(self, url: str, webhook: bool = False) -> None:
        self.stage = TelegramStage(url, webhook)
        self.bridge, self.platform, self.webhook = self.stage.bridge, self.stage.platform, webhook

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with served(self.platform.app(), self.stage._platform_port), super().open():
            yield
        await self.platform.close()

    async def say(self, who: str, text: str) -> None:
        self.platform.faults.copies = self.copies
        self.platform.say(who, text)
        if self.webhook:
            # Telegram gives a chat's updates one after the other
            await asyncio.sleep(0.1)

    async def heard(self, who: str) -> list[str]:
        return self.platform.heard(who)

    async def swapped(self, who: str, first: str, second: str) -> None:
        self.platform.faults.reorder = True
        self.platform.say(who, first)
        self.platform.say(who, second)
        self.platform.faults.reorder = False

    async def forged(self) -> int:
        message = {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "text": "停电了"}
        async with httpx.AsyncClient() as http:
            url = f"http://127.0.0.1:{self.bridge.port}/telegram"
            headers = {"X-Telegram-Bot-Api-Secret-Token": "guessed"}
            answer = await http.post(url, json={"update_id": 1, "message": message}, headers=headers)
            return answer.status_code

    async def unsupported(self, who: str) -> None:
        self.platform.say(who, sticker={"file_id": "f"})
        self.platform._give({"something_new": {"x": 1}})

    def throttle(self, on: bool) -> None:
        self.platform.faults.throttled = 60 if on else 0

    def block(self, on: bool) -> None:
        self.platform.faults.blocked = on

    def slow(self, seconds: float) -> None:
        self.platform.faults.slow = seconds

    def address(self, sender: str) -> tuple[str, str]:
        return self.name, str(self.platform.person(sender))


DOORS: dict[str, Callable[[str], Door]] = {
    "fake": Fake,
    "web": Web,
    "wechat": WeChat,
    "wechat-passive": lambda url: WeChat(url, passive=True),
    "telegram-polling": Telegram,
    "telegram-webhook": lambda url: Telegram(url, webhook=True),
}
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
        assert [letter.text for letter in await door.bridge.outbox.dead_letters()] == ["您说的是：一"]
        door.block(False)
        await door.say("b", "二")
        await door.hears("b", "一", "二")
        assert await door.bridge.outbox.dead_letters() == []

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
