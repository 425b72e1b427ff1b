"""Conversations 会话: store first, then let the owner answer; one turn at a time per conversation."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import ContactRow, ConversationRow, Database, MessageRow
from bot.message import Button, Inbound, Message, Outbound, Owner, Speaker, Turn

BOT_UNAVAILABLE = "抱歉，我现在暂时无法回答。已为您转接人工客服，紧急情况请拨打95598。"

log = logging.getLogger(__name__)


class Dialogue(Protocol):
    """Whoever answers for the bot."""

    async def ask(self, conversation: int, text: str) -> Turn:
        """Answer one customer message; any exception means the bot is unavailable."""
        ...


class WrongOwner(RuntimeError):
    """The conversation is not the agent's; claim it before replying."""


class Conversations:
    """Receives, answers and hands over; every step is stored before it is told to anyone."""

    def __init__(self, database: Database, dialogue: Dialogue, patience: float = 3.0) -> None:
        """`patience`: seconds the dialogue may take before the customer is handed to the queue."""
        self._database = database
        self._dialogue = dialogue
        self._patience = patience
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def receive(self, inbound: Inbound) -> tuple[int, int]:
        """Store a message once and return (conversation id, seq); a repeated id returns the first seq.

        The channel acknowledges after this and then calls `answer`.
        """
        async with self._database.write() as session:
            conversation = await self._conversation(session, inbound.channel, inbound.sender)
            known = await session.scalar(
                select(MessageRow.seq).where(
                    MessageRow.conversation_id == conversation, MessageRow.inbound_id == inbound.id
                )
            )
            if known is not None:
                return conversation, known
            seq = await self._append(
                session, conversation, Speaker.CUSTOMER, inbound.text, at=inbound.sent_at, inbound_id=inbound.id
            )
            return conversation, seq

    async def answer(self, conversation: int) -> None:
        """Give every stored message that still waits its turn, in order; also after a restart."""
        async with self._locks[conversation]:
            while (waiting := await self._waiting(conversation)) is not None:
                message, owner, token = waiting
                turn = await self._turn(conversation, message.text) if owner is Owner.BOT else Turn(())
                await self._close_turn(conversation, message.id, token, turn)

    async def unanswered(self) -> list[int]:
        """Conversations with a customer message that had no turn: what a restart must `answer`."""
        async with self._database.read() as session:
            found = await session.scalars(
                select(MessageRow.conversation_id).where(MessageRow.answered.is_(False)).distinct()
            )
            return list(found)

    async def take(self, conversation: int) -> None:
        """An agent takes over; whatever the bot is still thinking will be dropped."""
        await self._set_owner(conversation, Owner.AGENT, None)

    async def reply(self, conversation: int, text: str) -> int:
        """Store an agent's reply and return its seq; raises `WrongOwner` unless an agent owns the conversation."""
        async with self._database.write() as session:
            row = await session.get_one(ConversationRow, conversation)
            if row.owner != Owner.AGENT:
                raise WrongOwner(f"conversation {conversation} is owned by {row.owner}: claim it first")
            return await self._append(session, conversation, Speaker.AGENT, text)

    async def hand_back(self, conversation: int, line: str) -> None:
        """Give the conversation back to the bot with a line the customer sees."""
        await self._set_owner(conversation, Owner.BOT, line)

    async def owner(self, conversation: int) -> Owner:
        """Who answers now."""
        async with self._database.read() as session:
            return Owner((await session.get_one(ConversationRow, conversation)).owner)

    async def messages(self, conversation: int, after: int = 0) -> list[Message]:
        """Messages with a seq above `after`, in order."""
        async with self._database.read() as session:
            rows = await session.scalars(
                select(MessageRow)
                .where(MessageRow.conversation_id == conversation, MessageRow.seq > after)
                .order_by(MessageRow.seq)
            )
            return [
                Message(row.seq, Speaker(row.speaker), row.text, tuple(Button(**b) for b in row.buttons), row.at)
                for row in rows
            ]

    async def _turn(self, conversation: int, text: str) -> Turn:
        try:
            async with asyncio.timeout(self._patience):
                turn = await self._dialogue.ask(conversation, text)
        except Exception:
            log.exception("conversation %s: the dialogue failed, handing to the queue", conversation)
        else:
            if turn.replies:
                return turn
            log.error("conversation %s: the dialogue gave no reply, handing to the queue", conversation)
        return Turn((Outbound(BOT_UNAVAILABLE),), handoff="bot unavailable")

    async def _waiting(self, conversation: int) -> tuple[MessageRow, Owner, int] | None:
        async with self._database.read() as session:
            message = await session.scalar(
                select(MessageRow)
                .where(MessageRow.conversation_id == conversation, MessageRow.answered.is_(False))
                .order_by(MessageRow.seq)
                .limit(1)
            )
            if message is None:
                return None
            row = await session.get_one(ConversationRow, conversation)
            return message, Owner(row.owner), row.owner_token

    async def _close_turn(self, conversation: int, message: int, token: int, turn: Turn) -> None:
        async with self._database.write() as session:
            await session.execute(update(MessageRow).where(MessageRow.id == message).values(answered=True))
            row = await session.get_one(ConversationRow, conversation)
            if row.owner_token != token:
                log.warning("conversation %s: %d late bot replies dropped", conversation, len(turn.replies))
                return
            for reply in turn.replies:
                await self._append(session, conversation, Speaker.BOT, reply.text, buttons=reply.buttons)
            if turn.handoff is not None:
                row.owner, row.owner_token = Owner.QUEUE, token + 1

    async def _set_owner(self, conversation: int, owner: Owner, line: str | None) -> None:
        async with self._database.write() as session:
            row = await session.get_one(ConversationRow, conversation)
            row.owner, row.owner_token = owner, row.owner_token + 1
            await session.flush()
            if line is not None:
                await self._append(session, conversation, Speaker.SYSTEM, line)

    @staticmethod
    async def _conversation(session: AsyncSession, channel: str, sender: str) -> int:
        found = await session.scalar(
            select(ConversationRow.id)
            .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
            .where(ContactRow.channel == channel, ContactRow.sender == sender)
        )
        if found is not None:
            return found
        contact = ContactRow(channel=channel, sender=sender)
        session.add(contact)
        await session.flush()
        row = ConversationRow(contact_id=contact.id)
        session.add(row)
        await session.flush()
        return row.id

    @staticmethod
    async def _append(
        session: AsyncSession,
        conversation: int,
        speaker: Speaker,
        text: str,
        buttons: Sequence[Button] = (),
        at: datetime | None = None,
        inbound_id: str | None = None,
    ) -> int:
        seq = await session.scalar(
            update(ConversationRow)
            .where(ConversationRow.id == conversation)
            .values(last_seq=ConversationRow.last_seq + 1)
            .returning(ConversationRow.last_seq)
            .execution_options(synchronize_session=False)
        )
        assert seq is not None
        session.add(
            MessageRow(
                conversation_id=conversation,
                seq=seq,
                speaker=speaker,
                text=text,
                buttons=[{"title": b.title, "payload": b.payload} for b in buttons],
                at=at or datetime.now(UTC),
                inbound_id=inbound_id,
                answered=speaker is not Speaker.CUSTOMER,
            )
        )
        await session.flush()
        return seq
