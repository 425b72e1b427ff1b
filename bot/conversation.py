"""Conversations 会话: store first, then let the owner answer; one turn at a time per conversation."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from bot import backlog, readings, safety, transcript
from bot.bell import Bell, conversation_topic
from bot.database import ContactRow, ConversationRow, Database, MessageRow, after_commit
from bot.message import Attachment, Button, Delivery, Inbound, Message, Outbound, Owner, Receipt, Speaker, Turn

BOT_UNAVAILABLE = "抱歉，我现在暂时无法回答，已为您转接人工客服。紧急情况请拨打95598。"
BACK = Outbound(
    "我是小桥，接下来由我继续为您服务。问题解决了吗？",
    (Button("解决了", "解决了，谢谢"), Button("没有解决，转人工", "转人工")),
)
NO_WORDS = "收到了，谢谢。请再用文字说说您的问题，或者发送“转人工”。"
ANSWER_AGAIN = (1, 2, 4, 8, 16, 32)

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


Shortcut = Callable[[int, str], Awaitable[Turn | None]]
"""Answers some texts (conversation, what was said or chosen) before and without the dialogue; None for all others."""


class WrongOwner(RuntimeError):
    """The conversation is not the agent's; claim it before replying."""


class Conversations:
    """Receives, answers and hands over; every step is stored before it is told to anyone.

    Methods that take a session join the caller's transaction, so a ticket and its conversation change together.
    """

    def __init__(
        self,
        database: Database,
        dialogue: Dialogue,
        desk: Desk,
        bell: Bell | None = None,
        patience: float = 2.5,
        shortcuts: Sequence[Shortcut] = (),
    ) -> None:
        """`patience`: seconds the dialogue may take before the customer is handed to the queue."""
        self._shortcuts = shortcuts
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
            async with self._database.write() as session:
                return await transcript.store(session, self._bell, inbound)
        except IntegrityError:
            # another process stored the same contact in the same instant
            async with self._database.write() as session:
                return await transcript.store(session, self._bell, inbound)

    async def accept(self, inbound: Inbound) -> Receipt:
        """`receive`, and let the answer follow in the background."""
        receipt = await self.receive(inbound)
        self._start(self._answer_surely(receipt.conversation))
        return receipt

    async def _answer_surely(self, conversation: int) -> None:
        """`answer`, again after 1, 2, 4 … seconds when the database fails: what is stored is answered."""
        for wait in ANSWER_AGAIN:
            try:
                return await self.answer(conversation)
            except SQLAlchemyError:
                log.exception("conversation %s: the turn failed, trying again in %d s", conversation, wait)
                await asyncio.sleep(wait)
        await self.answer(conversation)

    async def answer(self, conversation: int) -> None:
        """Give every stored message that still waits its turn, in order; also after a restart.

        Messages that waited longer than `BACKLOG_AFTER`, as after downtime, share one turn.
        """
        async with self._locks[conversation]:
            more = True
            while more and (waiting := await self._waiting(conversation)) is not None:
                messages, owner, token = waiting
                turn: Turn | None
                if owner is Owner.BOT:
                    turn = await self._turn(conversation, messages)
                else:
                    turn = safety.check(backlog.said(messages))
                more = await self._close_turn(messages, token, turn)

    async def edit(self, channel: str, sender: str, platform_id: str, text: str, at: datetime) -> bool:
        """The customer changed a message they sent; False if it is not known or was changed later than `at`."""
        async with self._database.write() as session:
            return await transcript.edit(session, self._bell, channel, sender, platform_id, text, at)

    async def delivered(self, conversation: int, seq: int) -> None:
        """The customer's page has everything up to `seq`."""
        async with self._database.write() as session:
            await session.execute(
                update(MessageRow)
                .where(
                    MessageRow.conversation_id == conversation,
                    MessageRow.seq <= seq,
                    MessageRow.delivery.in_((Delivery.QUEUED, Delivery.SENT)),
                )
                .values(delivery=Delivery.DELIVERED, delivery_due=None)
            )

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

    async def reply(
        self, session: AsyncSession, conversation: int, text: str, attachments: Sequence[Attachment] = ()
    ) -> int:
        """Store an agent's reply and return its seq; raises `WrongOwner` unless an agent owns the conversation."""
        row = await session.get_one(ConversationRow, conversation)
        if row.owner != Owner.AGENT:
            raise WrongOwner(f"conversation {conversation} is owned by {row.owner}: claim it first")
        return await transcript.append(session, self._bell, conversation, Speaker.AGENT, text, attachments=attachments)

    async def hand_back(
        self, session: AsyncSession, conversation: int, line: str, summary: str = "", greeting: Outbound = BACK
    ) -> None:
        """Give the conversation back to the bot, which speaks first.

        The customer sees `line` and then the bot's `greeting`. Unless the bot had the conversation all along, the
        dialogue starts afresh, so no half-filled form goes on, and is told the `summary` of what the agent did.
        """
        owner = await session.scalar(select(ConversationRow.owner).where(ConversationRow.id == conversation))
        if owner != Owner.BOT:
            await self._set_owner(session, conversation, Owner.BOT)
            after_commit(session, lambda: self._start(self._dialogue.forget(conversation, summary)))
        await transcript.append(session, self._bell, conversation, Speaker.SYSTEM, line)
        await transcript.append(session, self._bell, conversation, Speaker.BOT, greeting.text, buttons=greeting.buttons)

    async def tell(self, session: AsyncSession, conversation: int, line: str) -> int:
        """A line from the system to the customer, whoever owns the conversation; returns its seq."""
        return await transcript.append(session, self._bell, conversation, Speaker.SYSTEM, line)

    async def missed(self, session: AsyncSession, conversation: int, seen: int) -> list[Message]:
        """Messages after `seen`; nobody adds one until the caller's transaction ends."""
        row = await session.get_one(ConversationRow, conversation, with_for_update=True)
        return await self._messages(session, conversation, seen) if row.last_seq > seen else []

    async def notify(self, session: AsyncSession, conversation: int, notice: Outbound) -> int:
        """A notice that nobody asked for: from the bot while it owns the conversation, else from the system."""
        row = await session.get_one(ConversationRow, conversation)
        speaker = Speaker.BOT if row.owner == Owner.BOT else Speaker.SYSTEM
        return await transcript.append(
            session, self._bell, conversation, speaker, notice.text, buttons=notice.buttons, card=notice.card
        )

    async def owner(self, conversation: int) -> Owner:
        """Who answers now."""
        async with self._database.read() as session:
            return Owner((await session.get_one(ConversationRow, conversation)).owner)

    async def look(self, conversation: int, after: int) -> tuple[list[Message], Owner]:
        """Messages with a seq above `after`, in order, and who answers now."""
        async with self._database.read() as session:
            row = await session.get_one(ConversationRow, conversation)
            fresh = await self._messages(session, conversation, after) if row.last_seq > after else []
            return fresh, Owner(row.owner)

    async def heads(self, conversations: Sequence[int]) -> dict[int, tuple[int, int]]:
        """The newest seq and the owner token of each: whether one of them changed since."""
        async with self._database.read() as session:
            rows = await session.execute(
                select(ConversationRow.id, ConversationRow.last_seq, ConversationRow.owner_token).where(
                    ConversationRow.id.in_(conversations)
                )
            )
            return {id: (seq, token) for id, seq, token in rows}

    async def find(self, channel: str, sender: str) -> int | None:
        """The conversation of a contact, or None before their first message."""
        async with self._database.read() as session:
            return await transcript.find(session, channel, sender)

    async def contact(self, conversation: int) -> Contact:
        """Whose conversation this is."""
        async with self._database.read() as session:
            row = await session.get_one(ConversationRow, conversation)
            contact = await session.get_one(ContactRow, row.contact_id)
            return Contact(contact.channel, contact.sender)

    async def messages(self, conversation: int, after: int = 0) -> list[Message]:
        """Messages with a seq above `after`, in order."""
        async with self._database.read() as session:
            return await self._messages(session, conversation, after)

    @staticmethod
    async def _messages(session: AsyncSession, conversation: int, after: int) -> list[Message]:
        rows = await session.scalars(
            select(MessageRow)
            .where(MessageRow.conversation_id == conversation, MessageRow.seq > after)
            .order_by(MessageRow.seq)
        )
        return [transcript.message(row) for row in rows]

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._turns.add(task)
        task.add_done_callback(self._turns.discard)
        task.add_done_callback(_log_failure)

    async def _turn(self, conversation: int, messages: Sequence[MessageRow]) -> Turn:
        last = messages[-1]
        text = backlog.said(messages)
        if (danger := safety.check(text)) is not None:
            return danger
        if not text:
            return Turn((Outbound(NO_WORDS),))
        for shortcut in self._shortcuts:
            if (turn := await shortcut(conversation, last.payload or text)) is not None:
                return turn
        self._bell.ring(conversation_topic(conversation), {"type": "typing", "from": "bot", "ttl": 5})
        reading = None
        try:
            async with asyncio.timeout(self._patience):
                turn = await self._dialogue.ask(conversation, last.seq, text, last.payload)
        except Exception:
            log.exception("conversation %s: the dialogue failed, handing to the queue", conversation)
        else:
            if turn.replies:
                return safety.remind(text, turn)
            reading = turn.reading
            log.error("conversation %s: the dialogue gave no reply, handing to the queue", conversation)
        return Turn((Outbound(BOT_UNAVAILABLE),), handoff="bot unavailable", reading=reading)

    async def _waiting(self, conversation: int) -> tuple[list[MessageRow], Owner, int] | None:
        async with self._database.read() as session:
            messages = await backlog.waiting(session, conversation)
            if not messages:
                return None
            row = await session.get_one(ConversationRow, conversation)
            return messages, Owner(row.owner), row.owner_token

    async def _close_turn(self, messages: Sequence[MessageRow], token: int, turn: Turn | None) -> bool:
        """Store what the turn came to; returns whether anything was said meanwhile that may wait for its own."""
        conversation, last = messages[-1].conversation_id, messages[-1]
        async with self._database.write() as session:
            row = await session.get_one(ConversationRow, conversation, with_for_update=True)
            more = row.last_seq > last.seq
            closed = await session.scalars(
                update(MessageRow)
                .where(MessageRow.id.in_([message.id for message in messages]), MessageRow.answered.is_(False))
                .values(answered=True)
                .returning(MessageRow.id)
                .execution_options(synchronize_session=False)
            )
            if not closed.all():
                log.warning("conversation %s: message %s was answered by another process", conversation, last.seq)
                return more
            if turn is not None and turn.reading is not None:
                readings.store(session, conversation, last.seq, backlog.said(messages), turn.reading)
            if turn is None or row.owner_token != token or row.owner != Owner.BOT:
                if turn is not None and turn.handoff != safety.HANDOFF:
                    log.warning("conversation %s: %d late bot replies dropped", conversation, len(turn.replies))
                if row.owner != Owner.BOT:
                    for message in messages:
                        await self._desk.arrived(session, conversation, message.seq)
                    if turn is not None and turn.handoff == safety.HANDOFF:
                        await self._warn(session, conversation, last.seq, turn)
                return more
            for reply in turn.replies:
                await transcript.append(
                    session,
                    self._bell,
                    conversation,
                    Speaker.BOT,
                    reply.text,
                    buttons=reply.buttons,
                    card=reply.card,
                    answers=last.seq,
                )
            if turn.handoff is not None:
                await self._set_owner(session, conversation, Owner.QUEUE)
                line = await self._desk.open(session, conversation, last.seq, turn.handoff)
                await transcript.append(session, self._bell, conversation, Speaker.SYSTEM, line, answers=last.seq)
            return more

    async def _warn(self, session: AsyncSession, conversation: int, seq: int, danger: Turn) -> None:
        """Danger while a person owns the conversation: the advice and a ticket all the same, from the system."""
        line = await self._desk.open(session, conversation, seq, safety.HANDOFF)
        for text in (*(reply.text for reply in danger.replies), line):
            await transcript.append(session, self._bell, conversation, Speaker.SYSTEM, text)

    async def _set_owner(self, session: AsyncSession, conversation: int, owner: Owner) -> None:
        await session.execute(
            update(ConversationRow)
            .where(ConversationRow.id == conversation)
            .values(owner=owner, owner_token=ConversationRow.owner_token + 1)
            .execution_options(synchronize_session="fetch")
        )
        after_commit(session, lambda: self._bell.ring(conversation_topic(conversation)))


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (failure := task.exception()) is not None:
        log.error("a background turn failed", exc_info=failure)
