import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.conversation import Conversations
from bot.database import Database
from bot.message import Speaker
from tests.fakes import RememberingDesk, ScriptedDialogue

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_killed_process_loses_and_doubles_nothing(database_url: Callable[[], str]) -> None:
    url = database_url()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bot.busy", url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    stored = [process.stdout.readline().strip() for _ in range(200)]
    process.kill()
    stored += process.stdout.read().split()
    process.wait()
    process.stdout.close()
    assert process.returncode == -9

    async def restart() -> None:
        database = Database(url)
        await database.migrate()
        conversations = Conversations(database, ScriptedDialogue(), RememberingDesk())
        for conversation in await conversations.unanswered():
            await conversations.answer(conversation)
        said: Counter[str] = Counter()
        answered: Counter[str] = Counter()
        for conversation in range(1, 51):
            messages = await conversations.messages(conversation)
            assert [m.seq for m in messages] == list(range(1, len(messages) + 1))
            said.update(m.text for m in messages if m.speaker is Speaker.CUSTOMER)
            answered.update(m.text.removeprefix("您说的是：") for m in messages if m.speaker is Speaker.BOT)
        await database.close()
        assert set(stored) <= set(said)
        assert set(said.values()) == {1}
        assert answered == said

    asyncio.run(restart())
