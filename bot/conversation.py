"""Conversations 会话: store first, then let the owner answer; one turn at a time per conversation."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bot import safety
from bot.bell import Bell, conversation_topic
from bot.database import ContactRow, ConversationRow, Database, MessageRow, after_commit
from bot.message import Button, Card, Inbound, Message, Outbound, Owner, Receipt, Speaker, Turn

BOT_UNAVAILABLE = "抱歉，我现在暂时无法回答，已为您转接人工客服。紧急情况请拨打95598。"
BACK = "我是小桥，接下来由我继续为您服务。问题解决了吗？"
BACK_BUTTONS = (Button("解决了", "解决了，谢谢"), Button("没有解决，转人工", "转人工"))
NUL_SHOWN = "\N{SYMBOL FOR NULL}"
OFFERED_WITHIN = 30

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Contact:
    """客户 as a channel knows them."""

    channel: str
    sender: str


class Dialogue(Protocol):
    """Whoever answers for the bot."""

    async def ask(self, conversation: int, seq: int, text: str, payload: str | None = None) -> Turn:
        """Answer one customer message; any exception means unavailable.

        `seq` is the message's own, so that whatever is done because of it is done once, however late;
        `payload` is that of an offered button.
        """
        ...

    def forget(self, conversation: int, summary: str = "") -> Coroutine[None, None, None]:
        """Start afresh: what was said before an agent helped is over; `summary` is what came of it."""
        ...


class Desk(Protocol):
    """Where conversations go that the bot does not settle."""

    async def open(self, session: AsyncSession, conversation: int, seq: int, reason: str) -> str:
        """Open a ticket for the message `seq`, once per (conversation, seq), and return the line the customer reads."""
        ...

    async def arrived(self, session: AsyncSession, conversation: int, seq: int) -> None:
        """The customer wrote while the queue or an agent owns the conversation."""
        ...


class WrongOwner(RuntimeError):
    """The conversation is not the agent's; claim it before replying."""


