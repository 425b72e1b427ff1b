"""A bridge with its doors and the simulated platforms, all in one event loop, over a real database and real HTTP."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from bot import menu
from bot.bell import Bell
from bot.carry import Carrier
from bot.channel import Channel
from bot.conversation import Conversations
from bot.database import Database
from bot.dead_letters import DeadLetters
from bot.files import Files
from bot.media import Media
from bot.message import Attachment, Card, Outbound, Speaker, Turn
from bot.outbox import Outbox
from bot.reply_limits import ReplyLimits
from bot.settings import TelegramSettings, WeChatSettings, free_port
from channels.simulator.telegram import TelegramPlatform
from channels.simulator.wechat import WeChatPlatform
from channels.telegram import Telegram
from channels.wechat.channel import WeChat
from channels.wechat.client import WeChatClient
from channels.wechat.passive import Passive
from tests.fakes import RememberingDesk, ScriptedDialogue

AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
INTERVAL = 1.2


class SlowDialogue(ScriptedDialogue):
    """Echoes after as many seconds as the text says ("q1 0.3"); cards by name."""

    cards: dict[str, Card] = {}

    async def ask(self, conversation: int, seq: int, text: str, payload: str | None = None) -> Turn:
        if payload is None and text in self.cards:
            self.asked.append(text)
            return Turn((Outbound(str(self.cards[text]["title"]), card=self.cards[text]),))
        with suppress(ValueError):
            await asyncio.sleep(float(text.split()[-1]))
        return await super().ask(conversation, seq, text, payload)


@asynccontextmanager
async def served(app: Any, port: int) -> AsyncIterator[str]:
    """The app on a real port for as long as the block lasts."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        server.force_exit = True
        await task


class Bridge:
    """Conversations, outbox and one door; can be stopped and started again over the same database."""

    def __init__(self, url: str, port: int, door: Callable[[Bridge], Channel], patience: float = 30) -> None:
        self.url, self.port, self._door, self._patience = url, port, door, patience
        self._temporary = tempfile.TemporaryDirectory(prefix="dianqiao-files-")
        self.folder = Path(self._temporary.name)
        self.files = Files(self.folder, "a secret of the tests")
        self.dialogue = SlowDialogue()
        self.desk = RememberingDesk()
        self._stack: list[Any] = []

    async def start(self) -> None:
        self.database, self.bell = Database(self.url), Bell()
        await self.database.migrate()
        shortcuts = [menu.shortcut]
        self.carrier = Carrier(self.database)
        self.channel: Channel
        self.conversations = Conversations(
            self.database, self.dialogue, self.desk, self.bell, self._patience, shortcuts=shortcuts
        )
        self.channel = self._door(self)
        passive = getattr(self.channel, "_passive", None)
        if passive is not None:
            shortcuts.insert(0, passive.shortcut)
        self.outbox = Outbox(self.database, [self.channel], self.bell, lease=timedelta(seconds=5))
        self.letters, self.limits = DeadLetters(self.database, self.bell), ReplyLimits(self.database)
        self.media = Media(self.database, [self.channel], self.files, self.conversations, self.bell)
        app = Starlette(routes=list(self.channel.routes(self.conversations.accept)))
        self._serving = served(app, self.port)
        await self._serving.__aenter__()
        self._tasks = [
            asyncio.create_task(self.outbox.run()),
            asyncio.create_task(self.media.run()),
            asyncio.create_task(self.channel.run(self.conversations.accept)),
        ]
        for conversation in await self.conversations.unanswered():
            self.conversations._start(self.conversations.answer(conversation))

    async def stop(self) -> None:
        """As a kill: turns in progress are lost."""
        for task in [*self._tasks, *self.conversations._turns]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self.conversations._turns, return_exceptions=True)
        await self._serving.__aexit__(None, None, None)
        await self.database.close()

    async def until(self, true: Callable[[], bool], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.01)

    async def attachment(self, channel: str, sender: str) -> Attachment:
        """What the customer sent first, once it is no longer awaited."""
        async with asyncio.timeout(20):
            while True:
                conversation = await self.conversations.find(channel, sender)
                sent = (await self.conversations.messages(conversation))[:1] if conversation else []
                if sent and not sent[0].attachments[0].awaited:
                    return sent[0].attachments[0]
                await asyncio.sleep(0.02)

    async def bot_texts(self, channel: str, sender: str) -> list[str]:
        conversation = await self.conversations.find(channel, sender)
        assert conversation is not None
        return [m.text for m in await self.conversations.messages(conversation) if m.speaker is Speaker.BOT]


class WeChatStage:
    def __init__(self, url: str, passive: bool = False, aes: bool = True) -> None:
        port, platform_port = free_port(), free_port()
        self.account = WeChatSettings(
            "token123",
            "wx0123456789abcdef",
            "secret",
            AES_KEY if aes else "",
            f"http://127.0.0.1:{platform_port}",
            passive,
        )
        self.platform = WeChatPlatform(self.account, f"http://127.0.0.1:{port}", INTERVAL)
        self._platform_port = platform_port
        self.bridge = Bridge(url, port, self._door)

    def _door(self, bridge: Bridge) -> Channel:
        if self.account.passive_only:
            # the platform's times are whole seconds, too coarse for intervals this short
            passive = Passive(bridge.carrier, bridge.bell, INTERVAL, INTERVAL / 4, clock=lambda: 0)
            return WeChat(self.account, bridge.files, passive=passive)
        client = WeChatClient(self.account.app_id, "secret", self.account.api_base)
        return WeChat(self.account, bridge.files, client=client)


class TelegramStage:
    def __init__(self, url: str, webhook: bool = False) -> None:
        port, self._platform_port = free_port(), free_port()
        secret = "hook-secret" if webhook else ""
        token, bridge = "1000001:TEST", f"http://127.0.0.1:{port}"
        self.settings = TelegramSettings(token, secret, f"http://127.0.0.1:{self._platform_port}")
        self.platform = TelegramPlatform(token, bridge if webhook else "", secret)
        self.bridge = Bridge(url, port, self._door)

    def _door(self, bridge: Bridge) -> Channel:
        return Telegram(
            self.settings, "a secret of the tests", bridge.conversations.edit, bridge.files, "https://example.org"
        )


def play(stage: WeChatStage | TelegramStage, scene: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with served(stage.platform.app(), stage._platform_port):
            await stage.bridge.start()
            try:
                await scene()
            finally:
                await stage.bridge.stop()
                await stage.platform.close()

    asyncio.run(run())
