import asyncio
import contextlib
from collections.abc import Callable

import pytest
from sqlalchemy import update

from bot.bell import Bell
from bot.channel import Throttled, Undeliverable
from bot.conversation import Conversations
from bot.database import Database, MessageRow
from bot.outbox import MAX_TRIES, Outbox
from tests.bot.test_conversation import said
from tests.fakes import RememberingChannel, RememberingDesk, ScriptedDialogue


class Stage:
    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.bell = Bell()
        self.channel = RememberingChannel()
        self.conversations = Conversations(self.database, ScriptedDialogue(), RememberingDesk(), self.bell)
        self.outbox = Outbox(self.database, [self.channel], self.bell)

    async def say(self, text: str, sender: str = "a") -> None:
        receipt = await self.conversations.receive(said(text, text, sender))
        await self.conversations.answer(receipt.conversation)

    async def wait_over(self) -> None:
        async with self.database.write() as session:
            await session.execute(
                update(MessageRow).where(MessageRow.delivery == "pending").values(delivery_due=said("").sent_at)
            )


def run(url: str, scene: Callable[[Stage], object]) -> None:
    async def play() -> None:
        stage = Stage(url)
        await stage.database.migrate()
        try:
            await scene(stage)  # type: ignore[misc]
        finally:
            await stage.database.close()

    asyncio.run(play())


def test_messages_go_out_once_and_in_order(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        for text in "一二三":
            await stage.say(text)
        assert await stage.outbox.flush() == 3
        assert await stage.outbox.flush() == 0
        assert [text for _, text in stage.channel.sent] == ["您说的是：一", "您说的是：二", "您说的是：三"]

    run(database_url(), scene)


def test_a_failure_holds_back_its_own_conversation_only(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        stage.channel.failures = [ConnectionError("down")]
        await stage.say("一")
        await stage.say("二")
        await stage.say("三", sender="b")
        assert await stage.outbox.flush() == 1
        assert stage.channel.sent == [("b", "您说的是：三")]
        await stage.wait_over()
        assert await stage.outbox.flush() == 2
        assert [text for _, text in stage.channel.sent[1:]] == ["您说的是：一", "您说的是：二"]

    run(database_url(), scene)


@pytest.mark.parametrize("failures", [[Undeliverable("blocked")], [ConnectionError("down")] * MAX_TRIES])
def test_what_cannot_be_delivered_is_marked_with_its_reason(
    database_url: Callable[[], str], failures: list[Exception]
) -> None:
    async def scene(stage: Stage) -> None:
        stage.channel.failures = list(failures)
        await stage.say("一")
        for _ in range(len(failures)):
            await stage.outbox.flush()
            await stage.wait_over()
        stored = (await stage.conversations.messages(1))[1]
        assert stored.undelivered is not None and str(failures[0]) in stored.undelivered
        assert stage.channel.sent == []

    run(database_url(), scene)


def test_being_throttled_costs_no_try(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        stage.channel.failures = [Throttled(30)] * (MAX_TRIES + 1)
        await stage.say("一")
        for _ in range(MAX_TRIES + 2):
            await stage.outbox.flush()
            await stage.wait_over()
        assert [text for _, text in stage.channel.sent] == ["您说的是：一"]

    run(database_url(), scene)


def test_a_running_outbox_sends_when_the_bell_rings(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        running = asyncio.create_task(stage.outbox.run())
        await stage.say("一")
        async with asyncio.timeout(5):
            while not stage.channel.sent:
                await asyncio.sleep(0.01)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    run(database_url(), scene)


def test_a_stop_in_the_middle_of_sending_marks_what_was_sent(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        stage.channel.delay = 0.2
        running = asyncio.create_task(stage.outbox.run())
        await stage.say("一")
        async with asyncio.timeout(5):
            while not stage.channel.started:
                await asyncio.sleep(0.01)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        assert len(stage.channel.sent) == 1
        assert await stage.outbox.flush() == 0

    run(database_url(), scene)
