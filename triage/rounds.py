"""Rounds 巡查: what the passing of time does: aging, warnings, escalation, apologies, hand-outs, tickets flow back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.bell import DESK, QUEUE, Bell, rung
from bot.database import Database, after_commit
from triage import order
from triage.assignment import Assignment
from triage.clock import ClockKind, ClockRow, Clocks
from triage.history import History
from triage.promise import when
from triage.queue import TicketQueue
from triage.ticket import OPEN, UNCLAIMED, TicketRow, in_states
from triage.timing import tell

LOOK_EVERY = 1.0
BATCH = 200
LEAST_EXTENSION = timedelta(minutes=10)
SORRY = {
    ClockKind.FIRST_RESPONSE: "抱歉让您久等了。工单{number}我们会在{new}前联系您。",
    ClockKind.NEXT_RESPONSE: "抱歉让您久等了。工单{number}我们会在{new}前回复您。",
}
SORRY_OTHERWISE = "抱歉，工单{number}原定{old}前完成，现在要延到{new}，请您谅解。"
MOVED = "工单{number}等待您回复期间不计时，答复时间顺延到{new}前。"

log = logging.getLogger(__name__)


class Rounds:
    """Looks every second, and at every change of the queue; any number of processes may do so at once."""

    def __init__(
        self, database: Database, queue: TicketQueue, assignment: Assignment, bell: Bell, now: Callable[[], datetime]
    ) -> None:
        """`now` is the aware present."""
        self._database = database
        self._queue = queue
        self._assignment = assignment
        self._bell = bell
        self._now = now
        self._clocks = Clocks()
        self._history = History(bell, now)

    async def run(self) -> None:
        """Go round every second until cancelled; a change of the queue only hands out."""
        with self._bell.listen(QUEUE) as rings:
            loop, last = asyncio.get_running_loop(), 0.0
            while True:
                try:
                    if loop.time() - last >= LOOK_EVERY:
                        await self.once()
                        last = loop.time()
                    else:
                        await self._assignment.push()
                except Exception:
                    log.exception("a round failed; the next one tries again")
                await rung(rings, max(0.0, last + LOOK_EVERY - loop.time()))

    async def once(self) -> None:
        """One round."""
        await self.age()
        await self.warn()
        await self.escalate()
        await self.apologise()
        await self._assignment.flow_back()
        await self._assignment.push()

    async def age(self) -> int:
        """Tickets that waited another span past their first response gain points; returns how many."""
        late = (in_states(UNCLAIMED), TicketRow.ages_at <= self._now())
        if not await self._any(select(TicketRow.id).where(*late)):
            return 0
        async with self._database.write() as session:
            due = select(TicketRow).where(*late)
            rows = await session.scalars(due.order_by(TicketRow.ages_at).limit(BATCH).with_for_update(skip_locked=True))
            found = list(rows)
            for row in found:
                order.age(row, self._now())
                self._history.record(session, row, "aged", "system", {"points": order.total(row)})
        return len(found)

    async def warn(self) -> int:
        """Clocks that reached 50, 80 or 100 %: an event, and a ring to the desk; returns how many."""
        if not await self._any(select(ClockRow.id).where(ClockRow.warn_at <= self._now())):
            return 0
        async with self._database.write() as session:
            due = select(ClockRow).where(ClockRow.warn_at <= self._now()).order_by(ClockRow.warn_at).limit(BATCH)
            clocks = list(await session.scalars(due.with_for_update(skip_locked=True)))
            for clock in clocks:
                percent = self._clocks.warn(clock, self._now())
                row = await session.get_one(TicketRow, clock.ticket_id)
                detail = {"clock": clock.kind, "percent": percent}
                self._history.remark(session, row, "warning", "system", detail)
                self._ring(session, {"type": "warning", "ticket": row.id, "assignee": row.assignee, **detail})
        return len(clocks)

    async def escalate(self) -> int:
        """Handoffs unclaimed for 60 s: supervisors are called, once for each wait; returns how many."""
        unclaimed = (in_states(UNCLAIMED), TicketRow.escalate_at <= self._now())
        if not await self._any(select(TicketRow.id).where(*unclaimed)):
            return 0
        async with self._database.write() as session:
            due = select(TicketRow).where(*unclaimed).limit(BATCH)
            rows = list(await session.scalars(due.with_for_update(skip_locked=True)))
            for row in rows:
                row.escalate_at = None
                self._history.remark(session, row, "escalated", "system", {})
                self._ring(session, {"type": "escalated", "ticket": row.id, "number": row.number, "team": row.team})
        return len(rows)

    async def apologise(self) -> int:
        """Before a told time breaks the customer gets an apology and a new one; returns how many were told."""
        told = 0
        if not await self._any(select(ClockRow.id).where(ClockRow.apologise_at <= self._now())):
            return 0
        async with self._database.write() as session:
            due = select(ClockRow).where(ClockRow.apologise_at <= self._now()).limit(BATCH)
            for clock in list(await session.scalars(due.with_for_update(skip_locked=True))):
                clock.apologise_at = None
                row = await session.get_one(TicketRow, clock.ticket_id)
                if clock.met_at is None and clock.running_since is not None and row.status in OPEN:
                    await self._new_time(session, row, clock)
                    told += 1
        return told

    async def _new_time(self, session: AsyncSession, row: TicketRow, clock: ClockRow) -> None:
        now, old = self._now(), clock.told_due or self._now()
        if clock.due_at is not None and clock.due_at > old:
            # the clock was paused meanwhile: nobody is late
            new, line = clock.due_at, MOVED
        else:
            extension = max(LEAST_EXTENSION, timedelta(seconds=clock.target) / 2)
            new = self._clocks.after(clock, max(now, old), extension)
            line = SORRY.get(ClockKind(clock.kind), SORRY_OTHERWISE)
            clock.apologies += 1
        tell(clock, new, now)
        text = line.format(number=row.number, old=when(old), new=when(new))
        seq = await self._queue.conversations.tell(session, row.conversation_id, text)
        detail = {"clock": clock.kind, "old": old.isoformat(), "new": new.isoformat(), "seq": seq}
        self._history.remark(session, row, "new_time", "system", detail)

    async def _any(self, what: Select[tuple[int]]) -> bool:
        """Look before writing: most rounds find nothing, and SQLite has one writer."""
        async with self._database.read() as session:
            return await session.scalar(what.limit(1)) is not None

    def _ring(self, session: AsyncSession, event: dict[str, object]) -> None:
        after_commit(session, lambda: self._bell.ring(DESK, event))
