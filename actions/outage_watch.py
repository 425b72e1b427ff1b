"""What a contact waits for: an outage they asked about or reported, and notices of an area they subscribed to.

A changed estimate is told once; after restoration the contact is asked 「您家来电了吗？」: a "no" reopens the report.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from actions.sentences import Sentences
from actions.speech import Clock, local
from actions.systems import Area, Outage, OutageSystem, SystemUnavailable
from bot.conversation import Conversations
from bot.database import Base, Database, UtcDateTime

OPEN, ASKED, CLOSED = "open", "asked", "closed"
KEPT = timedelta(days=3)
ASKED_FOR = timedelta(hours=24)
KINDS = {"planned": "计划停电", "fault": "故障停电", "temporary": "临时停电"}
BACK = re.compile(r"没问题|(有|来)电了?|来了|好了|恢复|亮了|正常|^(是|对|嗯|可以)|解决")
NO_ANSWER = re.compile(r"不用|不需要|算了|取消|不办|[?？]|电费|余额|怎么|什么时候")
STILL_OUT = re.compile(r"没|冇|不行|不亮|黑|^(不|否)|停")

log = logging.getLogger(__name__)


class OutageWatchRow(Base):
    """One contact waiting for power in one area; `told_end` is the estimate they know, `report_no` their own report."""

    __tablename__ = "outage_watch"
    __table_args__ = (Index("ix_outage_watch_open", "state", "area_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"), index=True)
    area_id: Mapped[str] = mapped_column(String(64))
    area_name: Mapped[str] = mapped_column(String(128))
    outage_id: Mapped[str | None] = mapped_column(String(64))
    report_no: Mapped[str | None] = mapped_column(String(64))
    told_end: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(8), default=OPEN)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OutageSubscriptionRow(Base):
    """Notices of an area a contact wants; `told` holds the outages they were told of."""

    __tablename__ = "outage_subscription"
    __table_args__ = (UniqueConstraint("conversation_id", "area_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"), index=True)
    area_id: Mapped[str] = mapped_column(String(64))
    area_name: Mapped[str] = mapped_column(String(128))
    told: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class OutageWatch:
    """Remembers, reports once, and looks around."""

    def __init__(
        self, database: Database, outages: OutageSystem, conversations: Conversations, sentences: Sentences,
        clock: Clock,
    ) -> None:  # fmt: skip
        """`sentences` fills the domain's responses for notices."""
        self._database = database
        self._outages = outages
        self._conversations = conversations
        self._sentences = sentences
        self._clock = clock

    async def follow(self, conversation: int, area: Area, outage: Outage | None) -> OutageWatchRow:
        """Remember that the contact waits for power in `area` and knows what `outage` says now."""
        async with self._database.write() as session:
            row = await self._open(session, conversation, area)
            if outage is not None:
                row.outage_id, row.told_end = outage.outage_id, outage.ends_at
            return row

    async def reported(self, conversation: int, area_id: str) -> OutageWatchRow | None:
        """The contact's own fault report of this area that is not settled, or None."""
        async with self._database.read() as session:
            found: OutageWatchRow | None = await session.scalar(
                self._newest(conversation, OPEN).where(
                    OutageWatchRow.area_id == area_id, OutageWatchRow.report_no.is_not(None)
                )
            )
            return found

    async def last(self, conversation: int) -> OutageWatchRow | None:
        """The area the contact last waited for and still does, or None."""
        async with self._database.read() as session:
            found: OutageWatchRow | None = await session.scalar(
                self._newest(conversation, OPEN).where(OutageWatchRow.created_at > self._clock() - KEPT)
            )
            return found

    async def report(self, conversation: int, area: Area, account_no: str | None, description: str) -> str:
        """File the fault once: until it is settled the same number is returned. Raises `SystemUnavailable`."""
        async with self._database.write() as session:
            row = await self._open(session, conversation, area)
        if row.report_no is not None:
            return row.report_no
        # the row's id is the key: a retry after a crash between the two systems gets the same number
        number = await self._outages.report_fault(
            account_no=account_no, area_id=area.area_id, description=description,
            contact=f"conversation {conversation}", idempotency_key=f"{conversation}-{row.id}",
        )  # fmt: skip
        async with self._database.write() as session:
            await session.execute(update(OutageWatchRow).where(OutageWatchRow.id == row.id).values(report_no=number))
        return number

    async def awaited(self, conversation: int) -> OutageWatchRow | None:
        """What the contact was asked 「您家来电了吗？」 about within a day, or None."""
        async with self._database.read() as session:
            found: OutageWatchRow | None = await session.scalar(
                self._newest(conversation, ASKED).where(OutageWatchRow.asked_at > self._clock() - ASKED_FOR)
            )
            return found

    async def settle(self, row: OutageWatchRow) -> bool:
        """The contact answered; False when the question was settled meanwhile."""
        async with self._database.write() as session:
            changed = await session.scalar(
                update(OutageWatchRow)
                .where(OutageWatchRow.id == row.id, OutageWatchRow.state == ASKED)
                .values(state=CLOSED)
                .returning(OutageWatchRow.id)
                .execution_options(synchronize_session=False)
            )
            return changed is not None

    async def subscribe(self, conversation: int, area: Area, known: Sequence[Outage], wanted: bool) -> None:
        """Begin or end notices of an area; the `known` outages need no notice."""
        async with self._database.write() as session:
            row = await session.scalar(
                select(OutageSubscriptionRow).where(
                    OutageSubscriptionRow.conversation_id == conversation,
                    OutageSubscriptionRow.area_id == area.area_id,
                )
            )
            if row is not None and not wanted:
                await session.delete(row)
            if row is None and wanted:
                session.add(
                    OutageSubscriptionRow(
                        conversation_id=conversation, area_id=area.area_id, area_name=area.name,
                        told=[outage.outage_id for outage in known], created_at=self._clock(),
                    )
                )  # fmt: skip

    async def look(self) -> int:
        """One round over everything that is waited for; returns how many notices were sent."""
        async with self._database.read() as session:
            rows: list[OutageWatchRow | OutageSubscriptionRow] = [
                *await session.scalars(
                    select(OutageWatchRow).where(
                        OutageWatchRow.state == OPEN, OutageWatchRow.created_at > self._clock() - KEPT
                    )
                ),
                *await session.scalars(select(OutageSubscriptionRow)),
            ]
        seen: dict[str, Sequence[Outage] | None] = {}
        sent = 0
        for row in rows:
            if row.area_id not in seen:
                try:
                    seen[row.area_id] = await self._outages.outages(row.area_id)
                except SystemUnavailable as failure:
                    log.info("area %s waits: %s", row.area_id, failure)
                    seen[row.area_id] = None
            if (found := seen[row.area_id]) is not None:
                if isinstance(row, OutageWatchRow):
                    sent += await self._follow_up(row, found)
                else:
                    sent += await self._announce(row, found)
        return sent

    async def _follow_up(self, row: OutageWatchRow, outages: Sequence[Outage]) -> bool:
        outage = next((o for o in outages if o.outage_id == row.outage_id), None)
        if outage is None and row.outage_id is None:
            now = self._clock()
            outage = next((o for o in outages if o.starts_at <= now and o.restored_at is None), None)
        if outage is None:
            return False
        if outage.restored_at is not None:
            values: dict[str, Any] = {"state": ASKED, "asked_at": self._clock()}
            return await self._tell(row, values, "say_restored", back=local(outage.restored_at))
        if outage.ends_at is not None and outage.ends_at != row.told_end:
            response = "say_estimate_changed" if row.told_end is not None else "say_estimate"
            values = {"told_end": outage.ends_at, "outage_id": outage.outage_id}
            return await self._tell(row, values, response, end=local(outage.ends_at), as_of=local(outage.as_of))
        return False

    async def _tell(self, row: OutageWatchRow, values: dict[str, Any], response: str, **said: str) -> bool:
        """Change the row and tell it in one transaction; nothing when another process already has."""
        async with self._database.write() as session:
            known = (
                OutageWatchRow.told_end.is_(None) if row.told_end is None else OutageWatchRow.told_end == row.told_end
            )
            changed = await session.scalar(
                update(OutageWatchRow)
                .where(OutageWatchRow.id == row.id, OutageWatchRow.state == OPEN, known)
                .values(**values)
                .returning(OutageWatchRow.id)
                .execution_options(synchronize_session=False)
            )
            if changed is None:
                return False
            notice = self._sentences.fill(response, area=row.area_name, **said)
            await self._conversations.notify(session, row.conversation_id, notice)
            return True

    async def _announce(self, row: OutageSubscriptionRow, outages: Sequence[Outage]) -> bool:
        fresh = [o for o in outages if o.outage_id not in row.told and o.restored_at is None]
        if not fresh:
            return False
        async with self._database.write() as session:
            current = await session.get(OutageSubscriptionRow, row.id, with_for_update=True)
            if current is None:
                return False
            told = set(current.told)
            fresh = [outage for outage in fresh if outage.outage_id not in told]
            current.told = [*current.told, *(outage.outage_id for outage in fresh)]
            for outage in fresh:
                notice = self._sentences.fill(
                    "say_outage_notice", area=row.area_name, kind=KINDS.get(outage.kind, "停电"),
                    start=local(outage.starts_at), end=local(outage.ends_at) if outage.ends_at else "待定",
                    reason=outage.reason, as_of=local(outage.as_of),
                )  # fmt: skip
                await self._conversations.notify(session, row.conversation_id, notice)
            return bool(fresh)

    async def _open(self, session: AsyncSession, conversation: int, area: Area) -> OutageWatchRow:
        row: OutageWatchRow | None = await session.scalar(
            self._newest(conversation, OPEN).where(
                OutageWatchRow.area_id == area.area_id, OutageWatchRow.created_at > self._clock() - KEPT
            )
        )
        if row is None:
            row = OutageWatchRow(
                conversation_id=conversation, area_id=area.area_id, area_name=area.name, state=OPEN,
                created_at=self._clock(),
            )  # fmt: skip
            session.add(row)
            await session.flush()
        return row

    @staticmethod
    def _newest(conversation: int, state: str) -> Any:
        return (
            select(OutageWatchRow)
            .where(OutageWatchRow.conversation_id == conversation, OutageWatchRow.state == state)
            .order_by(OutageWatchRow.id.desc())
            .limit(1)
        )


def is_back(text: str) -> bool | None:
    """What an answer to 「您家来电了吗？」 means; None when it is no answer."""
    if NO_ANSWER.search(text):
        return None
    if STILL_OUT.search(text) and not re.search(r"没(有)?问题", text):
        return False
    return True if BACK.search(text) else None
