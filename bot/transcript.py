"""What was said: how messages are stored, numbered and read; the rows behind `bot.conversation`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import ForeignKey, Select, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bot.bell import MEDIA, Bell, conversation_topic
from bot.database import Base, ContactRow, ConversationRow, MessageRow, UtcDateTime, after_commit
from bot.message import Attachment, Button, Card, Delivery, Inbound, Message, Receipt, Speaker

NUL_SHOWN = "\N{SYMBOL FOR NULL}"
OFFERED_WITHIN = 30
LONGEST_TITLE = 20
_CHOICE = re.compile(r"(我?(选择?|要))?第?(?P<number>\d{1,2}|[一二两三四五六七八九十])(个|项|条)?(吧|呢)?[.。、!！]?")


class MediaRow(Base):
    """A message whose attachments a platform still holds; `due` is when to ask (again), or until when someone asks."""

    __tablename__ = "media"
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), primary_key=True, autoincrement=False)
    tries: Mapped[int] = mapped_column(default=0)
    due: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


async def store(session: AsyncSession, bell: Bell, inbound: Inbound) -> Receipt:
    """Store a customer's message once; a repeated id returns the first receipt and counts the try."""
    conversation = await _lock_or_make(session, inbound.channel, inbound.sender)
    known = await session.scalar(
        update(MessageRow)
        .where(MessageRow.conversation_id == conversation, MessageRow.inbound_id == inbound.id)
        .values(delivery_tries=MessageRow.delivery_tries + 1)
        .returning(MessageRow.seq)
        .execution_options(synchronize_session=False)
    )
    if known is not None:
        return Receipt(conversation, known)
    text, payload = inbound.text.replace("\x00", NUL_SHOWN), None
    button = await _pressed(session, conversation, inbound, text)
    if button is not None:
        text, payload = button.title, button.payload
    elif inbound.payload is not None:
        text = text or inbound.payload
    seq = await append(
        session, bell, conversation, Speaker.CUSTOMER, text, at=inbound.sent_at, payload=payload, inbound=inbound
    )
    await _requeue(session, bell, conversation)
    return Receipt(conversation, seq)


async def append(
    session: AsyncSession,
    bell: Bell,
    conversation: int,
    speaker: Speaker,
    text: str,
    *,
    buttons: Sequence[Button] = (),
    card: Card | None = None,
    attachments: Sequence[Attachment] = (),
    at: datetime | None = None,
    payload: str | None = None,
    inbound: Inbound | None = None,
    answers: int | None = None,
) -> int:
    """Store one message under the conversation's next seq, and return it; bells ring after the commit."""
    seq = await session.scalar(
        update(ConversationRow)
        .where(ConversationRow.id == conversation)
        .values(last_seq=ConversationRow.last_seq + 1)
        .returning(ConversationRow.last_seq)
        .execution_options(synchronize_session=False)
    )
    assert seq is not None
    ours = inbound is None
    now = datetime.now(UTC)
    row = MessageRow(
        conversation_id=conversation,
        seq=seq,
        speaker=speaker,
        text=text,
        buttons=[{"title": b.title, "payload": b.payload} for b in buttons],
        card=dict(card) if card is not None else None,
        at=at or now,
        inbound_id=inbound.id if inbound else None,
        platform_id=inbound.platform_id if inbound else None,
        attachments=[asdict(a) for a in (inbound.attachments if inbound else attachments)],
        payload=payload,
        answers=answers,
        answered=ours,
        delivery=Delivery.QUEUED if ours else Delivery.NONE,
        delivery_tries=0 if ours else 1,
        delivery_due=now if ours else None,
    )
    session.add(row)
    await session.flush()
    if inbound is not None and any(attachment.awaited for attachment in inbound.attachments):
        session.add(MediaRow(message_id=row.id, due=now))
        after_commit(session, lambda: bell.ring(MEDIA))
    after_commit(session, lambda: bell.ring(conversation_topic(conversation)))
    if ours:
        after_commit(session, lambda: bell.ring("outbox"))
    return seq


async def edit(
    session: AsyncSession, bell: Bell, channel: str, sender: str, platform_id: str, text: str, at: datetime
) -> bool:
    """The customer changed a message; the first wording is kept. An older or repeated edit changes nothing."""
    conversation = await find(session, channel, sender)
    changed = await session.scalar(
        update(MessageRow)
        .where(
            MessageRow.conversation_id == conversation,
            MessageRow.platform_id == platform_id,
            MessageRow.speaker == Speaker.CUSTOMER,
            or_(MessageRow.edited_at.is_(None), MessageRow.edited_at < at),
        )
        .values(
            text=text.replace("\x00", NUL_SHOWN),
            edited_at=at,
            original=func.coalesce(MessageRow.original, MessageRow.text),
        )
        .returning(MessageRow.id)
        .execution_options(synchronize_session=False)
    )
    if conversation is not None:
        after_commit(session, lambda: bell.ring(conversation_topic(conversation)))
    return changed is not None


