"""Every door, with the platform behind it, as the contract plays before it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx
from sqlalchemy import update

from bot.channel import Throttled, Undeliverable
from bot.database import MessageRow
from bot.message import Delivery, Inbound
from bot.settings import free_port
from channels.webchat.channel import Webchat
from tests.channels.stage import Bridge, TelegramStage, WeChatStage, served
from tests.fakes import RememberingChannel

SECRET = "a secret of the tests"


class Door(ABC):
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

    @abstractmethod
    async def say(self, who: str, text: str) -> None:
        """A customer writes; returns when the platform is done with it or goes on by itself."""

    @abstractmethod
    async def heard(self, who: str) -> list[str]:
        """What the customer's phone shows from us."""

    @abstractmethod
    async def swapped(self, who: str, first: str, second: str) -> None:
        """Two messages arrive the wrong way round: the second, with the higher number, comes first."""

    async def forged(self) -> int:
        """The status that answers somebody who is not the platform; 403 where nobody else can reach us."""
        return 403

    async def unsupported(self, who: str) -> None:
        """Something of the platform that we do not handle."""
        return

    def throttle(self, on: bool) -> None:
        """The platform asks to wait."""
        return

    def block(self, on: bool) -> None:
        """The customer, or the platform, takes nothing from us."""
        return

    def slow(self, seconds: float) -> None:
        """Every send takes so long."""
        return

    async def fetch(self, who: str) -> None:
        """Where nothing can be pushed, the customer asks for what waits."""
        return

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


class Simulated(Door):
    """Before it stands the platform of `make sim`."""

    stage: WeChatStage | TelegramStage

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with served(self.stage.platform.app(), self.stage._platform_port), super().open():
            yield
        await self.stage.platform.close()

    async def heard(self, who: str) -> list[str]:
        return self.stage.platform.heard(who)


class WeChat(Simulated):
    name = "wechat"

    def __init__(self, url: str, passive: bool = False) -> None:
        self.stage = WeChatStage(url, passive)
        self.stage.platform.faults.mode = "aes"
        self.bridge, self.platform, self.pushes = self.stage.bridge, self.stage.platform, not passive

    async def say(self, who: str, text: str) -> None:
        self.platform.faults.copies = self.copies
        await self.platform.say(who, text)

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


class Telegram(Simulated):
    name = "telegram"

    def __init__(self, url: str, webhook: bool = False) -> None:
        self.stage = TelegramStage(url, webhook)
        self.bridge, self.platform, self.webhook = self.stage.bridge, self.stage.platform, webhook

    async def say(self, who: str, text: str) -> None:
        self.platform.faults.copies = self.copies
        self.platform.say(who, text)
        if self.webhook:
            # Telegram gives a chat's updates one after the other
            await asyncio.sleep(0.1)

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
