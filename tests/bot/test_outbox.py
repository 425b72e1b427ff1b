import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from bot.bell import Bell
from bot.channel import Throttled, Unconfirmed, Undeliverable
from bot.conversation import Conversations
from bot.database import Database, MessageRow
from bot.dead_letters import DeadLetters
from bot.message import Delivery, Message, Outbound
from bot.outbox import AGAIN, MAX_TRIES, Outbox
from tests.bot.test_conversation import said
from tests.fakes import RememberingChannel, RememberingDesk, ScriptedDialogue


class Stage:
    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.bell = Bell()
        self.channel = RememberingChannel()
        self.conversations = Conversations(self.database, ScriptedDialogue(), RememberingDesk(), self.bell)
        self.seconds = 0.0
        self.outbox, self.letters = self.another(), DeadLetters(self.database, self.bell)

    def another(self) -> Outbox:
        return Outbox(self.database, [self.channel], self.bell, lambda: self.seconds)

    async def say(self, text: str, sender: str = "a") -> None:
        receipt = await self.conversations.receive(said(text, text, sender))
        await self.conversations.answer(receipt.conversation)

    async def stored(self, seq: int) -> Message:
        return (await self.conversations.messages(1, seq - 1))[0]

    async def wait_over(self) -> None:
        self.seconds += 120
        async with self.database.write() as session:
            await session.execute(
                update(MessageRow).where(MessageRow.delivery == "queued").values(delivery_due=said("").sent_at)
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


def test_two_outboxes_send_each_message_once_and_in_order(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        stage.channel.delay = 0.01
        for sender in "abcdef":
            for text in "一二三":
                await stage.say(text, sender)
        counts = await asyncio.gather(stage.outbox.flush(), stage.another().flush())
        assert sum(counts) == 18
        for sender in "abcdef":
            assert [t for who, t in stage.channel.sent if who == sender] == [f"您说的是：{t}" for t in "一二三"]

    run(database_url(), scene)


def test_a_message_of_parts_goes_on_where_it_stopped(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.say("一|二|三")
        stage.channel.fails_at = {2}
        await stage.outbox.flush()
        assert [text for _, text in stage.channel.sent] == ["您说的是：一"]
        await stage.wait_over()
        await stage.another().flush()
        assert [text for _, text in stage.channel.sent] == ["您说的是：一", "二", "三"]
        assert stage.channel.keys == ["1-2-0", "1-2-1", "1-2-1", "1-2-2"]

    run(database_url(), scene)


def test_what_the_platform_did_not_confirm_is_not_doubled(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        stage.channel.failures = [Unconfirmed("no answer")]
        await stage.say("一")
        await stage.say("二")
        await stage.outbox.flush()
        assert [text for _, text in stage.channel.sent] == ["您说的是：二"]
        assert (await stage.stored(2)).delivery is Delivery.SENT

    run(database_url(), scene)


def test_a_dead_letter_is_listed_and_can_be_retried(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        stage.channel.failures = [Undeliverable("客户已停用")]
        await stage.say("一")
        await stage.outbox.flush()
        (letter,) = await stage.letters.page()
        assert (letter.conversation, letter.seq, letter.delivery, letter.reason) == (1, 2, "failed", "客户已停用")
        assert not await stage.letters.retry(1, 99)
        assert await stage.letters.retry(1, 2)
        assert await stage.outbox.flush() == 1
        assert await stage.letters.page() == []
        assert (await stage.stored(2)).delivery is Delivery.SENT

    run(database_url(), scene)


def test_every_dead_letter_is_on_some_page(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        for number in range(5):
            stage.channel.failures = [Undeliverable("客户已停用")]
            await stage.say(f"第{number}句", f"customer{number}")
            await stage.outbox.flush()
        found, before = [], None
        while page := await stage.letters.page(before, limit=2):
            found += [letter.text for letter in page]
            before = page[-1].id
        assert found == [f"您说的是：第{number}句" for number in (4, 3, 2, 1, 0)]

    run(database_url(), scene)


def test_a_dead_letter_is_tried_again_when_the_customer_writes(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        stage.channel.failures = [Undeliverable("时限已过")]
        await stage.say("一")
        await stage.outbox.flush()
        await stage.say("二")
        await stage.outbox.flush()
        assert [text for _, text in stage.channel.sent] == ["您说的是：一", "您说的是：二"]

    run(database_url(), scene)


def test_a_platform_that_keeps_failing_is_left_alone_and_then_tried_once(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        stage.channel.failures = [ConnectionError("down")] * 6
        for sender in "abcdefgh":
            await stage.say("一", sender)
        await stage.outbox.flush()
        tried = stage.channel.started
        assert tried == 8 and stage.channel.sent[0][0] == "g"
        await stage.say("二", "z")
        stage.channel.failures = [ConnectionError("down")] * 9
        for sender in "ijklmno":
            await stage.say("一", sender)
        await stage.outbox.flush()
        tried = stage.channel.started
        await stage.outbox.flush()
        assert stage.channel.started == tried
        await stage.wait_over()
        await stage.outbox.flush()
        assert stage.channel.started == tried + 1
        stage.channel.failures = []
        await stage.wait_over()
        assert await stage.outbox.flush() == 14

    run(database_url(), scene)


def test_a_message_that_waited_too_long_expires(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.say("一")
        async with stage.database.write() as session:
            await session.execute(update(MessageRow).values(at=datetime.now(UTC) - timedelta(hours=49)))
        assert await stage.outbox.flush() == 0
        assert (await stage.letters.page())[0].delivery is Delivery.EXPIRED

    run(database_url(), scene)


def test_a_killed_process_repeats_one_message_for_each_customer_and_says_so(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        for text in "一二三四":
            await stage.say(text)
        await stage.say("五", "b")

        async def taken_and_killed(recipient: str, message: Outbound) -> None:
            await RememberingChannel.send(stage.channel, recipient, message)
            if message.text == "您说的是：二":
                await asyncio.Event().wait()  # the platform has it, and we never hear so

        stage.channel.send = taken_and_killed  # type: ignore[method-assign]
        killed = asyncio.create_task(stage.outbox.flush())
        async with asyncio.timeout(10):
            while len(stage.channel.sent) < 3 or stage.outbox._marking.locked():
                await asyncio.sleep(0.01)
        for task in (killed, *stage.outbox._running):
            task.cancel()
        await asyncio.gather(killed, *stage.outbox._running, return_exceptions=True)
        del stage.channel.send
        assert await stage.another().flush() == 0, "the lease still holds"
        await stage.wait_over()
        assert await stage.another().flush() == 3
        assert [text[-1] for recipient, text in stage.channel.sent if recipient == "a"] == [
            "一",
            "二",
            "二",
            "三",
            "四",
        ]
        messages = [m for m in await stage.conversations.messages(1) if m.delivery is Delivery.SENT]
        assert [m.doubt for m in messages] == [None, AGAIN, None, None]
        assert [m.doubt for m in (await stage.conversations.messages(2))[1:]] == [None]

    run(database_url(), scene)


def test_a_killed_process_repeats_no_part_that_was_marked(database_url: Callable[[], str]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.say("甲|乙|丙")

        async def stuck(recipient: str, message: Outbound) -> None:
            if message.text == "丙":
                await asyncio.Event().wait()
            await RememberingChannel.send(stage.channel, recipient, message)

        stage.channel.send = stuck  # type: ignore[method-assign]
        killed = asyncio.create_task(stage.outbox.flush())
        async with asyncio.timeout(10):
            while (await stage.stored(2)).delivery is Delivery.QUEUED and stage.channel.started < 2:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        for task in (killed, *stage.outbox._running):
            task.cancel()
        await asyncio.gather(killed, *stage.outbox._running, return_exceptions=True)
        del stage.channel.send
        await stage.wait_over()
        assert await stage.another().flush() == 1
        assert [text for _, text in stage.channel.sent] == ["您说的是：甲", "乙", "丙"]

    run(database_url(), scene)
