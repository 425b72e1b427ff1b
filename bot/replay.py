"""`python -m bot replay CONVERSATION SEQ`: a message read again by the version that read it then."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from sqlalchemy import select

from bot.database import Database, MessageRow
from bot.dialogue.reading import Reader
from bot.dialogue_model import MODEL_FILE
from bot.message import Speaker
from bot.rasa import escape
from bot.readings import ReadingRow, text_key
from bot.settings import Settings
from models import Registry

TOGETHER = 50


class NoReplay(LookupError):
    """The message cannot be read again; the message says why."""


async def stored(database: Database, conversation: int, seq: int) -> tuple[ReadingRow, str]:
    """What was read in a message, and the text or payload that Rasa was given; raises `NoReplay`."""
    async with database.read() as session:
        row = await session.scalar(
            select(ReadingRow).where(ReadingRow.conversation_id == conversation, ReadingRow.seq == seq)
        )
        if row is None:
            raise NoReplay(f"no model read the message {seq} of conversation {conversation}")
        said = await session.scalars(
            select(MessageRow)
            .where(
                MessageRow.conversation_id == conversation,
                MessageRow.seq <= seq,
                MessageRow.speaker == Speaker.CUSTOMER,
            )
            .order_by(MessageRow.seq.desc())
            .limit(TOGETHER)
        )
        return row, _given(list(said), row.text_key)


def _given(latest: Sequence[MessageRow], key: str) -> str:
    """The text of the turn: that of the last message, or of a backlog that was answered as one."""
    if latest[0].payload is not None:
        return latest[0].payload
    for count in range(1, len(latest) + 1):
        for texts in ([m.text for m in latest[:count]], [m.original or m.text for m in latest[:count]]):
            if text_key(text := "\n".join(reversed(texts))) == key:
                return escape(text)
    raise NoReplay("the message was changed since it was read")


async def replay(settings: Settings, conversation: int, seq: int) -> list[str]:
    """Both readings as lines of text; raises `NoReplay`, `NoModel` or `ReaderFailed`."""
    database = Database(settings.database_url)
    try:
        row, text = await stored(database, conversation, seq)
    finally:
        await database.close()
    model = Registry("dialogue", settings.models).path(row.model) / MODEL_FILE

    def read() -> list[str]:
        with Reader(model) as reader:
            [now] = reader.read([text])
        then = {"ranking": row.ranking, "entities": row.entities}
        again = {key: now[key] for key in then}
        return [
            f"message   {text}",
            f"model     {row.model}",
            f"then      {json.dumps(then, ensure_ascii=False)}",
            f"again     {json.dumps(again, ensure_ascii=False)}",
            f"same      {'yes' if again == then else 'no'}",
        ]

    return await asyncio.to_thread(read)
