"""Assignment 派单: tickets handed to free agents by skill, team, capacity and least recent use; they flow back too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database
from triage.presence import GONE_AFTER, PresenceRow, State
from triage.queue import TicketQueue
from triage.ticket import UNCLAIMED, Status, TicketRow, in_states

BATCH = 50


@dataclass(frozen=True)
class Agent:
    """坐席: whose tickets may be theirs; see `PresenceRow`."""

    username: str
    team: str | None = None
    skills: tuple[str, ...] = ()
    capacity: int = 3


class Assignment:
    """Push: whenever an agent is free and a ticket they may take waits, it is theirs.

    The least recently used free agent is served first, and gets the first ticket in the queue's order that fits, so an
    agent who was freed or came back gets the oldest due at once. Pull (`TicketQueue.claim_next`) works beside it.
    """

    def __init__(self, database: Database, queue: TicketQueue, clock: Callable[[], datetime]) -> None:
        """`clock` tells who has been silent too long."""
        self._database = database
        self._queue = queue
        self._clock = clock

    async def present(self, agent: Agent, state: State, push: bool) -> PresenceRow:
        """Note a heartbeat 心跳 or a change of state; who goes offline gives their unanswered tickets back at once."""
        async with self._database.write() as session:
            row = await session.get(PresenceRow, agent.username, with_for_update=True)
            if row is None:
                row = PresenceRow(username=agent.username)
                session.add(row)
            row.team, row.skills, row.capacity = agent.team, list(agent.skills), agent.capacity
            row.state, row.push, row.seen_at = state, push, self._clock()
        if state is State.OFFLINE:
            await self.flow_back()
        return row

    async def push(self) -> int:
        """Hand out all that can be handed out now; returns how many tickets."""
        handed, nothing_for = 0, set[str]()
        while True:
            async with self._database.read() as session:
                if await self._free(session, nothing_for) is None:
                    return handed
            async with self._database.write() as session:
                agent = await self._free(session, nothing_for)
                if agent is None:
                    return handed
                row = await self._queue.claim_where(session, agent.username, self._fits(agent), actor="system")
                if row is None:
                    nothing_for.add(agent.username)
                    continue
                agent.last_assigned_at = self._clock()
                handed += 1

    async def flow_back(self) -> int:
        """Tickets of agents who left and that wait for an answer go back to the queue; returns how many."""
        gone = or_(PresenceRow.state == State.OFFLINE, PresenceRow.seen_at < self._clock() - GONE_AFTER)
        total = 0
        mine = select(TicketRow.id).join(PresenceRow, PresenceRow.username == TicketRow.assignee)
        async with self._database.read() as session:
            if await session.scalar(mine.where(in_states((Status.ASSIGNED,)), gone).limit(1)) is None:
                return 0
        while True:
            async with self._database.write() as session:
                rows = await session.scalars(
                    select(TicketRow)
                    .join(PresenceRow, PresenceRow.username == TicketRow.assignee)
                    .where(in_states((Status.ASSIGNED,)), gone)
                    .order_by(TicketRow.rank, TicketRow.due_at)
                    .limit(BATCH)
                    .with_for_update(skip_locked=True, of=TicketRow)
                )
                found = list(rows)
                for row in found:
                    await self._queue.give_up(session, row, "坐席离开")
            total += len(found)
            if len(found) < BATCH:
                return total

    async def agents(self) -> Sequence[tuple[PresenceRow, int]]:
        """Everyone who was ever there, with how many tickets wait for them."""
        async with self._database.read() as session:
            rows = await session.execute(select(PresenceRow, _load()).order_by(PresenceRow.username))
            return [(row, load) for row, load in rows]

    async def _free(self, session: AsyncSession, besides: set[str]) -> PresenceRow | None:
        waiting = select(TicketRow.id).where(in_states(UNCLAIMED)).limit(1).exists()
        found: PresenceRow | None = await session.scalar(
            select(PresenceRow)
            .where(
                PresenceRow.state == State.ONLINE,
                PresenceRow.push.is_(True),
                PresenceRow.seen_at >= self._clock() - GONE_AFTER,
                PresenceRow.username.not_in(besides),
                _load() < PresenceRow.capacity,
                waiting,
            )
            .order_by(PresenceRow.last_assigned_at.nulls_first(), PresenceRow.username)
            .limit(1)
            .with_for_update(skip_locked=True, of=PresenceRow)
        )
        return found

    @staticmethod
    def _fits(agent: PresenceRow) -> ColumnElement[bool]:
        return and_(
            TicketRow.team == agent.team if agent.team is not None else true(),
            TicketRow.category.in_(agent.skills) if agent.skills else true(),
        )


def _load() -> ColumnElement[int]:
    """How many tickets wait for the agent of the row."""
    return (
        select(func.count())
        .where(TicketRow.assignee == PresenceRow.username, in_states((Status.ASSIGNED,)))
        .correlate(PresenceRow)
        .scalar_subquery()
    )
