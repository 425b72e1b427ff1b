"""The history of a ticket: every change is an event row with who, when and why; the guard is applied here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.bell import DESK, QUEUE, Bell, conversation_topic
from bot.database import after_commit
from triage import order
from triage.ticket import (
    MOVES,
    OPEN,
    UNCLAIMED,
    IllegalMove,
    NoTicket,
    StaleTicket,
    Status,
    TicketEventRow,
    TicketRow,
    in_states,
)


class History:
    """Reads tickets for a change, moves them by the guard table, and records what was done."""

    def __init__(self, bell: Bell, clock: Callable[[], datetime]) -> None:
        """`bell` rings for the queue and the ticket's conversation after the commit."""
        self._bell = bell
        self._clock = clock

    async def locked(self, session: AsyncSession, id: int, version: int | None = None) -> TicketRow:
        """The ticket, locked for this transaction; raises `NoTicket`, or `StaleTicket` when `version` is not its."""
        row = await session.get(TicketRow, id, with_for_update=True)
        if row is None:
            raise NoTicket(f"没有工单 {id}")
        if version is not None and version != row.version:
            found = await session.scalars(
                select(TicketEventRow)
                .where(TicketEventRow.ticket_id == id, TicketEventRow.version > version)
                .order_by(TicketEventRow.id)
            )
            changes = list(found)
            # the rollback that follows would otherwise take their values away
            session.expunge_all()
            raise StaleTicket(changes)
        return row

    async def open_ticket(self, session: AsyncSession, id: int, version: int | None = None) -> TicketRow:
        """`locked`, and still open; raises `IllegalMove` otherwise."""
        row = await self.locked(session, id, version)
        if row.status not in OPEN:
            raise IllegalMove("工单已办结，请先重开")
        return row

    @staticmethod
    async def newest(
        session: AsyncSession, conversation: int, statuses: Sequence[Status], besides: int = 0
    ) -> TicketRow | None:
        """The conversation's newest ticket in one of these states."""
        found: TicketRow | None = await session.scalar(
            select(TicketRow)
            .where(TicketRow.conversation_id == conversation, in_states(statuses), TicketRow.id != besides)
            .order_by(TicketRow.id.desc())
            .limit(1)
        )
        return found

    def move(self, row: TicketRow, status: Status) -> None:
        """Change the state; raises `IllegalMove` when the guard table does not allow it."""
        before = Status(row.status)
        if before is not status and status not in MOVES[before]:
            raise IllegalMove(f"“{NAMES[before]}”的工单不能变为“{NAMES[status]}”")
        row.status = status
        if status in UNCLAIMED:
            row.assignee = None
            if before not in UNCLAIMED or row.ages_at is None:
                row.ages_at = order.first_aging(row, self._clock())
        else:
            row.ages_at = row.escalate_at = None

    def record(
        self, session: AsyncSession, row: TicketRow, kind: str, actor: str, detail: Mapping[str, object]
    ) -> None:
        """Add the event row, count the version up, place the ticket anew, and ring once committed."""
        now = self._clock()
        row.version += 1
        row.updated_at = now
        order.place(row)
        session.add(
            TicketEventRow(ticket_id=row.id, kind=kind, actor=actor, detail=dict(detail), at=now, version=row.version)
        )
        self._ring(session, row)

    def remark(
        self, session: AsyncSession, row: TicketRow, kind: str, actor: str, detail: Mapping[str, object]
    ) -> None:
        """Add an event that changes nothing an agent edits: the version stays, their work is not stale."""
        session.add(
            TicketEventRow(
                ticket_id=row.id, kind=kind, actor=actor, detail=dict(detail), at=self._clock(), version=row.version
            )
        )
        self._ring(session, row)

    def tell(self, session: AsyncSession, event: Mapping[str, object]) -> None:
        """Let every desk know of `event` once it is stored."""
        after_commit(session, lambda: self._bell.ring(DESK, event))

    def _ring(self, session: AsyncSession, row: TicketRow) -> None:
        conversation = row.conversation_id
        after_commit(session, lambda: self._bell.ring(QUEUE))
        after_commit(session, lambda: self._bell.ring(conversation_topic(conversation)))


NAMES: Mapping[Status, str] = {
    Status.NEW: "待领",
    Status.REOPENED: "重开",
    Status.ASSIGNED: "处理中",
    Status.WAITING_CUSTOMER: "等客户",
    Status.WAITING_FIELD: "等现场",
    Status.RESOLVED: "已办结",
    Status.CLOSED: "已关闭",
}
