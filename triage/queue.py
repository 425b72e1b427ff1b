"""The ticket queue 工单队列 as agents work it; every change is one transaction. What customers cause is in `intake`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.conversation import BACK
from bot.database import ConversationRow
from bot.message import Attachment, Outbound, Owner
from triage.intake import UNCLAIMED_FOR, Intake
from triage.policy import Assessment
from triage.promise import when
from triage.taxonomy import PRIORITIES
from triage.ticket import (
    CLAIMED,
    OPEN,
    UNCLAIMED,
    IllegalMove,
    NoTicket,
    QueueError,
    StaleTicket,
    Status,
    TicketRow,
    Unseen,
    in_states,
)

__all__ = ["IllegalMove", "NoTicket", "QueueError", "StaleTicket", "TicketQueue", "Unseen"]

POLICY_BATCH = 100
RESOLVED_LINE = "您的工单 {number} 已办结：{resolution}。"
PROMISED_LINE = "关于您的工单 {number}：{text}，我们会在{due}前做到。"


class TicketQueue(Intake):
    """Claims, answers and closes tickets, together with the conversations they belong to.

    Every method that takes a `version` raises `StaleTicket` when the ticket changed since; `NoTicket` and `IllegalMove`
    are raised by all.
    """

    async def claim_next(self, agent: str, team: str | None = None) -> TicketRow | None:
        """领单: the most urgent unclaimed ticket (of `team`, if given); None when the queue is empty.

        One statement finds and takes it, so two agents never get the same: rows that another transaction is taking are
        skipped on PostgreSQL; SQLite has one writer at a time.
        """
        async with self._database.write() as session:
            return await self.claim_where(session, agent, TicketRow.team == team if team is not None else None)

    async def claim_where(
        self, session: AsyncSession, agent: str, wanted: ColumnElement[bool] | None, actor: str | None = None
    ) -> TicketRow | None:
        """Claim the first ticket in order that is `wanted`, in the caller's transaction; None when there is none."""
        first = select(TicketRow.id).where(in_states(UNCLAIMED))
        if wanted is not None:
            first = first.where(wanted)
        first = first.order_by(TicketRow.rank, TicketRow.due_at, TicketRow.id).limit(1)
        row = await self._take(
            session, TicketRow.id == first.with_for_update(skip_locked=True).scalar_subquery(), agent
        )
        return await self._claimed(session, row, agent, actor or agent) if row is not None else None

    async def claim(self, id: int, agent: str, version: int | None = None) -> TicketRow:
        """Claim this ticket; raises `IllegalMove` when another agent has it."""
        async with self._database.write() as session:
            row = await self._history.locked(session, id, version)
            taken = await self._take(session, (TicketRow.id == id) & in_states(UNCLAIMED), agent)
            if taken is None:
                raise IllegalMove(f"工单已由 {row.assignee or '他人'} 领取，或已办结")
            return await self._claimed(session, taken, agent, agent)

    async def reply(
        self,
        id: int,
        agent: str,
        text: str,
        version: int | None = None,
        seen: int | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> TicketRow:
        """Write to the customer, or show a picture, in the same conversation; the ticket then waits for them.

        `seen` is the last message the agent saw: raises `Unseen` when someone else wrote after it.
        """
        async with self._database.write() as session:
            row = await self._own(session, id, agent, version)
            if seen is not None:
                missed = await self.conversations.missed(session, row.conversation_id, seen)
                if missed:
                    raise Unseen(missed)
            seq = await self.conversations.reply(session, row.conversation_id, text, attachments)
            row.responded_at = row.responded_at or self._clock()
            if row.status != Status.WAITING_FIELD:
                self._history.move(row, Status.WAITING_CUSTOMER)
            await self._timing.replied(session, row)
            self._history.record(session, row, "reply", agent, {"seq": seq})
            return row

    async def note(
        self, id: int, agent: str, text: str, version: int | None = None, mentions: tuple[str, ...] = ()
    ) -> TicketRow:
        """备注: a line for colleagues only; `mentions` are usernames it is meant for."""
        async with self._database.write() as session:
            row = await self._history.locked(session, id, version)
            self._history.record(session, row, "note", agent, {"text": text, "mentions": list(mentions)})
            return row

    async def wait_for_field(self, id: int, agent: str, reason: str, version: int | None = None) -> TicketRow:
        """等现场: somebody must go there first."""
        async with self._database.write() as session:
            row = await self._own(session, id, agent, version)
            self._history.move(row, Status.WAITING_FIELD)
            self._history.record(session, row, "waiting_field", agent, {"reason": reason})
            return row

    async def arrived_on_site(self, id: int, agent: str, version: int | None = None) -> TicketRow:
        """到达现场: the field arrival clock is met."""
        async with self._database.write() as session:
            row = await self._history.open_ticket(session, id, version)
            await self._timing.arrived_on_site(session, row)
            self._history.record(session, row, "arrived", agent, {})
            return row

    async def promise(self, id: int, agent: str, text: str, due: datetime, version: int | None = None) -> TicketRow:
        """承诺: tell the customer a time; it becomes a clock both sides see. Raises `IllegalMove` for a past time."""
        if due <= self._clock():
            raise IllegalMove("承诺的时间要晚于现在")
        async with self._database.write() as session:
            row = await self._own(session, id, agent, version)
            line = PROMISED_LINE.format(number=row.number, text=text.rstrip("。"), due=when(due))
            seq = await self.conversations.reply(session, row.conversation_id, line)
            await self._timing.promised(session, row, due)
            self._history.record(session, row, "promised", agent, {"seq": seq, "text": text, "due": due.isoformat()})
            return row

    async def transfer(
        self, id: int, agent: str, note: str, *, team: str | None = None, assignee: str | None = None,
        version: int | None = None,
    ) -> TicketRow:  # fmt: skip
        """转派: to a team's queue, or to a colleague directly."""
        async with self._database.write() as session:
            row = await self._history.open_ticket(session, id, version)
            if team is not None:
                if team not in self._taxonomy.teams:
                    raise IllegalMove(f"没有“{team}”这个班组")
                row.team = team
                await self._back_to_queue(session, row)
            else:
                self._history.move(row, Status.ASSIGNED)
                row.assignee = assignee
                await self.conversations.take(session, row.conversation_id)
            self._history.record(session, row, "transferred", agent, {"team": team, "assignee": assignee, "note": note})
            return row

    async def give_up(self, session: AsyncSession, row: TicketRow, reason: str) -> None:
        """退回: the agent left; the ticket flows back to its team's queue with the age it had."""
        before = row.assignee
        await self._back_to_queue(session, row)
        self._history.record(session, row, "flowed_back", "system", {"from": before, "reason": reason})

    async def resolve(self, id: int, agent: str, resolution: str, version: int | None = None) -> TicketRow:
        """办结: the conversation goes back to the bot with a line the customer sees."""
        async with self._database.write() as session:
            row = await self._own(session, id, agent, version)
            await self.close_with(session, row, agent, resolution)
            return row

    async def close_with(
        self, session: AsyncSession, row: TicketRow, agent: str, resolution: str, greeting: Outbound | None = BACK
    ) -> None:
        """Resolve in the caller's transaction; with no `greeting` the customer is told nothing."""
        self._history.move(row, Status.RESOLVED)
        row.resolution, row.resolved_at = resolution, self._clock()
        await self._timing.resolved(session, row)
        if greeting is not None:
            line = RESOLVED_LINE.format(number=row.number, resolution=resolution.rstrip("。.！!"))
            if await self._history.newest(session, row.conversation_id, CLAIMED, besides=row.id) is None:
                summary = f"{row.number}：{resolution}"
                await self.conversations.hand_back(session, row.conversation_id, line, summary, greeting)
            else:
                await self.conversations.tell(session, row.conversation_id, line)
        self._history.record(session, row, "resolved", agent, {"resolution": resolution})

    async def close(self, id: int, agent: str, reason: str, version: int | None = None) -> TicketRow:
        """关闭: nothing more is expected of a resolved ticket."""
        async with self._database.write() as session:
            row = await self._history.locked(session, id, version)
            if row.status != Status.RESOLVED:
                raise IllegalMove("只有已办结的工单可以关闭")
            self._history.move(row, Status.CLOSED)
            self._history.record(session, row, "closed", agent, {"reason": reason})
            return row

    async def reopen(self, id: int, agent: str, reason: str, version: int | None = None) -> TicketRow:
        """重开: a resolved ticket goes back to its team's queue."""
        async with self._database.write() as session:
            row = await self._history.locked(session, id, version)
            if row.status not in (Status.RESOLVED, Status.CLOSED):
                raise IllegalMove("只有已办结的工单可以重开")
            self._history.move(row, Status.REOPENED)
            row.merged_into = None
            await self._timing.reopened(session, row)
            await self.conversations.enqueue(session, row.conversation_id)
            self._history.record(session, row, "reopened", agent, {"reason": reason})
            return row

    async def set_priority(
        self, id: int, agent: str, priority: str, reason: str, version: int | None = None, lock: bool = False
    ) -> TicketRow:
        """Change the priority; a `lock` keeps rules and urging from changing it. Clocks keep what has elapsed."""
        if priority not in PRIORITIES:
            raise IllegalMove(f"没有“{priority}”这个优先级")
        async with self._database.write() as session:
            row = await self._history.open_ticket(session, id, version)
            detail = {"from": row.priority, "to": priority, "reason": reason, "lock": lock}
            row.priority, row.priority_locked = priority, lock
            name = self._taxonomy.priorities[priority].name
            row.priority_reasons = [*row.priority_reasons, f"{agent} {'锁定' if lock else '改'}为{name}：{reason}"]
            await self._timing.retargeted(session, row)
            self._history.record(session, row, "priority", agent, detail)
            return row

    async def set_category(self, id: int, agent: str, category: str, version: int | None = None) -> TicketRow:
        """Correct the category; the team follows, and trainers learn of it from the event."""
        if category not in self._taxonomy.categories:
            raise IllegalMove(f"没有“{category}”这个类别")
        async with self._database.write() as session:
            row = await self._history.open_ticket(session, id, version)
            detail = {"from": row.category, "to": category}
            row.category, row.team = category, self._taxonomy.categories[category].team
            await self._timing.retargeted(session, row)
            self._history.record(session, row, "category", agent, detail)
            return row

    async def merge(self, id: int, agent: str, into: int, version: int | None = None) -> TicketRow:
        """合并: this ticket closes and points to another open one; both keep their history."""
        async with self._database.write() as session:
            row = await self._history.open_ticket(session, id, version)
            other = await session.get(TicketRow, into, with_for_update=True)
            if other is None or other.id == row.id or other.status not in OPEN:
                raise IllegalMove("只能合并到另一张未办结的工单")
            self._history.move(row, Status.CLOSED)
            row.merged_into = other.id
            await self._timing.resolved(session, row)
            if other.priority > row.priority and not other.priority_locked:
                other.priority = row.priority
                await self._timing.retargeted(session, other)
            self._history.record(session, row, "merged", agent, {"into": other.number})
            self._history.record(session, other, "merged_from", agent, {"number": row.number})
            return row

    async def split_off(self, session: AsyncSession, row: TicketRow, agent: str, text: str, category: str) -> TicketRow:
        """拆分: a new ticket for one matter of another, in the same conversation and at the same priority."""
        if category not in self._taxonomy.categories:
            raise IllegalMove(f"没有“{category}”这个类别")
        # it has no message of its own: its place in (conversation, seq) is a negative one
        least = await session.scalar(
            select(func.min(TicketRow.message_seq)).where(TicketRow.conversation_id == row.conversation_id)
        )
        team = self._taxonomy.categories[category].team
        reason = (f"由 {row.number} 拆分",)
        now = self._clock()
        decided = Assessment(category, row.priority, team, now, now, reason)
        made = self._row(row.conversation_id, min(least or 0, 0) - 1, decided, text)
        made.account_no = row.account_no
        await self._register(session, made, agent, {"split_from": row.number})
        self._history.record(session, row, "split", agent, {"number": made.number})
        await session.flush()
        return made

    async def stop_clocks(self, session: AsyncSession, row: TicketRow) -> None:
        """Nothing is due any more: the ticket was made by mistake."""
        await self._timing.resolved(session, row)

    async def restored(self, session: AsyncSession, row: TicketRow) -> None:
        """A change was taken back: its clocks and its conversation follow the ticket as it is again."""
        await self._timing.restored(session, row)
        owner = await session.scalar(select(ConversationRow.owner).where(ConversationRow.id == row.conversation_id))
        if row.status in CLAIMED and owner == Owner.QUEUE:
            await self.conversations.take(session, row.conversation_id)
        elif row.status in UNCLAIMED and owner == Owner.AGENT:
            await self.conversations.enqueue(session, row.conversation_id)

    async def apply_policy(self) -> int:
        """After taxonomy.yml or promises.yml changed: open tickets get the new targets, what has elapsed is kept.

        Returns how many tickets were changed; run at every start, it finds nothing when nothing changed.
        """
        changed, last = 0, 0
        while True:
            async with self._database.read() as session:
                found = select(TicketRow.id).where(in_states(OPEN), TicketRow.id > last)
                ids = list(await session.scalars(found.order_by(TicketRow.id).limit(POLICY_BATCH)))
            if not ids:
                return changed
            last = ids[-1]
            async with self._database.write() as session:
                rows = await session.scalars(select(TicketRow).where(TicketRow.id.in_(ids)).with_for_update())
                for row in rows.all():
                    before = row.due_at, row.first_response_due, row.resolve_due
                    await self._timing.retargeted(session, row)
                    if (row.due_at, row.first_response_due, row.resolve_due) != before:
                        changed += 1
                        self._history.remark(session, row, "policy", "system", {"resolve_due": when(row.resolve_due)})

    async def _back_to_queue(self, session: AsyncSession, row: TicketRow) -> None:
        self._history.move(row, Status.NEW)
        if row.handoff is not None:
            row.escalate_at = self._clock() + UNCLAIMED_FOR
        await self.conversations.enqueue(session, row.conversation_id)

    async def _take(self, session: AsyncSession, which: ColumnElement[bool], agent: str) -> TicketRow | None:
        taken: TicketRow | None = await session.scalar(
            update(TicketRow)
            .where(which)
            .values(
                assignee=agent, status=Status.ASSIGNED, ages_at=None, escalate_at=None,
                version=TicketRow.version + 1, updated_at=self._clock(),
            )
            .returning(TicketRow)
            .execution_options(synchronize_session=False, populate_existing=True)
        )  # fmt: skip
        return taken

    async def _claimed(self, session: AsyncSession, row: TicketRow, agent: str, actor: str) -> TicketRow:
        await self.conversations.take(session, row.conversation_id)
        # the version was counted up as it was taken
        self._history.remark(session, row, "claimed", actor, {} if actor == agent else {"assignee": agent})
        return row

    async def _own(self, session: AsyncSession, id: int, agent: str, version: int | None) -> TicketRow:
        row = await self._history.open_ticket(session, id, version)
        if row.assignee != agent:
            raise IllegalMove("请先领单" if row.assignee is None else f"工单由 {row.assignee} 处理，请先转派")
        owner = await session.scalar(select(ConversationRow.owner).where(ConversationRow.id == row.conversation_id))
        if owner != Owner.AGENT:
            await self.conversations.take(session, row.conversation_id)
        return row
