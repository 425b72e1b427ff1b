"""Real classes at the I/O seams."""

import asyncio

from bot.message import Outbound, Turn


class ScriptedDialogue:
    """Echoes what it is asked; certain words make it hand off, fail, hang, say nothing, or wait for `release`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.thinking = asyncio.Event()
        self.release = asyncio.Event()

    async def ask(self, conversation: int, text: str) -> Turn:
        self.asked.append(text)
        if text == "转人工":
            return Turn((Outbound("正在为您转接人工客服。"),), handoff="customer asked")
        if text == "坏":
            raise ConnectionError("refused")
        if text == "卡":
            await asyncio.sleep(60)
        if text == "哑":
            return Turn(())
        if text == "慢":
            self.thinking.set()
            await self.release.wait()
        return Turn((Outbound(f"您说的是：{text}"),))
