"""The backlog 积压: which of a customer's unanswered messages the next turn answers, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import MessageRow

OLD = timedelta(seconds=30)
MOST = 50


async def waiting(session: AsyncSession, conversation: int) -> list[MessageRow]:
    """What the next turn answers: one message, or all that piled up for `OLD` or longer, up to a pressed button."""
    found = await session.scalars(
        select(MessageRow)
        .where(MessageRow.conversation_id == conversation, MessageRow.answered.is_(False))
        .order_by(MessageRow.seq)
        .limit(MOST)
    )
    rows, old = list(found), datetime.now(UTC) - OLD
    if not rows or rows[0].payload is not None or rows[0].at > old:
        return rows[:1]
    return list(takewhile(lambda row: row.at <= old and row.payload is None, rows))


def said(messages: Sequence[MessageRow]) -> str:
    """The words of a turn's messages, without attachments' names."""
    return "\n".join(row.text for row in messages if not (row.attachments and row.text.startswith("[")))
