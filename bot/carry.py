"""Replies that ride on the platform's own requests, for a door that cannot push.

A customer's message may be given to us several times until it is answered; each gets the same response, which is stored
with it, so that retries and restarts change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import ContactRow, ConversationRow, Database, MessageRow
from bot.message import Attachment, Button, Delivery, Outbound


@dataclass(frozen=True)
class Rider:
    """A stored reply that waits to be fetched; `question` is what it answers, None if nothing in particular.

    The first `parts` of it have been fetched.
    """

    id: int
    outbound: Outbound
    question: str | None
    parts: int


@dataclass(frozen=True)
class Load:
    """What one response takes: its text, and for each rider how many parts are now fetched (None: all)."""

    text: str
    taken: Mapping[int, int | None]


Pack = Callable[[Sequence[Rider], bool], Load]
"""Makes a response of the waiting riders, and whether the current message is still without its answer."""

DOUBTFUL_TRIES = 2


class Carrier:
    """Packs and remembers responses."""

    def __init__(self, database: Database) -> None:
        """Reads and marks messages of `database`."""
        self._database = database

    async def state(self, conversation: int, seq: int) -> tuple[bool, int]:
        """Whether a response can be packed now with the answer in it, and how often the message was given to us."""
        async with self._database.read() as session:
            row = await self._row(session, conversation, seq)
            return row.answered or row.response is not None, row.delivery_tries

    async def waiting(self, conversation: int, channel: str) -> bool:
        """Some reply waits to be fetched at this door."""
        async with self._database.read() as session:
            found = await session.scalar(
                select(MessageRow.id)
                .join(ConversationRow, ConversationRow.id == MessageRow.conversation_id)
                .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
                .where(
                    MessageRow.conversation_id == conversation,
                    MessageRow.delivery == Delivery.QUEUED,
                    ContactRow.channel == channel,
                )
                .limit(1)
            )
            return found is not None

    async def doubtful(self, conversation: int, channel: str) -> str | None:
        """The last response, if its message came more than once, so that it may not have reached the customer."""
        async with self._database.read() as session:
            row = await session.scalar(
                select(MessageRow)
                .join(ConversationRow, ConversationRow.id == MessageRow.conversation_id)
                .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
                .where(
                    MessageRow.conversation_id == conversation,
                    MessageRow.response.is_not(None),
                    ContactRow.channel == channel,
                )
                .order_by(MessageRow.seq.desc())
                .limit(1)
            )
        return row.response if row is not None and row.delivery_tries >= DOUBTFUL_TRIES else None

    async def pack(self, conversation: int, seq: int, pack: Pack) -> str:
        """The response to the message `seq`: the stored one, or a new one of what waits."""
        async with self._database.write() as session:
            row = await self._row(session, conversation, seq, lock=True)
            if row.response is not None:
                return row.response
            waiting = list(
                await session.scalars(
                    select(MessageRow)
                    .where(MessageRow.conversation_id == conversation, MessageRow.delivery == Delivery.QUEUED)
                    .order_by(MessageRow.seq)
                )
            )
            questions: dict[int, str] = {
                found.seq: found.text
                for found in await session.scalars(
                    select(MessageRow).where(
                        MessageRow.conversation_id == conversation,
                        MessageRow.seq.in_({reply.answers for reply in waiting if reply.answers is not None}),
                    )
                )
            }
            riders = [
                Rider(
                    reply.id,
                    Outbound(
                        reply.text,
                        tuple(Button(**b) for b in reply.buttons),
                        reply.card,
                        attachments=tuple(Attachment(**a) for a in reply.attachments),
                    ),
                    questions.get(reply.answers or 0),
                    reply.delivery_parts,
                )
                for reply in waiting
            ]
            load = pack(riders, not row.answered)
            row.response = load.text
            for id, parts in load.taken.items():
                done = {"delivery": Delivery.SENT, "delivery_due": None} if parts is None else {"delivery_parts": parts}
                await session.execute(update(MessageRow).where(MessageRow.id == id).values(**done))
            return load.text

    @staticmethod
    async def _row(session: AsyncSession, conversation: int, seq: int, lock: bool = False) -> MessageRow:
        query = select(MessageRow).where(MessageRow.conversation_id == conversation, MessageRow.seq == seq)
        rows = await session.scalars(query.with_for_update() if lock else query)
        found: MessageRow = rows.one()
        return found
