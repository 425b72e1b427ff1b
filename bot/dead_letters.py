"""Dead letters: messages that did not reach their customer, why, and trying again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select, update

from bot.bell import Bell
from bot.database import ContactRow, ConversationRow, Database, MessageRow
from bot.message import Delivery

PAGE = 50
_DEAD = MessageRow.delivery.in_((Delivery.FAILED, Delivery.EXPIRED))


@dataclass(frozen=True)
class DeadLetter:
    """A message that did not reach the customer, why, and since when; `id` places it in the list."""

    id: int
    conversation: int
    seq: int
    channel: str
    text: str
    delivery: Delivery
    reason: str
    at: datetime


class DeadLetters:
    """What `bot.outbox` gave up."""

    def __init__(self, database: Database, bell: Bell) -> None:
        """`bell` wakes the outbox."""
        self._database = database
        self._bell = bell

    async def page(self, before: int | None = None, limit: int = PAGE) -> list[DeadLetter]:
        """The newest, or those before the one of that id; fewer than `limit` are the last."""
        wanted = (
            select(MessageRow, ContactRow.channel)
            .join(ConversationRow, ConversationRow.id == MessageRow.conversation_id)
            .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
            .where(_DEAD)
            .order_by(MessageRow.id.desc())
            .limit(limit)
        )
        if before is not None:
            wanted = wanted.where(MessageRow.id < before)
        async with self._database.read() as session:
            return [
                DeadLetter(
                    row.id, row.conversation_id, row.seq, channel, row.text, Delivery(row.delivery),
                    row.delivery_error or "", row.at,
                )
                for row, channel in await session.execute(wanted)
            ]  # fmt: skip

    async def retry(self, conversation: int, seq: int) -> bool:
        """Queue a dead letter again; False when there is none of that number."""
        async with self._database.write() as session:
            found = await session.scalar(
                update(MessageRow)
                .where(MessageRow.conversation_id == conversation, MessageRow.seq == seq, _DEAD)
                .values(delivery=Delivery.QUEUED, delivery_due=datetime.now(UTC), delivery_tries=0)
                .returning(MessageRow.id)
            )
        self._bell.ring("outbox")
        return found is not None
