"""The fourth contact within two hours goes to a person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bot.conversation import Conversations
from bot.database import Database
from bot.message import Inbound, Owner
from bot.visits import FOURTH_LINE, Visits, visits
from tests.fakes import RememberingDesk, ScriptedDialogue

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def test_a_silence_of_ten_minutes_begins_a_new_contact() -> None:
    minutes = (0, 1, 5, 14, 24, 30, 45)
    assert visits([START + timedelta(minutes=minute) for minute in minutes]) == 3
    assert visits([]) == 0


def test_the_fourth_contact_is_handed_to_a_person(database_url: Callable[[], str]) -> None:
    async def scene() -> None:
        database = Database(database_url())
        await database.migrate()
        desk = RememberingDesk()
        conversations = Conversations(database, ScriptedDialogue(), desk, shortcuts=[Visits(database).shortcut])
        now = datetime.now(UTC)
        for number, minutes in enumerate((100, 70, 40, 0)):
            at = now - timedelta(minutes=minutes)
            receipt = await conversations.receive(Inbound("web", "a", str(number), "停电", at))
            await conversations.answer(receipt.conversation)
        told = [message.text for message in await conversations.messages(receipt.conversation)]
        assert told.count(FOURTH_LINE) == 1
        assert [reason for _, _, reason in desk.opened] == ["fourth contact"]
        assert await conversations.owner(receipt.conversation) is Owner.QUEUE
        async with database.write() as session:
            await conversations.hand_back(session, receipt.conversation, "已办结")
        receipt = await conversations.receive(Inbound("web", "a", "5", "还有个问题", now))
        await conversations.answer(receipt.conversation)
        assert len(desk.opened) == 1
        await database.close()

    asyncio.run(scene())


def test_contacts_of_yesterday_do_not_count(database_url: Callable[[], str]) -> None:
    async def scene() -> None:
        database = Database(database_url())
        await database.migrate()
        desk = RememberingDesk()
        conversations = Conversations(database, ScriptedDialogue(), desk, shortcuts=[Visits(database).shortcut])
        now = datetime.now(UTC)
        for number, hours in enumerate((30, 20, 10, 0)):
            receipt = await conversations.receive(
                Inbound("web", "a", str(number), "停电", now - timedelta(hours=hours))
            )
            await conversations.answer(receipt.conversation)
        assert desk.opened == []
        await database.close()

    asyncio.run(scene())
