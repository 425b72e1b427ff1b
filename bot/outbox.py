"""Delivery: stored before sent, in order per conversation, retried, never silently dropped."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

from prometheus_client import Counter, Histogram
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.bell import Bell, conversation_topic, rung
from bot.breaker import Breaker
from bot.channel import Channel, Throttled, Unconfirmed, Undeliverable
from bot.database import ContactRow, ConversationRow, Database, MessageRow
from bot.message import Attachment, Button, Delivery, Outbound

MAX_TRIES = 8
FIRST_WAIT = 2.0
LOOK_EVERY = 2.0
STOP_WAIT = 5.0
BATCH = 200
AT_ONCE = 400
LEASE = timedelta(seconds=30)
LASTS = timedelta(hours=48)
EXPIRED = "超过48小时没有送达"
UNCONFIRMED = "平台没有确认，可能已经送达"
SENDING = "正在发送"
AGAIN = "发送时服务中断，已重发，客户可能收到两次"

log = logging.getLogger(__name__)
_waited = Histogram("dianqiao_delivery_seconds", "From a reply stored to the platform having it", ["channel"])
_outcomes = Counter("dianqiao_deliveries", "Messages by how their delivery ended", ["channel", "delivery"])


@dataclass(frozen=True)
class _Due:
    id: int
    conversation: int
    channel: str
    recipient: str
    outbound: Outbound
    tries: int
    parts: int
    stored: datetime
    error: str | None = None

    @property
    def outcome(self) -> str | None:
        """What is remembered of it once it is sent: whether a killed process was sending it before."""
        return AGAIN if self.error in (SENDING, AGAIN) else None


class Outbox:
    """Sends queued messages; one that fails waits 2, 4, 8 … seconds and holds back only its own conversation.

    After `MAX_TRIES` (about four minutes) or an `Undeliverable` the message is a dead letter with its reason. A
    platform that keeps failing is left alone (`Breaker`), which costs no tries. Before sending, messages are leased by
    moving their due time: two processes never send the same one, and a killed one's are sent after the lease.

    At least once: what was on its way when the process was killed is sent again, because losing a reply is worse than
    saying it twice. WeChat knows our key; Telegram has no such key, so there a customer may read that message twice.
    That is one message for each customer and kill, no more: each is marked `SENDING` before the platform gets it,
    in the same transaction that marks the one before it as sent, and keeps `AGAIN` once it went out a second time.
    """

    def __init__(
        self,
        database: Database,
        channels: Sequence[Channel],
        bell: Bell,
        clock: Callable[[], float] = time.monotonic,
        lease: timedelta = LEASE,
    ) -> None:
        """`channels` by name; a message for a door that is not mounted waits until it is. `clock` of the breakers.

        A `lease` must be twice as long as the longest try of a channel.
        """
        self._lease = lease
        self._database = database
        self._channels: Mapping[str, Channel] = {channel.name: channel for channel in channels if channel.pushes}
        self._breakers = {name: Breaker(clock) for name in self._channels}
        self._bell = bell
        self._running: set[asyncio.Task[None]] = set()
        self._sent: dict[int, tuple[_Due, _Due | None]] = {}
        self._marking = asyncio.Lock()
        self._total = 0
        self._expired_at = 0.0

    async def run(self) -> None:
        """Send until cancelled: at each ring of "outbox", and every two seconds.

        What is being sent when the cancel comes is sent and marked to its end (at most `STOP_WAIT` seconds),
        so that an orderly stop doubles nothing.
        """
        with self._bell.listen("outbox") as rings:
            try:
                while True:
                    step = asyncio.create_task(self._step())
                    try:
                        await asyncio.shield(step)
                    except asyncio.CancelledError:
                        await asyncio.wait([step], timeout=STOP_WAIT)
                        raise
                    except Exception:
                        log.exception("the outbox could not read or mark its messages; trying again")
                    await rung(rings, LOOK_EVERY)
            except asyncio.CancelledError:
                await self._finish()
                raise

    async def flush(self) -> int:
        """Send everything that is due now and return how many messages were sent."""
        before = self._total
        while True:
            await self._step()
            if not self._running:
                return self._total - before
            await asyncio.wait(self._running)

    async def _finish(self) -> None:
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=STOP_WAIT)
            for task in late:
                task.cancel()
        await self._mark_sent()

    async def _step(self) -> None:
        await self._mark_sent()
        await self._expire()
        while len(self._running) < AT_ONCE:
            due = await self._claim()
            for _, messages in groupby(due, key=lambda message: message.conversation):
                task = asyncio.create_task(self._send_in_order(list(messages)))
                self._running.add(task)
                task.add_done_callback(self._ended)
            if len(due) < BATCH:
                break

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("a delivery failed to be marked; it is tried again later", exc_info=failure)
        self._bell.ring("outbox")

    async def _claim(self) -> list[_Due]:
        """Messages that are due, leased; all of a conversation's or none, so that no other process overtakes."""
        due = await self._due()
        if not due:
            return []
        now = datetime.now(UTC)
        async with self._database.write() as session:
            claimed = set(
                await session.scalars(
                    update(MessageRow)
                    .where(
                        MessageRow.id.in_([message.id for message in due]),
                        MessageRow.delivery == Delivery.QUEUED,
                        MessageRow.delivery_due <= now,
                    )
                    .values(delivery_due=now + self._lease)
                    .returning(MessageRow.id)
                    .execution_options(synchronize_session=False)
                )
            )
            elsewhere = {message.conversation for message in due if message.id not in claimed}
            if elsewhere:
                await session.execute(
                    update(MessageRow)
                    .where(MessageRow.id.in_(claimed), MessageRow.conversation_id.in_(elsewhere))
                    .values(delivery_due=now)
                    .execution_options(synchronize_session=False)
                )
            ours = [message for message in due if message.conversation not in elsewhere]
            await self._mark_sending(session, {one.conversation: one for one in reversed(ours)}.values())
        return ours

    async def _due(self) -> list[_Due]:
        now = datetime.now(UTC)
        names = [name for name, breaker in self._breakers.items() if not breaker.open]
        if not names:
            return []
        held = (
            select(MessageRow.conversation_id)
            .where(MessageRow.delivery == Delivery.QUEUED, MessageRow.delivery_due > now)
            .distinct()
        )
        async with self._database.read() as session:
            rows = await session.execute(
                select(MessageRow, ContactRow)
                .join(ConversationRow, ConversationRow.id == MessageRow.conversation_id)
                .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
                .where(
                    MessageRow.delivery == Delivery.QUEUED,
                    ContactRow.channel.in_(names),
                    MessageRow.conversation_id.not_in(held),
                )
                .order_by(MessageRow.conversation_id, MessageRow.seq)
                .limit(BATCH)
            )
            due = [
                _Due(
                    row.id,
                    row.conversation_id,
                    contact.channel,
                    contact.sender,
                    Outbound(
                        row.text,
                        tuple(Button(**b) for b in row.buttons),
                        row.card,
                        f"{row.conversation_id}-{row.seq}",
                        tuple(Attachment(**a) for a in row.attachments),
                    ),
                    row.delivery_tries,
                    row.delivery_parts,
                    row.at,
                    row.delivery_error,
                )
                for row, contact in rows
            ]
        for name, breaker in self._breakers.items():
            if breaker.trying:
                first = next((message.conversation for message in due if message.channel == name), None)
                due = [message for message in due if message.channel != name or message.conversation == first]
        return due

    async def _send_in_order(self, messages: Sequence[_Due]) -> None:
        until = time.monotonic() + self._lease.total_seconds() / 2
        for place, message in enumerate(messages):
            channel, breaker = self._channels[message.channel], self._breakers[message.channel]
            parts, done, doubt = channel.parts(message.outbound), message.parts, ""
            try:
                for number in range(done, len(parts)):
                    key = message.outbound.key if len(parts) == 1 else f"{message.outbound.key}-{number}"
                    try:
                        await channel.send(message.recipient, replace(parts[number], key=key))
                    except Unconfirmed as failure:
                        doubt = f"{UNCONFIRMED}：{failure}"
                    done = number + 1
                    if done < len(parts):
                        await self._mark_part(message, done)
            except Undeliverable as failure:
                outcome, reason = Delivery.FAILED, str(failure)
            except Throttled as failure:
                await self._postpone(messages, message, failure.retry_after, message.tries, str(failure), done)
                return
            except Exception as failure:
                breaker.failed()
                tries = message.tries + 1
                error = f"{type(failure).__name__}: {failure}"
                log.warning("message %s: try %d failed: %s", message.id, tries, error)
                if tries < MAX_TRIES:
                    await self._postpone(messages, message, FIRST_WAIT * 2 ** (tries - 1), tries, error, done)
                    return
                outcome, reason = Delivery.FAILED, error
            else:
                outcome, reason = Delivery.SENT, doubt
            # when the lease is nearly over, whoever finds the rest due goes on
            more = place + 1 < len(messages) and time.monotonic() < until
            following = messages[place + 1] if more else None
            if reason:
                if outcome is Delivery.SENT:
                    breaker.failed()
                await self._mark(message, outcome, reason, done, following)
            else:
                breaker.succeeded()
                self._sent[message.id] = replace(message, parts=done), following
                await self._mark_sent(message.id)
            if following is None:
                return

    async def _mark_sent(self, id: int | None = None) -> None:
        """Whoever comes first marks for all who wait; the next message may go out when the one before is marked."""
        async with self._marking:
            sent = dict(self._sent)
            if not sent or id is not None and id not in sent:
                return
            async with self._database.write() as session:
                for outcome, parts in {(message.outcome, message.parts) for message, _ in sent.values()}:
                    ids = [id for id, (one, _) in sent.items() if (one.outcome, one.parts) == (outcome, parts)]
                    done = {"delivery": Delivery.SENT, "delivery_due": None, "delivery_error": outcome}
                    await session.execute(
                        update(MessageRow).where(MessageRow.id.in_(ids)).values(**done, delivery_parts=parts)
                    )
                await self._mark_sending(session, [following for _, following in sent.values() if following])
            self._total += len(sent)
            now = datetime.now(UTC)
            for id, (message, _) in sent.items():
                del self._sent[id]
                _waited.labels(message.channel).observe((now - message.stored).total_seconds())
                _outcomes.labels(message.channel, "sent").inc()

    @staticmethod
    async def _mark_sending(session: AsyncSession, messages: Iterable[_Due]) -> None:
        marks: dict[str, list[int]] = {}
        for message in messages:
            marks.setdefault(message.outcome or SENDING, []).append(message.id)
        for mark, ids in marks.items():
            await session.execute(
                update(MessageRow)
                .where(MessageRow.id.in_(ids))
                .values(delivery_error=mark)
                .execution_options(synchronize_session=False)
            )

    async def _mark_part(self, message: _Due, parts: int) -> None:
        async with self._database.write() as session:
            await session.execute(update(MessageRow).where(MessageRow.id == message.id).values(delivery_parts=parts))

    async def _mark(self, message: _Due, delivery: Delivery, reason: str, parts: int, following: _Due | None) -> None:
        async with self._database.write() as session:
            await session.execute(
                update(MessageRow)
                .where(MessageRow.id == message.id)
                .values(delivery=delivery, delivery_due=None, delivery_error=reason[:256], delivery_parts=parts)
            )
            await self._mark_sending(session, [following] if following else [])
        _outcomes.labels(message.channel, str(delivery)).inc()
        if delivery is Delivery.FAILED:
            log.error("message %s could not be delivered: %s", message.id, reason)
        self._bell.ring(conversation_topic(message.conversation))

    async def _postpone(
        self, leased: Sequence[_Due], message: _Due, seconds: float, tries: int, error: str, parts: int
    ) -> None:
        """The message is due later, and with it those behind it."""
        now = datetime.now(UTC)
        behind = [other.id for other in leased if other.outbound is not message.outbound and other.id > message.id]
        async with self._database.write() as session:
            await session.execute(
                update(MessageRow)
                .where(MessageRow.id == message.id)
                .values(
                    delivery_due=now + timedelta(seconds=seconds),
                    delivery_tries=tries,
                    delivery_error=message.outcome or error[:256],
                    delivery_parts=parts,
                )
            )
            if behind:
                await session.execute(update(MessageRow).where(MessageRow.id.in_(behind)).values(delivery_due=now))

    async def _expire(self) -> None:
        """Once a minute, what waited longer than `LASTS` is given up."""
        if not self._channels or time.monotonic() < self._expired_at:
            return
        self._expired_at = time.monotonic() + 60
        theirs = (
            select(ConversationRow.id)
            .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
            .where(ContactRow.channel.in_(self._channels))
        )
        async with self._database.write() as session:
            await session.execute(
                update(MessageRow)
                .where(
                    MessageRow.delivery == Delivery.QUEUED,
                    MessageRow.at < datetime.now(UTC) - LASTS,
                    MessageRow.conversation_id.in_(theirs),
                )
                .values(delivery=Delivery.EXPIRED, delivery_due=None, delivery_error=EXPIRED)
                .execution_options(synchronize_session=False)
            )
