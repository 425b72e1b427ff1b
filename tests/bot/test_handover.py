"""A handoff at any moment of a bot turn: the bot never speaks after a person took over."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from bot.conversation import Conversations
from bot.database import Database
from bot.message import Inbound, Owner, Speaker
from tests.bot.test_conversation import NOW
from tests.fakes import RememberingDesk, ScriptedDialogue

Url = Callable[[], str]


class AtStep:
    """Awaits `work` and counts its await points; at the n-th it starts `then` beside it, and goes on."""

    def __init__(self, work: Coroutine[Any, Any, None], n: int, then: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work, self._n, self._then = work, n, then
        self.steps = 0
        self.started: asyncio.Task[None] | None = None

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._work.__await__()
        value, failure = None, None
        while True:
            try:
                waited = steps.throw(failure) if failure is not None else steps.send(value)
            except StopIteration:
                return
            self.steps += 1
            if self.steps == self._n:
                self.started = asyncio.get_running_loop().create_task(self._then())
            try:
                value, failure = (yield waited), None
            except BaseException as raised:  # handed on to the work itself
                value, failure = None, raised


async def turn(database: Database, number: int, step: int) -> int:
    """One bot turn of a new customer with a handoff at `step`; returns how many await points the turn has."""
    dialogue = ScriptedDialogue()
    conversations = Conversations(database, dialogue, RememberingDesk(), patience=30)
    receipt = await conversations.receive(Inbound("web", f"c{number}", "1", "上月电费", NOW))
    taken: list[int] = []

    async def hand_off() -> None:
        async with database.write() as session:
            await conversations.take(session, receipt.conversation)
            taken.append(await conversations.reply(session, receipt.conversation, "我是人工客服"))

    watched = AtStep(conversations.answer(receipt.conversation), step, hand_off)

    async def run() -> None:
        await watched

    await asyncio.create_task(run())
    if watched.started is not None:
        await watched.started
        after = await conversations.messages(receipt.conversation, taken[0])
        assert [m.text for m in after if m.speaker is Speaker.BOT] == [], f"step {step}: the bot spoke over a person"
        assert await conversations.owner(receipt.conversation) is Owner.AGENT
    await conversations.settle()
    return watched.steps


async def handoffs(url: str, least: int) -> int:
    """Hand off once at every await point, and on from the first again until `least` are done; returns how many."""
    database = Database(url)
    await database.migrate()
    try:
        steps = await turn(database, 0, 10**6)
        count = max(steps, least)
        for number in range(1, count + 1):
            await turn(database, number, 1 + number % steps)
        return count
    finally:
        await database.close()


def test_no_bot_message_follows_a_handoff_at_any_await_point(database_url: Url) -> None:
    url = database_url()
    # SQLite answers within the loop: there a turn can be interrupted only where the dialogue is waited for
    assert asyncio.run(handoffs(url, 1)) >= (2 if url.startswith("sqlite") else 11)
