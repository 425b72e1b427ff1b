"""Contacts in a row: whoever comes back for the fourth time within two hours goes straight to a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from sqlalchemy import select

from bot.database import Database, MessageRow
from bot.message import Outbound, Speaker, Turn

WITHIN = timedelta(hours=2)
APART = timedelta(minutes=10)
TOO_MANY = 4
FOURTH_LINE = "您两小时内已多次联系我们，我直接为您转接人工客服，请稍候。"
HANDOFF = "fourth contact"


class Visits:
    """A contact is a run of the customer's messages without a silence of ten minutes.

    Counting starts anew after a person was involved: the handoff's line, an agent's reply and the hand-back's line.
    """

    def __init__(self, database: Database) -> None:
        """Reads the messages of `database`."""
        self._database = database

    async def shortcut(self, conversation: int, said: str) -> Turn | None:
        """`bot.conversation.Shortcut`: a handoff for the fourth contact."""
        if await self._recent(conversation) < TOO_MANY:
            return None
        return Turn((Outbound(FOURTH_LINE),), handoff=HANDOFF)

    async def _recent(self, conversation: int) -> int:
        async with self._database.read() as session:
            rows = await session.execute(
                select(MessageRow.speaker, MessageRow.at)
                .where(MessageRow.conversation_id == conversation, MessageRow.at > datetime.now(UTC) - WITHIN)
                .order_by(MessageRow.seq.desc())
            )
            since = takewhile(lambda row: row.speaker not in (Speaker.SYSTEM, Speaker.AGENT), rows.all())
            return visits(sorted(row.at for row in since if row.speaker == Speaker.CUSTOMER))


def visits(times: Sequence[datetime]) -> int:
    """How many contacts messages at these times (ascending) are."""
    return sum(1 for i, at in enumerate(times) if i == 0 or at - times[i - 1] >= APART)
