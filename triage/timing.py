"""Which clocks a ticket has and what moves them: opened, answered, waiting, resolved, reopened, policy changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from triage.clock import ClockKind, ClockRow, Clocks
from triage.promise import WORKING_DAY, Limit, PromiseBook, when, within
from triage.taxonomy import Taxonomy
from triage.ticket import Status, TicketRow

APOLOGISE_LEFT = 0.2
OWN = "本单位时限"
WAITING = "转人工等待"
RESPONSES = (ClockKind.FIRST_RESPONSE, ClockKind.NEXT_RESPONSE)
ON_SITE = ("outage", "safety_hazard", "damage_claim")


class Timing:
    """Keeps the clocks of tickets; `first_response_due`, `resolve_due` and `due_at` of the row follow them."""

    def __init__(
        self, taxonomy: Taxonomy, promises: PromiseBook, now: Callable[[], datetime], clocks: Clocks | None = None
    ) -> None:
        """The stricter of the taxonomy's own time and the published promise counts."""
        self._taxonomy = taxonomy
        self._promises = promises
        self._now = now
        self._clocks = clocks or Clocks()

    async def opened(self, session: AsyncSession, row: TicketRow) -> None:
        """Start first response and resolve, and field arrival where somebody must come. `row` is flushed."""
        now = self._now()
        target, calendar, source = self._response(row)
        response = self._clocks.start(row.id, ClockKind.FIRST_RESPONSE, target, calendar, now, source)
        target, calendar, source = self._resolve(row)
        resolve = self._clocks.start(row.id, ClockKind.RESOLVE, target, calendar, now, source)
        started = [response, resolve]
        arrival = self._limit(ClockKind.FIELD_ARRIVAL, row)
        if arrival is not None and row.category in ON_SITE:
            started.append(
                self._clocks.start(
                    row.id, ClockKind.FIELD_ARRIVAL, arrival.target, arrival.calendar, now, arrival.source
                )
            )
        session.add_all(started)
        self._mirror(row, started)

    async def told(self, session: AsyncSession, row: TicketRow) -> str:
        """The promise in the customer's words; the times it names become what the clocks must keep."""
        now, lines = self._now(), []
        for clock in await self.of(session, row.id):
            if clock.due_at is None or clock.kind not in (ClockKind.FIRST_RESPONSE, ClockKind.RESOLVE):
                continue
            tell(clock, clock.due_at, now)
            if clock.kind == ClockKind.FIRST_RESPONSE:
                lines.append(f"{within(clock.due_at - now)}内联系您")
            else:
                lines.append(f"{when(clock.due_at)}前答复处理结果")
        return f"我们会在{'，'.join(lines)}。" if lines else ""

    async def customer_wrote(self, session: AsyncSession, row: TicketRow) -> None:
        """What waited for the customer runs again, and an answer is due."""
        now = self._now()
        clocks = await self.of(session, row.id)
        for clock in clocks:
            if clock.met_at is None and clock.running_since is None:
                self._clocks.resume(clock, now)
                if clock.told_due is not None and clock.due_at is not None and _moved(clock, clock.due_at):
                    # the customer hears the time that the pause made of theirs
                    clock.apologise_at = min(clock.apologise_at or now, now)
        answering = any(clock.kind in RESPONSES and clock.met_at is None for clock in clocks)
        if not answering:
            target, calendar, source = self._response(row)
            fresh = self._clocks.start(row.id, ClockKind.NEXT_RESPONSE, target, calendar, now, source)
            session.add(fresh)
            clocks = [*clocks, fresh]
        self._mirror(row, clocks)

    async def handed_off(self, session: AsyncSession, row: TicketRow) -> None:
        """The customer now waits in an open chat: an answer is due that soon, whatever was due before."""
        now = self._now()
        await self.customer_wrote(session, row)
        clocks = await self.of(session, row.id)
        for clock in clocks:
            if clock.kind in RESPONSES and clock.met_at is None:
                left = min(self._clocks.left(clock, now), self._taxonomy.waiting)
                self._clocks.retarget(clock, self._clocks.elapsed(clock, now) + left, now)
                clock.source = WAITING
        self._mirror(row, clocks)

    async def replied(self, session: AsyncSession, row: TicketRow) -> None:
        """The answers that were due are given; the rest pauses while the customer is waited for."""
        now = self._now()
        clocks = await self.of(session, row.id)
        for clock in clocks:
            if clock.kind in RESPONSES:
                self._clocks.meet(clock, now)
            elif row.status == Status.WAITING_CUSTOMER and clock.kind == ClockKind.RESOLVE:
                self._clocks.pause(clock, now)
        self._mirror(row, clocks)

    async def arrived_on_site(self, session: AsyncSession, row: TicketRow) -> None:
        """The crew is there."""
        await self._meet(session, row, (ClockKind.FIELD_ARRIVAL,))

    async def resolved(self, session: AsyncSession, row: TicketRow) -> None:
        """Every clock stops."""
        await self._meet(session, row, tuple(ClockKind))

    async def reopened(self, session: AsyncSession, row: TicketRow) -> None:
        """Resolve counts on from what had elapsed; an answer is due."""
        now = self._now()
        clocks = await self.of(session, row.id)
        for clock in clocks:
            if clock.kind == ClockKind.RESOLVE:
                self._clocks.resume(clock, now)
        target, calendar, source = self._response(row)
        fresh = self._clocks.start(row.id, ClockKind.NEXT_RESPONSE, target, calendar, now, source)
        session.add(fresh)
        self._mirror(row, [*clocks, fresh])

    async def restored(self, session: AsyncSession, row: TicketRow) -> None:
        """A merge was taken back, or a change of priority or category: what was stopped runs on."""
        for clock in await self.of(session, row.id):
            unanswered = clock.kind != ClockKind.FIRST_RESPONSE or row.responded_at is None
            if clock.met_at is not None and unanswered and clock.kind != ClockKind.NEXT_RESPONSE:
                self._clocks.resume(clock, self._now())
        await self.retargeted(session, row)

    async def retargeted(self, session: AsyncSession, row: TicketRow) -> None:
        """Priority, category or policy changed: new targets, elapsed time kept; nothing is touched that fits."""
        now = self._now()
        clocks = await self.of(session, row.id)
        for clock in clocks:
            if clock.met_at is not None or clock.source == WAITING:
                continue
            if clock.kind in RESPONSES:
                clock_target = self._response(row)
            elif clock.kind == ClockKind.RESOLVE:
                clock_target = self._resolve(row)
            else:
                continue
            target, calendar, clock.source = clock_target
            if calendar == clock.calendar and target.total_seconds() == clock.target:
                continue
            if calendar == clock.calendar:
                self._clocks.retarget(clock, target, now)
            else:
                # hours of one calendar mean nothing in another: counted anew from the start
                clock.calendar, clock.elapsed = calendar, 0.0
                clock.running_since = clock.started_at if clock.running_since is not None else None
                self._clocks.retarget(clock, target, now)
        self._mirror(row, clocks)

    async def promised(self, session: AsyncSession, row: TicketRow, due: datetime) -> None:
        """An agent told the customer a time: it becomes a clock like any other."""
        now = self._now()
        fresh = self._clocks.start(row.id, ClockKind.PROMISE, due - now, "always", now, "坐席承诺")
        tell(fresh, due, now)
        session.add(fresh)
        self._mirror(row, [*await self.of(session, row.id), fresh])

    @staticmethod
    async def of(session: AsyncSession, ticket: int) -> Sequence[ClockRow]:
        """The ticket's clocks, oldest first."""
        found = await session.scalars(select(ClockRow).where(ClockRow.ticket_id == ticket).order_by(ClockRow.id))
        return list(found)

    async def _meet(self, session: AsyncSession, row: TicketRow, kinds: Sequence[ClockKind]) -> None:
        clocks = await self.of(session, row.id)
        for clock in clocks:
            if clock.kind in kinds:
                self._clocks.meet(clock, self._now())
        self._mirror(row, clocks)

    def _response(self, row: TicketRow) -> tuple[timedelta, str, str]:
        own = self._taxonomy.priorities[row.priority].first_response
        if row.handoff is not None:
            own = min(own, self._taxonomy.waiting)
        limit = self._limit(ClockKind.FIRST_RESPONSE, row)
        if limit is not None and limit.calendar == "always" and limit.target < own:
            return limit.target, limit.calendar, limit.source
        return own, "always", OWN

    def _resolve(self, row: TicketRow) -> tuple[timedelta, str, str]:
        policy = self._taxonomy.priorities[row.priority]
        if policy.resolve is not None:
            return policy.resolve, "always", OWN
        own = (policy.working_days or 1) * WORKING_DAY
        limit = self._limit(ClockKind.RESOLVE, row)
        if limit is not None and limit.calendar == "office" and limit.target < own:
            return limit.target, limit.calendar, limit.source
        return own, "office", OWN

    def _limit(self, kind: ClockKind, row: TicketRow) -> Limit | None:
        return self._promises.find(kind, row.category, row.created_at.date())

    @staticmethod
    def _mirror(row: TicketRow, clocks: Sequence[ClockRow]) -> None:
        running = [clock.due_at for clock in clocks if clock.due_at is not None]
        for clock in clocks:
            if clock.due_at is None:
                continue
            if clock.kind in RESPONSES:
                row.first_response_due = clock.due_at
            elif clock.kind == ClockKind.RESOLVE:
                row.resolve_due = clock.due_at
        row.due_at = min(running, default=row.resolve_due)


def tell(clock: ClockRow, due: datetime, now: datetime) -> None:
    """Note the time the customer was told, and when an apology must go out if it cannot be kept."""
    clock.told_due = due
    clock.apologise_at = due - max(timedelta(), due - now) * APOLOGISE_LEFT


def _moved(clock: ClockRow, due: datetime) -> bool:
    """Whether a pause moved the time by enough to speak of: a tenth of the clock, and not less than a minute."""
    assert clock.told_due is not None
    return due - clock.told_due > max(timedelta(minutes=1), timedelta(seconds=clock.target) / 10)
