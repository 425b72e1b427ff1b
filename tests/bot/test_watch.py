"""What another process stored is heard here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot.bell import Bell, conversation_topic
from bot.conversation import Conversations
from bot.database import Database
from bot.watch import Watch
from tests.bot.test_conversation import said
from tests.fakes import RememberingDesk, ScriptedDialogue


def test_another_process_is_heard_within_one_look(database_url: Callable[[], str]) -> None:
    async def scene() -> None:
        url = database_url_once
        here, there, bell = Database(url), Database(url), Bell()
        await here.migrate()
        ours = Conversations(here, ScriptedDialogue(), RememberingDesk(), bell)
        theirs = Conversations(there, ScriptedDialogue(), RememberingDesk())
        first = await theirs.receive(said("一", "1"))
        watch = Watch(ours, bell)
        with bell.listen(conversation_topic(first.conversation)) as rings:
            await watch.look()
            while not rings.empty():
                rings.get_nowait()
            await watch.look()
            assert rings.empty()
            await theirs.receive(said("二", "2"))
            await watch.look()
            rings.get_nowait()
            assert rings.empty()
        await here.close()
        await there.close()

    database_url_once = database_url()
    asyncio.run(scene())
