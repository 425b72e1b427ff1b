"""The ticket queue 工单队列: opened by the conversation, worked by agents; every change is one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.bell import QUEUE, Bell, conversation_topic
from bot.conversation import Conversations
from bot.database import ContactRow, ConversationRow, Database, MessageRow, after_commit
from bot.message import Owner, Speaker
from triage.classifier import Classifier
from triage.policy import Facts, assess, raised
from triage.taxonomy import PRIORITIES, Taxonomy
from triage.ticket import CLAIMED, OPEN, UNCLAIMED, Status, TicketEventRow, TicketRow

SHANGHAI = ZoneInfo("Asia/Shanghai")
RECENT = timedelta(days=30)
TEXT_MESSAGES = 6
RESOLVED_LINE = "您的工单 {number} 已办结：{resolution}。小桥继续为您服务，如果问题没有解决，请说“转人工”。"
STATES = {
    Status.NEW: "等待受理",
    Status.REOPENED: "重新受理中",
    Status.ASSIGNED: "处理中",
    Status.WAITING_CUSTOMER: "等您回复",
    Status.WAITING_FIELD: "现场处理中",
    Status.RESOLVED: "已办结",
    Status.CLOSED: "已关闭",
}


class QueueError(Exception):
    """Root of what a ticket can refuse."""


class NoTicket(QueueError):
    """There is no such ticket."""


class IllegalMove(QueueError):
    """The ticket's state, or its assignee, does not allow this; the message says which, in Chinese."""


class StaleTicket(QueueError):
    """Someone changed the ticket meanwhile; `changes` are the events since the version given."""

    def __init__(self, changes: Sequence[TicketEventRow]) -> None:
        """`changes`, oldest first."""
        super().__init__("工单刚刚被改动")
        self.changes = changes


@dataclass(frozen=True)
class Opened:
    """What the customer is told: number and promise."""

    number: str
    promise: str


@dataclass(frozen=True)
class Standing:
    """Where a ticket stands, in words."""

    number: str
    state: str


