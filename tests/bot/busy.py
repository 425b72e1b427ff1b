"""A process with 50 busy conversations; prints each stored message id after its commit, until it is killed."""

import asyncio
import sys
from datetime import UTC, datetime

from bot.conversation import Conversations
from bot.database import Database
from bot.message import Inbound
from tests.fakes import RememberingDesk, ScriptedDialogue


async def main(url: str) -> None:
    database = Database(url)
    await database.migrate()
    conversations = Conversations(database, ScriptedDialogue(), RememberingDesk(), patience=60)

    async def customer(sender: int) -> None:
        for number in range(1000):
            receipt = await conversations.receive(
                Inbound("web", str(sender), str(number), f"{sender}-{number}", datetime.now(UTC))
            )
            print(f"{sender}-{number}", flush=True)
            await conversations.answer(receipt.conversation)

    await asyncio.gather(*(customer(sender) for sender in range(50)))


asyncio.run(main(sys.argv[1]))
