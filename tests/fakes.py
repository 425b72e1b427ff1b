"""Real classes at the I/O seams."""

import asyncio
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.routing import BaseRoute

from bot.channel import Gone, Receive
from bot.message import Attachment, Button, Outbound, Reading, Turn


class ScriptedDialogue:
    """Echoes what it is asked, or gives what is `planned`; certain words make it hand off, fail, hang, say nothing, or
    wait for `release`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.planned: dict[str, Turn] = {}
        self.payloads: list[str | None] = []
        self.forgotten: list[int] = []
        self.summaries: list[str] = []
        self.thinking = asyncio.Event()
        self.release = asyncio.Event()
        self.read: Reading | None = None

    async def ask(self, conversation: int, seq: int, text: str, payload: str | None = None) -> Turn:
        self.asked.append(text)
        self.payloads.append(payload)
        if text in self.planned:
            return self.planned[text]
        if text == "转人工":
            return Turn((Outbound("正在为您转接人工客服。"),), handoff="customer asked")
        if text == "坏":
            raise ConnectionError("refused")
        if text == "卡":
            await asyncio.sleep(60)
        if text == "哑":
            return Turn(())
        if text == "选":
            return Turn((Outbound("请选择", (Button("查电费", "/query_bill"),)),))
        if text == "慢":
            self.thinking.set()
            await self.release.wait()
        return Turn((Outbound(f"您说的是：{text}"),), reading=self.read)

    async def forget(self, conversation: int, summary: str = "") -> None:
        self.forgotten.append(conversation)
        self.summaries.append(summary)


class RememberingDesk:
    """Keeps what it was given; the number of a ticket is its place in the list."""

    def __init__(self) -> None:
        self.opened: list[tuple[int, int, str]] = []
        self.arrivals: list[tuple[int, int]] = []

    async def open(self, session: AsyncSession, conversation: int, seq: int, reason: str) -> str:
        self.opened.append((conversation, seq, reason))
        return f"已为您登记，工单号 {len(self.opened)}。"

    async def arrived(self, session: AsyncSession, conversation: int, seq: int) -> None:
        self.arrivals.append((conversation, seq))


class RememberingChannel:
    """Remembers what it sent; `failures` are raised first, one for each try; sending takes `delay` seconds."""

    def __init__(self, name: str = "web") -> None:
        self.name = name
        self.pushes = True
        self.sent: list[tuple[str, str]] = []
        self.failures: list[Exception] = []
        self.delay = 0.0
        self.started = 0
        self.keys: list[str] = []
        self.fails_at: set[int] = set()
        self.held: dict[str, bytes] = {}

    def routes(self, receive: Receive) -> Sequence[BaseRoute]:
        return []

    async def run(self, receive: Receive) -> None:
        """Nothing to do."""

    async def check(self) -> None:
        """Always known."""

    async def media(self, attachment: Attachment) -> bytes:
        if attachment.source not in self.held:
            raise Gone("没有了")
        return self.held[attachment.source]

    def parts(self, message: Outbound) -> Sequence[Outbound]:
        return [Outbound(text) for text in message.text.split("|")]

    async def send(self, recipient: str, message: Outbound) -> None:
        self.keys.append(message.key)
        self.started += 1
        await asyncio.sleep(self.delay)
        if self.started in self.fails_at:
            raise ConnectionError("down")
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((recipient, message.text))
