"""Delivery: stored before sent, in order per conversation, retried, never silently dropped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from bot.bell import Bell, conversation_topic
from bot.channel import Channel, Throttled, Undeliverable
from bot.database import ContactRow, ConversationRow, Database, MessageRow
from bot.message import Button, Outbound

MAX_TRIES = 8
FIRST_WAIT = 2.0
LOOK_EVERY = 2.0
STOP_WAIT = 5.0
BATCH = 200

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Due:
    id: int
    conversation: int
    channel: str
    recipient: str
    outbound: Outbound
    tries: int


class Outbox:
    """Sends pending messages; one that fails waits 2, 4, 8 … seconds and holds back only its own conversation.

    After `MAX_TRIES` (about four minutes) or an `Undeliverable` the message is marked failed with its reason.
    """

    def __init__(self, database: Database, channels: Sequence[Channel], bell: Bell) -> None:
        """`channels` by name; a message for a door that is not mounted waits until it is."""
        self._database = database
        self._channels: Mapping[str, Channel] = {channel.name: channel for channel in channels}
        self._bell = bell

    async def run(self) -> None:
        """Send until cancelled: at each ring of "outbox", and every two seconds.

        What is being sent when the cancel comes is sent and marked to its end (at most `STOP_WAIT` seconds),
        so that an orderly stop doubles nothing.
        """
        with self._bell.listen("outbox") as rings:
            while True:
                flush = asyncio.create_task(self.flush())
                try:
                    await asyncio.shield(flush)
                except asyncio.CancelledError:
                    await asyncio.wait([flush], timeout=STOP_WAIT)
                    flush.cancel()
                    raise
                except Exception:
                    log.exception("the outbox could not read or mark its messages; trying again")
                    await asyncio.sleep(LOOK_EVERY)
                try:
                    async with asyncio.timeout(LOOK_EVERY):
                        await rings.get()
                except TimeoutError:
                    continue
                while not rings.empty():
                    rings.get_nowait()

    async def flush(self) -> int:
        """Send everything that is due now and return how many messages were sent."""
        total = 0
        while due := await self._due():
            rows: dict[int, list[_Due]] = {}
            for message in due:
                rows.setdefault(message.conversation, []).append(message)
            done = await asyncio.gather(*(self._send_in_order(messages) for messages in rows.values()))
            sent = [id for ids in done for id in ids]
            await self._mark_sent(sent)
            total += len(sent)
            if len(due) < BATCH:
                break
        return total

    async def _due(self) -> list[_Due]:
        now = datetime.now(UTC)
        held = (
            select(MessageRow.conversation_id)
            .where(MessageRow.delivery == "pending", MessageRow.delivery_due > now)
            .distinct()
        )
        async with self._database.read() as session:
            rows = await session.execute(
                select(MessageRow, ContactRow)
                .join(ConversationRow, ConversationRow.id == MessageRow.conversation_id)
                .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
                .where(
                    MessageRow.delivery == "pending",
                    ContactRow.channel.in_(self._channels),
                    MessageRow.conversation_id.not_in(held),
                )
                .order_by(MessageRow.conversation_id, MessageRow.seq)
                .limit(BATCH)
            )
            return [
                _Due(
                    message.id,
                    message.conversation_id,
                    contact.channel,
                    contact.sender,
                    Outbound(message.text, tuple(Button(**b) for b in message.buttons), message.card),
                    message.delivery_tries,
                )
                for message, contact in rows
            ]

    async def _send_in_order(self, messages: Sequence[_Due]) -> list[int]:
        sent: list[int] = []
        for message in messages:
            try:
                await self._channels[message.channel].send(message.recipient, message.outbound)
            except Undeliverable as failure:
                await self._mark_failed(message, str(failure))
            except Throttled as failure:
                await self._postpone(message, failure.retry_after, message.tries, str(failure))
                break
            except Exception as failure:
                tries = message.tries + 1
                log.warning("message %s: try %d failed: %s", message.id, tries, failure)
                if tries >= MAX_TRIES:
                    await self._mark_failed(message, f"{type(failure).__name__}: {failure}")
                    continue
                await self._postpone(message, FIRST_WAIT * 2 ** (tries - 1), tries, str(failure))
                break
            else:
                sent.append(message.id)
        return sent

    async def _mark_sent(self, ids: Sequence[int]) -> None:
        if ids:
            async with self._database.write() as session:
                await session.execute(
                    update(MessageRow).where(MessageRow.id.in_(ids)).values(delivery="sent", delivery_due=None)
                )

    async def _mark_failed(self, message: _Due, error: str) -> None:
        async with self._database.write() as session:
            await session.execute(
                update(MessageRow)
                .where(MessageRow.id == message.id)
                .values(delivery="failed", delivery_due=None, delivery_error=error[:256])
            )
        log.error("message %s could not be delivered: %s", message.id, error)
        self._bell.ring(conversation_topic(message.conversation))

    async def _postpone(self, message: _Due, seconds: float, tries: int, error: str) -> None:
        async with self._database.write() as session:
            await session.execute(
                update(MessageRow)
                .where(MessageRow.id == message.id)
                .values(
                    delivery_due=datetime.now(UTC) + timedelta(seconds=seconds),
                    delivery_tries=tries,
                    delivery_error=error[:256],
                )
            )