class Conversations:
    """Receives, answers and hands over; every step is stored before it is told to anyone.

    Methods that take a session join the caller's transaction, so a ticket and its conversation change together.
    """

    def __init__(
        self, database: Database, dialogue: Dialogue, desk: Desk, bell: Bell | None = None, patience: float = 2.5
    ) -> None:
        """`patience`: seconds the dialogue may take before the customer is handed to the queue."""
        self._database = database
        self._dialogue = dialogue
        self._desk = desk
        self._bell = bell or Bell()
        self._patience = patience
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._turns: set[asyncio.Task[None]] = set()

    async def receive(self, inbound: Inbound) -> Receipt:
        """Store a message once; a repeated id returns the first receipt. Acknowledge after this, then `answer`."""
        try:
            return await self._store(inbound)
        except IntegrityError:
            # another process stored the same contact in the same instant
            return await self._store(inbound)

    async def accept(self, inbound: Inbound) -> Receipt:
        """`receive`, and let the answer follow in the background."""
        receipt = await self.receive(inbound)
        self._start(self.answer(receipt.conversation))
        return receipt

    async def answer(self, conversation: int) -> None:
        """Give every stored message that still waits its turn, in order; also after a restart."""
        async with self._locks[conversation]:
            while (waiting := await self._waiting(conversation)) is not None:
                message, owner, token = waiting
                turn = await self._turn(conversation, message) if owner is Owner.BOT else None
                await self._close_turn(message, token, turn)

    async def settle(self) -> None:
        """Wait until every turn that was started has ended."""
        while self._turns:
            await asyncio.gather(*self._turns, return_exceptions=True)

    async def unanswered(self) -> list[int]:
        """Conversations with a customer message that had no turn: what a restart must `answer`."""
        async with self._database.read() as session:
            found = await session.scalars(
                select(MessageRow.conversation_id).where(MessageRow.answered.is_(False)).distinct()
            )
            return list(found)

    async def take(self, session: AsyncSession, conversation: int) -> None:
        """An agent takes over; whatever the bot is still thinking will be dropped."""
        await self._set_owner(session, conversation, Owner.AGENT)

    async def enqueue(self, session: AsyncSession, conversation: int) -> None:
        """Give the conversation to the waiting queue, as when an agent passes it on."""
        await self._set_owner(session, conversation, Owner.QUEUE)

    async def reply(self, session: AsyncSession, conversation: int, text: str) -> int:
        """Store an agent's reply and return its seq; raises `WrongOwner` unless an agent owns the conversation."""
        row = await session.get_one(ConversationRow, conversation)
        if row.owner != Owner.AGENT:
            raise WrongOwner(f"conversation {conversation} is owned by {row.owner}: claim it first")
        return await self._append(session, conversation, Speaker.AGENT, text)

    async def hand_back(self, session: AsyncSession, conversation: int, line: str, summary: str = "") -> None:
        """Give the conversation back to the bot, which speaks first.

        The customer sees `line` and then the bot's greeting; the dialogue starts afresh, so no half-filled form goes
        on, and is told the `summary` of what the agent did.
        """
        await self._set_owner(session, conversation, Owner.BOT)
        await self._append(session, conversation, Speaker.SYSTEM, line)
        await self._append(session, conversation, Speaker.BOT, BACK, buttons=BACK_BUTTONS)
        after_commit(session, lambda: self._start(self._dialogue.forget(conversation, summary)))

    async def tell(self, session: AsyncSession, conversation: int, line: str, buttons: Sequence[Button] = ()) -> int:
        """A line from the system to the customer, whoever owns the conversation; returns its seq."""
        return await self._append(session, conversation, Speaker.SYSTEM, line, buttons=buttons)

    async def owner(self, conversation: int) -> Owner:
        """Who answers now."""
        async with self._database.read() as session:
            return Owner((await session.get_one(ConversationRow, conversation)).owner)

    async def find(self, channel: str, sender: str) -> int | None:
        """The conversation of a contact, or None before their first message."""
        async with self._database.read() as session:
            return await self._find(session, channel, sender)

    async def contact(self, conversation: int) -> Contact:
        """Whose conversation this is."""
        async with self._database.read() as session:
            row = await session.get_one(ConversationRow, conversation)
            contact = await session.get_one(ContactRow, row.contact_id)
            return Contact(contact.channel, contact.sender)

    async def messages(self, conversation: int, after: int = 0) -> list[Message]:
        """Messages with a seq above `after`, in order."""
        async with self._database.read() as session:
            rows = await session.scalars(
                select(MessageRow)
                .where(MessageRow.conversation_id == conversation, MessageRow.seq > after)
                .order_by(MessageRow.seq)
            )
            return [_message(row) for row in rows]

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._turns.add(task)
        task.add_done_callback(self._turns.discard)
        task.add_done_callback(_log_failure)

    async def _store(self, inbound: Inbound) -> Receipt:
        async with self._database.write() as session:
            conversation = await self._conversation(session, inbound.channel, inbound.sender)
            await session.get_one(ConversationRow, conversation, with_for_update=True)
            known = await session.scalar(
                select(MessageRow.seq).where(
                    MessageRow.conversation_id == conversation, MessageRow.inbound_id == inbound.id
                )
            )
            if known is not None:
                return Receipt(conversation, known)
            text, payload = inbound.text.replace("\x00", NUL_SHOWN), None
            if inbound.payload is not None:
                offered = await self._offered(session, conversation, inbound.payload)
                text, payload = (offered.title, offered.payload) if offered else (text or inbound.payload, None)
            seq = await self._append(
                session,
                conversation,
                Speaker.CUSTOMER,
                text,
                at=inbound.sent_at,
                inbound_id=inbound.id,
                payload=payload,
            )
            return Receipt(conversation, seq)

    @staticmethod
    async def _offered(session: AsyncSession, conversation: int, payload: str) -> Button | None:
        rows = await session.scalars(
            select(MessageRow.buttons)
            .where(MessageRow.conversation_id == conversation, MessageRow.speaker != Speaker.CUSTOMER)
            .order_by(MessageRow.seq.desc())
            .limit(OFFERED_WITHIN)
        )
        return next((Button(**b) for buttons in rows for b in buttons if b["payload"] == payload), None)

    async def _turn(self, conversation: int, message: MessageRow) -> Turn:
        if (danger := safety.check(message.text)) is not None:
            return danger
        self._bell.ring(conversation_topic(conversation), {"type": "typing", "from": "bot", "ttl": 5})
        try:
            async with asyncio.timeout(self._patience):
                turn = await self._dialogue.ask(conversation, message.seq, message.text, message.payload)
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

    async def _close_turn(self, message: MessageRow, token: int, turn: Turn | None) -> None:
        conversation = message.conversation_id
        async with self._database.write() as session:
            row = await session.get_one(ConversationRow, conversation, with_for_update=True)
            closed = await session.scalar(
                update(MessageRow)
                .where(MessageRow.id == message.id, MessageRow.answered.is_(False))
                .values(answered=True)
                .returning(MessageRow.id)
                .execution_options(synchronize_session=False)
            )
            if closed is None:
                log.warning("conversation %s: message %s was answered by another process", conversation, message.seq)
                return
            if turn is None or row.owner_token != token:
                if turn is not None:
                    log.warning("conversation %s: %d late bot replies dropped", conversation, len(turn.replies))
                if row.owner != Owner.BOT:
                    await self._desk.arrived(session, conversation, message.seq)
                return
            for reply in turn.replies:
                await self._append(
                    session, conversation, Speaker.BOT, reply.text, buttons=reply.buttons, card=reply.card
                )
            if turn.handoff is not None:
                await self._set_owner(session, conversation, Owner.QUEUE)
                line = await self._desk.open(session, conversation, message.seq, turn.handoff)
                await self._append(session, conversation, Speaker.SYSTEM, line)

    async def _set_owner(self, session: AsyncSession, conversation: int, owner: Owner) -> None:
        await session.execute(
            update(ConversationRow)
            .where(ConversationRow.id == conversation)
            .values(owner=owner, owner_token=ConversationRow.owner_token + 1)
            .execution_options(synchronize_session="fetch")
        )
        after_commit(session, lambda: self._bell.ring(conversation_topic(conversation)))

    async def _conversation(self, session: AsyncSession, channel: str, sender: str) -> int:
        found = await self._find(session, channel, sender)
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
    async def _find(session: AsyncSession, channel: str, sender: str) -> int | None:
        found: int | None = await session.scalar(
            select(ConversationRow.id)
            .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
            .where(ContactRow.channel == channel, ContactRow.sender == sender)
        )
        return found

    async def _append(
        self,
        session: AsyncSession,
        conversation: int,
        speaker: Speaker,
        text: str,
        *,
        buttons: Sequence[Button] = (),
        card: Card | None = None,
        at: datetime | None = None,
        inbound_id: str | None = None,
        payload: str | None = None,
    ) -> int:
        seq = await session.scalar(
            update(ConversationRow)
            .where(ConversationRow.id == conversation)
            .values(last_seq=ConversationRow.last_seq + 1)
            .returning(ConversationRow.last_seq)
            .execution_options(synchronize_session=False)
        )
        assert seq is not None
        ours = speaker is not Speaker.CUSTOMER
        now = datetime.now(UTC)
        session.add(
            MessageRow(
                conversation_id=conversation,
                seq=seq,
                speaker=speaker,
                text=text,
                buttons=[{"title": b.title, "payload": b.payload} for b in buttons],
                card=dict(card) if card is not None else None,
                at=at or now,
                inbound_id=inbound_id,
                payload=payload,
                answered=ours,
                delivery="pending" if ours else "none",
                delivery_due=now if ours else None,
            )
        )
        await session.flush()
        after_commit(session, lambda: self._bell.ring(conversation_topic(conversation)))
        if ours:
            after_commit(session, lambda: self._bell.ring("outbox"))
        return seq


def _message(row: MessageRow) -> Message:
    return Message(
        row.seq,
        Speaker(row.speaker),
        row.text,
        tuple(Button(**b) for b in row.buttons),
        row.at,
        row.card,
        row.delivery_error if row.delivery == "failed" else None,
    )


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (failure := task.exception()) is not None:
        log.error("a background turn failed", exc_info=failure)