class TicketQueue:
    """Opens, orders, claims and closes tickets, together with the conversations they belong to."""

    def __init__(
        self,
        database: Database,
        classifier: Classifier,
        taxonomy: Taxonomy,
        bell: Bell,
        clock: Callable[[], datetime],
    ) -> None:
        """`attach` must be called before an agent works a ticket."""
        self._database = database
        self._classifier = classifier
        self._taxonomy = taxonomy
        self._bell = bell
        self._clock = clock
        self._conversations: Conversations | None = None

    def attach(self, conversations: Conversations) -> None:
        """Conversations need a desk to exist, and the desk needs conversations: the second half of the knot."""
        self._conversations = conversations

    @property
    def conversations(self) -> Conversations:
        """The conversations the tickets are about."""
        assert self._conversations is not None, "attach() was not called"
        return self._conversations

    # --- what the conversation and the dialogue ask for ---

    async def open(self, session: AsyncSession, conversation: int, seq: int, reason: str) -> str:
        """`bot.conversation.Desk.open`: a ticket for a handoff; returns the line the customer reads."""
        ticket = await self._open_row(session, conversation, seq, reason, None, None)
        return f"已为您登记，工单号 {ticket.number}。{self._promise(ticket)}"

    async def arrived(self, session: AsyncSession, conversation: int, seq: int) -> None:
        """`bot.conversation.Desk.arrived`: the customer wrote; a ticket that waited for them goes on."""
        row = await self._newest(session, conversation, OPEN)
        if row is None:
            await self._open_row(session, conversation, seq, "customer wrote", None, None)
            return
        if row.status == Status.WAITING_CUSTOMER:
            row.status = Status.ASSIGNED
        self._event(session, row, "customer_message", "customer", {"seq": seq})

    async def file(self, conversation: int, seq: int, text: str, account_no: str | None) -> Opened:
        """A ticket for the message `seq`, once per message; the bot keeps the conversation."""
        async with self._database.write() as session:
            ticket = await self._open_row(session, conversation, seq, None, text, account_no)
            return Opened(ticket.number, self._promise(ticket))

    async def progress(self, conversation: int) -> list[Standing]:
        """The contact's tickets of the last 30 days, newest first."""
        async with self._database.read() as session:
            rows = await session.scalars(
                select(TicketRow)
                .where(TicketRow.conversation_id == conversation, TicketRow.created_at > self._clock() - RECENT)
                .order_by(TicketRow.id.desc())
                .limit(5)
            )
            return [Standing(row.number, STATES[Status(row.status)]) for row in rows]

    async def urge(self, conversation: int) -> Opened | None:
        """Urge 催办 the newest open ticket, which becomes one step more urgent; None when there is none."""
        async with self._database.write() as session:
            row = await self._newest(session, conversation, OPEN)
            if row is None:
                return None
            row.urged += 1
            row.priority = raised(row.priority)
            row.priority_reasons = [*row.priority_reasons, f"客户第{row.urged}次催办"]
            self._event(session, row, "urged", "customer", {"times": row.urged})
            return Opened(row.number, self._promise(row))

    async def position(self, conversation: int) -> int | None:
        """How many open tickets stand before this conversation's in the queue; None when it is not waiting."""
        async with self._database.read() as session:
            row = await self._newest(session, conversation, UNCLAIMED)
            if row is None:
                return None
            ahead = await session.scalar(
                select(func.count())
                .select_from(TicketRow)
                .where(
                    TicketRow.status.in_(UNCLAIMED),
                    (TicketRow.priority < row.priority)
                    | ((TicketRow.priority == row.priority) & (TicketRow.first_response_due < row.first_response_due)),
                )
            )
            return int(ahead or 0)

    # --- what agents do ---

    async def claim_next(self, agent: str, team: str | None = None) -> TicketRow | None:
        """领单: the most urgent unclaimed ticket (of `team`, if given); None when the queue is empty."""
        while True:
            async with self._database.write() as session:
                wanted = select(TicketRow.id).where(TicketRow.status.in_(UNCLAIMED), TicketRow.assignee.is_(None))
                if team is not None:
                    wanted = wanted.where(TicketRow.team == team)
                wanted = wanted.order_by(TicketRow.priority, TicketRow.first_response_due, TicketRow.id).limit(1)
                id = await session.scalar(wanted.with_for_update(skip_locked=True))
                if id is None:
                    return None
                if await self._take(session, id, agent):
                    return await self._claimed(session, id, agent)

    async def claim(self, id: int, agent: str, version: int | None = None) -> TicketRow:
        """Claim this ticket; raises `IllegalMove` when another agent has it."""
        async with self._database.write() as session:
            row = await self._locked(session, id, version)
            if not await self._take(session, id, agent):
                raise IllegalMove(f"工单已由 {row.assignee or '他人'} 领取，或已办结")
            return await self._claimed(session, id, agent)

    async def reply(self, id: int, agent: str, text: str, version: int | None = None) -> TicketRow:
        """Write to the customer in the same conversation; the ticket then waits for them."""
        async with self._database.write() as session:
            row = await self._own(session, id, agent, version)
            seq = await self.conversations.reply(session, row.conversation_id, text)
            row.responded_at = row.responded_at or self._clock()
            row.status = Status.WAITING_CUSTOMER
            self._event(session, row, "reply", agent, {"seq": seq})
            return row

    async def note(self, id: int, agent: str, text: str, version: int | None = None) -> TicketRow:
        """备注: a line for colleagues only."""
        async with self._database.write() as session:
            row = await self._locked(session, id, version)
            self._event(session, row, "note", agent, {"text": text})
            return row

    async def transfer(
        self, id: int, agent: str, note: str, *, team: str | None = None, assignee: str | None = None,
        version: int | None = None,
    ) -> TicketRow:  # fmt: skip
        """转派: to a team's queue, or to a colleague directly."""
        async with self._database.write() as session:
            row = await self._open_ticket(session, id, version)
            if team is not None:
                if team not in self._taxonomy.teams:
                    raise IllegalMove(f"没有“{team}”这个班组")
                row.team, row.assignee, row.status = team, None, Status.NEW
                await self.conversations.enqueue(session, row.conversation_id)
            else:
                row.assignee, row.status = assignee, Status.ASSIGNED
                await self.conversations.take(session, row.conversation_id)
            self._event(session, row, "transferred", agent, {"team": team, "assignee": assignee, "note": note})
            return row

    async def resolve(self, id: int, agent: str, resolution: str, version: int | None = None) -> TicketRow:
        """办结: the conversation goes back to the bot with a line the customer sees."""
        async with self._database.write() as session:
            row = await self._own(session, id, agent, version)
            row.status = Status.RESOLVED
            line = RESOLVED_LINE.format(number=row.number, resolution=resolution.rstrip("。.！!"))
            if await self._newest(session, row.conversation_id, CLAIMED, besides=row.id) is None:
                await self.conversations.hand_back(session, row.conversation_id, line)
            else:
                await self.conversations.tell(session, row.conversation_id, line)
            self._event(session, row, "resolved", agent, {"resolution": resolution})
            return row

    async def reopen(self, id: int, agent: str, reason: str, version: int | None = None) -> TicketRow:
        """重开: a resolved ticket goes back to its team's queue."""
        async with self._database.write() as session:
            row = await self._locked(session, id, version)
            if row.status not in (Status.RESOLVED, Status.CLOSED):
                raise IllegalMove("只有已办结的工单可以重开")
            row.status, row.assignee = Status.REOPENED, None
            await self.conversations.enqueue(session, row.conversation_id)
            self._event(session, row, "reopened", agent, {"reason": reason})
            return row

    async def set_priority(
        self, id: int, agent: str, priority: str, reason: str, version: int | None = None
    ) -> TicketRow:
        """Change the priority; due times follow from the ticket's opening."""
        if priority not in PRIORITIES:
            raise IllegalMove(f"没有“{priority}”这个优先级")
        async with self._database.write() as session:
            row = await self._open_ticket(session, id, version)
            promise = self._taxonomy.priorities[priority]
            detail = {"from": row.priority, "to": priority, "reason": reason}
            row.priority = priority
            row.priority_reasons = [*row.priority_reasons, f"{agent} 改为{promise.name}：{reason}"]
            row.first_response_due = row.created_at + promise.first_response
            self._event(session, row, "priority", agent, detail)
            return row

    async def set_category(self, id: int, agent: str, category: str, version: int | None = None) -> TicketRow:
        """Correct the category; the team follows, and trainers learn of it from the event."""
        if category not in self._taxonomy.categories:
            raise IllegalMove(f"没有“{category}”这个类别")
        async with self._database.write() as session:
            row = await self._open_ticket(session, id, version)
            detail = {"from": row.category, "to": category}
            row.category, row.team = category, self._taxonomy.categories[category].team
            self._event(session, row, "category", agent, detail)
            return row

    async def merge(self, id: int, agent: str, into: int, version: int | None = None) -> TicketRow:
        """合并: this ticket closes and points to another open one."""
        async with self._database.write() as session:
            row = await self._open_ticket(session, id, version)
            other = await session.get(TicketRow, into)
            if other is None or other.id == row.id or other.status not in OPEN:
                raise IllegalMove("只能合并到另一张未办结的工单")
            row.status, row.merged_into = Status.CLOSED, other.id
            self._event(session, row, "merged", agent, {"into": other.number})
            self._event(session, other, "merged_from", agent, {"number": row.number})
            return row

    # --- inside ---

    async def _open_row(
        self, session: AsyncSession, conversation: int, seq: int, handoff: str | None, text: str | None,
        account_no: str | None,
    ) -> TicketRow:  # fmt: skip
        known = await session.scalar(
            select(TicketRow).where(TicketRow.conversation_id == conversation, TicketRow.message_seq == seq)
        )
        if known is not None:
            return known
        now = self._clock()
        said = text or await self._said(session, conversation, seq)
        earlier = await session.scalar(
            select(func.count())
            .select_from(TicketRow)
            .where(TicketRow.conversation_id == conversation, TicketRow.created_at > now - RECENT)
        )
        prediction = (await asyncio.to_thread(self._classifier.classify, [said]))[0]
        decided = assess(prediction, said, Facts(handoff, earlier or 0), self._taxonomy, now)
        channel = await session.scalar(
            select(ContactRow.channel)
            .join(ConversationRow, ConversationRow.contact_id == ContactRow.id)
            .where(ConversationRow.id == conversation)
        )
        row = TicketRow(
            number="",
            conversation_id=conversation,
            message_seq=seq,
            channel=channel or "",
            status=Status.NEW,
            category=decided.category,
            category_confidence=prediction.confidence,
            priority=decided.priority,
            priority_reasons=list(decided.reasons),
            text=said,
            account_no=account_no,
            team=decided.team,
            first_response_due=decided.first_response_due,
            resolve_due=decided.resolve_due,
            urged=0,
            model=self._classifier.version,
            created_at=now,
            updated_at=now,
            version=0,
        )
        row.number = f"{conversation}-{seq}-{now.timestamp()}"[:24]
        session.add(row)
        await session.flush()
        # readable on the telephone: the day and the running number
        row.number = f"DQ{now.astimezone(SHANGHAI):%y%m%d}{row.id:05d}"
        self._event(session, row, "opened", "bot", {"handoff": handoff, "model": self._classifier.version})
        await session.flush()
        return row

    @staticmethod
    async def _said(session: AsyncSession, conversation: int, seq: int) -> str:
        """The customer's last messages since the last ticket, oldest first: a bare 转人工 says nothing."""
        since = await session.scalar(
            select(func.max(TicketRow.message_seq)).where(TicketRow.conversation_id == conversation)
        )
        rows = await session.scalars(
            select(MessageRow.text)
            .where(
                MessageRow.conversation_id == conversation,
                MessageRow.speaker == Speaker.CUSTOMER,
                MessageRow.seq <= seq,
                MessageRow.seq > (since or 0),
            )
            .order_by(MessageRow.seq.desc())
            .limit(TEXT_MESSAGES)
        )
        return "\n".join(reversed(list(rows)))

    def _promise(self, ticket: TicketRow) -> str:
        wait = ticket.first_response_due - ticket.created_at
        minutes = int(wait.total_seconds() // 60)
        span = f"{minutes}分钟" if minutes < 120 else f"{minutes // 60}小时"
        due = ticket.resolve_due.astimezone(SHANGHAI)
        return f"我们会在{span}内联系您，{due.month}月{due.day}日 {due:%H:%M}前答复处理结果。"

    @staticmethod
    async def _newest(
        session: AsyncSession, conversation: int, statuses: Sequence[Status], besides: int = 0
    ) -> TicketRow | None:
        found: TicketRow | None = await session.scalar(
            select(TicketRow)
            .where(TicketRow.conversation_id == conversation, TicketRow.status.in_(statuses), TicketRow.id != besides)
            .order_by(TicketRow.id.desc())
            .limit(1)
        )
        return found

    @staticmethod
    async def _take(session: AsyncSession, id: int, agent: str) -> bool:
        taken = await session.scalar(
            update(TicketRow)
            .where(TicketRow.id == id, TicketRow.status.in_(UNCLAIMED), TicketRow.assignee.is_(None))
            .values(assignee=agent, status=Status.ASSIGNED)
            .returning(TicketRow.id)
            .execution_options(synchronize_session=False)
        )
        return taken is not None

    async def _claimed(self, session: AsyncSession, id: int, agent: str) -> TicketRow:
        row = await session.get_one(TicketRow, id, populate_existing=True)
        await self.conversations.take(session, row.conversation_id)
        self._event(session, row, "claimed", agent, {})
        return row

    async def _locked(self, session: AsyncSession, id: int, version: int | None) -> TicketRow:
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

    async def _open_ticket(self, session: AsyncSession, id: int, version: int | None) -> TicketRow:
        row = await self._locked(session, id, version)
        if row.status not in OPEN:
            raise IllegalMove("工单已办结，请先重开")
        return row

    async def _own(self, session: AsyncSession, id: int, agent: str, version: int | None) -> TicketRow:
        row = await self._open_ticket(session, id, version)
        if row.assignee != agent:
            raise IllegalMove("请先领单" if row.assignee is None else f"工单由 {row.assignee} 处理，请先转派")
        owner = await session.scalar(select(ConversationRow.owner).where(ConversationRow.id == row.conversation_id))
        if owner != Owner.AGENT:
            await self.conversations.take(session, row.conversation_id)
        return row

    def _event(
        self, session: AsyncSession, row: TicketRow, kind: str, actor: str, detail: Mapping[str, object]
    ) -> None:
        now = self._clock()
        row.version += 1
        row.updated_at = now
        session.add(
            TicketEventRow(ticket_id=row.id, kind=kind, actor=actor, detail=dict(detail), at=now, version=row.version)
        )
        conversation = row.conversation_id
        after_commit(session, lambda: self._bell.ring(QUEUE))
        after_commit(session, lambda: self._bell.ring(conversation_topic(conversation)))
