"""Passive replies: for accounts without the customer-service API, answers ride on the platform's own requests.

The platform waits 5 seconds, and gives an unanswered message three times. An answer that comes within 4.5 seconds of a
try goes out at once; before the third try we keep silent so that the next one comes; at the third the customer is told
to write again. Whatever they write later fetches what waits; a new question also gets its own answer, each marked with
the question it belongs to.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from bot.bell import Bell, conversation_topic
from bot.carry import Carrier, Load, Rider
from bot.message import Outbound, Receipt, Turn
from channels.rendering import as_text, split, utf8_size

TRIES = 3
LATER = "查询中，请稍后回复任意内容获取结果"
MORE = "还有内容，请回复任意内容继续查看。"
LONGEST = 2048
NAME = "wechat"
RESULTS = frozenset("结果 查询结果 看结果 查看 查看结果 获取 获取结果".split())
FETCHES = RESULTS | frozenset(
    "1 好 好的 好吧 嗯 嗯嗯 哦 行 可以 收到 知道了 任意 任意内容 回复 继续 等 等等 在吗 在 谢谢 ok ? ？ . 。".split()
)


class Passive:
    """Decides what each try of the platform is answered."""

    def __init__(
        self,
        carrier: Carrier,
        bell: Bell,
        interval: float = 5.0,
        margin: float = 0.5,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`interval`: seconds the platform waits for each try; we answer `margin` before. `clock` in Unix seconds."""
        self._carrier = carrier
        self._bell = bell
        self._interval = interval
        self._margin = margin
        self._clock = clock

    async def answer(self, receipt: Receipt, created: float) -> str | None:
        """The text for this try, "" when there is nothing to say, None to let the platform try again.

        `created` is the platform's time of the message, in Unix seconds: a try that comes two intervals later is the
        last one, also when we were down during one before.
        """
        begun = time.monotonic()
        with self._bell.listen(conversation_topic(receipt.conversation)) as rings:
            while True:
                ready, tries = await self._carrier.state(receipt.conversation, receipt.seq)
                left = begun + self._interval - self._margin - time.monotonic()
                if ready or left <= 0:
                    break
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, 1.0)):
                        await rings.get()
        last = tries >= TRIES or self._clock() - created >= 2 * self._interval + self._interval - 2 * self._margin
        if ready or last:
            return await self._carrier.pack(receipt.conversation, receipt.seq, pack)
        await asyncio.sleep(max(begun + self._interval + self._margin - time.monotonic(), 0))
        return None

    async def shortcut(self, conversation: int, text: str) -> Turn | None:
        """A word that only fetches what waits needs no turn; asked for a result that may be lost, we give it again."""
        word = text.strip().lower()
        if word in FETCHES and await self._carrier.waiting(conversation, NAME):
            return Turn(())
        if word in RESULTS and (again := await self._carrier.doubtful(conversation, NAME)):
            return Turn((Outbound(again),))
        return None


def pack(riders: Sequence[Rider], without_answer: bool) -> Load:
    """One text of what waits, at most `LONGEST` bytes; what does not fit waits on. Raises nothing."""
    marked = len({rider.question for rider in riders if rider.question is not None}) > 1 or (
        without_answer and bool(riders)
    )
    room = LONGEST - utf8_size(LATER if without_answer else MORE) - 2
    pieces: list[str] = []
    taken: dict[int, int | None] = {}
    asked: str | None = None
    for rider in riders:
        parts = split(as_text(rider.outbound), LONGEST // 2, utf8_size)
        for number in range(rider.parts, len(parts)):
            heading = f"您问的“{_short(rider.question)}”：\n" if marked and rider.question not in (None, asked) else ""
            piece = heading + parts[number]
            if utf8_size("\n\n".join([*pieces, piece])) > room:
                return Load("\n\n".join([*pieces, LATER if without_answer else MORE]), taken)
            pieces.append(piece)
            asked = rider.question
            taken[rider.id] = number + 1 if number + 1 < len(parts) else None
    if without_answer:
        pieces.append(LATER)
    return Load("\n\n".join(pieces), taken)


def _short(text: str | None) -> str:
    flat = " ".join((text or "").split())
    return flat if len(flat) <= 20 else flat[:20] + "…"