async def find(session: AsyncSession, channel: str, sender: str) -> int | None:
    """The conversation of a contact, or None before their first message."""
    found: int | None = await session.scalar(_of(channel, sender))
    return found


def _of(channel: str, sender: str) -> Select[tuple[int]]:
    return (
        select(ConversationRow.id)
        .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
        .where(ContactRow.channel == channel, ContactRow.sender == sender)
    )


async def _lock_or_make(session: AsyncSession, channel: str, sender: str) -> int:
    """The conversation of a contact, made at their first message; `IntegrityError` if another process just made it.

    Nobody else adds a message to it until the transaction ends.
    """
    found: int | None = await session.scalar(_of(channel, sender).with_for_update(of=ConversationRow))
    if found is not None:
        return found
    contact = ContactRow(channel=channel, sender=sender)
    session.add(contact)
    await session.flush()
    row = ConversationRow(contact_id=contact.id)
    session.add(row)
    await session.flush()
    return row.id


def message(row: MessageRow) -> Message:
    """A row as everyone else sees it."""
    lost = row.delivery in (Delivery.FAILED, Delivery.EXPIRED)
    return Message(
        row.seq,
        Speaker(row.speaker),
        row.text,
        tuple(Button(**b) for b in row.buttons),
        row.at,
        row.card,
        row.delivery_error if lost else None,
        Delivery(row.delivery),
        tuple(Attachment(**a) for a in row.attachments),
        row.original,
        row.delivery_error if row.delivery == Delivery.SENT else None,
        row.inbound_id,
    )


async def _pressed(session: AsyncSession, conversation: int, inbound: Inbound, text: str) -> Button | None:
    """The offered button that was meant: named by its place, by its payload, or by its number typed as text."""
    ours = select(MessageRow.buttons).where(
        MessageRow.conversation_id == conversation, MessageRow.speaker != Speaker.CUSTOMER
    )
    if inbound.choice is not None:
        seq, place = inbound.choice
        buttons = await session.scalar(ours.where(MessageRow.seq == seq)) or []
        return Button(**buttons[place]) if 0 <= place < len(buttons) else None
    if inbound.payload is not None:
        rows = await session.scalars(ours.order_by(MessageRow.seq.desc()).limit(OFFERED_WITHIN))
        return next((Button(**b) for buttons in rows for b in buttons if b["payload"] == inbound.payload), None)
    said = unicodedata.normalize("NFKC", text).strip()
    if len(said) <= LONGEST_TITLE:
        latest = (
            select(MessageRow.answers, MessageRow.buttons)
            .where(
                MessageRow.conversation_id == conversation,
                MessageRow.delivery.in_((Delivery.SENT, Delivery.DELIVERED)),
            )
            .order_by(MessageRow.seq.desc())
            .limit(OFFERED_WITHIN)
        )
        shown = (await session.execute(latest)).all()
        turn = [row.buttons for row in shown if row.answers == shown[0].answers]
        buttons = next((offered for offered in turn if offered), [])
        meant = _place(said, [button["title"] for button in buttons])
        return Button(**buttons[meant]) if meant is not None else None
    return None


def _place(said: str, titles: Sequence[str]) -> int | None:
    """Which offered title is meant by "2", "第二个", "选二", its own words or those beside its comma; else None."""
    if (found := _CHOICE.fullmatch(said)) is not None:
        number = found["number"]
        place = int(number) if number.isdecimal() else "一二三四五六七八九十".index(number.replace("两", "二")) + 1
        return place - 1 if 1 <= place <= len(titles) else None
    words = said.rstrip("。.!！吧")
    meant = [place for place, title in enumerate(titles) if words and words in (title, *re.split("[，,]", title))]
    return meant[0] if len(meant) == 1 else None


async def _requeue(session: AsyncSession, bell: Bell, conversation: int) -> None:
    """The customer is reachable again: what could not be delivered is tried again."""
    requeued = await session.scalars(
        update(MessageRow)
        .where(MessageRow.conversation_id == conversation, MessageRow.delivery == Delivery.FAILED)
        .values(delivery=Delivery.QUEUED, delivery_due=datetime.now(UTC), delivery_tries=0)
        .returning(MessageRow.id)
        .execution_options(synchronize_session=False)
    )
    if requeued.all():
        after_commit(session, lambda: bell.ring("outbox"))
