"""Mass reply 群发 and mass resolve 批量办结 of an incident: every customer under it is told once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.bell import Bell
from bot.database import Database
from bot.message import Button, Outbound
from triage.history import History
from triage.incident import IncidentRow
from triage.queue import TicketQueue
from triage.ticket import OPEN, UNCLAIMED, IllegalMove, NoTicket, Status, TicketEventRow, TicketRow, in_states

BATCH = 50
BACK_ON = Outbound("您家来电了吗？", (Button("来电了", "来电了，谢谢"), Button("还没来电", "我家还没来电")))


class Mass:
    """Works all open tickets of an incident; interrupted and asked again with the same key, it goes on where it was."""

    def __init__(self, database: Database, queue: TicketQueue, bell: Bell, clock: Callable[[], datetime]) -> None:
        """`queue` resolves; its conversations tell."""
        self._database = database
        self._queue = queue
        self._clock = clock
        self._history = History(bell, clock)

    async def reply(self, incident: int, agent: str, text: str, key: str, expected: datetime | None = None) -> int:
        """Tell every customer under the incident once for this `key`; returns how many were told now.

        `expected` is the time power should be back, which the incident shows from then on.
        """
        told: set[int] = set()

        async def one(session: AsyncSession, row: TicketRow) -> None:
            seq = None
            if row.conversation_id not in told:
                seq = await self._queue.conversations.tell(session, row.conversation_id, text)
                told.add(row.conversation_id)
            self._history.record(session, row, "mass_reply", agent, {"key": key, "seq": seq, "text": text})

        async for batch in self._batches(incident, "mass_reply", key, told):
            await self._each(batch, one)
        if expected is not None:
            async with self._database.write() as session:
                (await session.get_one(IncidentRow, incident)).expected_at = expected
        return len(told)

    async def resolve(self, incident: int, agent: str, resolution: str) -> int:
        """Resolve every open ticket of the incident; each customer is told once and asked whether power is back."""
        told: set[int] = set()

        async def one(session: AsyncSession, row: TicketRow) -> None:
            if row.status in UNCLAIMED:
                self._history.move(row, Status.ASSIGNED)
                row.assignee = agent
            await self._queue.close_with(
                session, row, agent, resolution, BACK_ON if row.conversation_id not in told else None
            )
            told.add(row.conversation_id)

        async for batch in self._batches(incident, None, "", told):
            await self._each(batch, one)
        async with self._database.write() as session:
            row = await session.get_one(IncidentRow, incident)
            row.status, row.key, row.resolved_at = "resolved", None, self._clock()
        return len(told)

    async def _batches(self, incident: int, kind: str | None, key: str, told: set[int]) -> AsyncIterator[Sequence[int]]:
        """Ids of the incident's open tickets, fifty at a time; those with an event `kind` of this `key` are done."""
        async with self._database.read() as session:
            found = await session.get(IncidentRow, incident)
            if found is None:
                raise NoTicket(f"没有停电事件 {incident}")
            if found.status != "open":
                raise IllegalMove("停电事件已经结束，或已并入另一个")
            ids = list(
                await session.scalars(
                    select(TicketRow.id)
                    .where(TicketRow.incident_id == incident, in_states(OPEN))
                    .order_by(TicketRow.id)
                )
            )
            done = set[int]()
            if kind is not None:
                events = await session.execute(
                    select(TicketEventRow.ticket_id, TicketEventRow.detail, TicketRow.conversation_id)
                    .join(TicketRow, TicketRow.id == TicketEventRow.ticket_id)
                    .where(TicketRow.incident_id == incident, TicketEventRow.kind == kind)
                )
                for id, detail, conversation in events:
                    if detail.get("key") == key:
                        done.add(id)
                        told.add(conversation)
        left = [id for id in ids if id not in done]
        for start in range(0, len(left), BATCH):
            yield left[start : start + BATCH]

    async def _each(self, ids: Sequence[int], one: Callable[[AsyncSession, TicketRow], Awaitable[None]]) -> None:
        async with self._database.write() as session:
            for id in ids:
                row = await self._history.locked(session, id)
                if row.status in OPEN:
                    await one(session, row)
