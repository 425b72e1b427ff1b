"""What customers cause: tickets opened, repeated, urged; where they stand and what they are promised."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from bot.bell import Bell
from bot.conversation import Conversations
from bot.database import ContactRow, ConversationRow, Database, MessageRow
from bot.message import Speaker
from triage import order
from triage.calendar import SHANGHAI
from triage.classifier import Classifier
from triage.history import History
from triage.incident import Incidents, Place
from triage.policy import Assessment, Facts, assess, raised
from triage.promise import PromiseBook, when
from triage.taxonomy import Taxonomy
from triage.ticket import CLAIMED, OPEN, UNCLAIMED, Status, TicketEventRow, TicketRow, in_states
from triage.timing import Timing

RECENT = timedelta(days=30)
REOPENABLE = timedelta(days=7)
TEXT_MESSAGES = 6
UNCLAIMED_FOR = timedelta(seconds=60)
RATE_OVER = timedelta(minutes=30)
LEAST_CLAIMS = 3
STATES: Mapping[Status, str] = {
    Status.NEW: "等待受理",
    Status.REOPENED: "重新受理中",
    Status.ASSIGNED: "处理中",
    Status.WAITING_CUSTOMER: "等您回复",
    Status.WAITING_FIELD: "现场处理中",
    Status.RESOLVED: "已办结",
    Status.CLOSED: "已关闭",
}

Locate = Callable[[str], Awaitable[Place | None]]
Verified = Callable[[int], Awaitable[str | None]]
"""From a conversation to the account number its customer proved to hold 已核验户号, or None."""


async def nowhere(account_no: str) -> Place | None:
    """A `Locate` that knows no place."""
    return None


async def nobody(conversation: int) -> str | None:
    """A `Verified` that has verified nobody."""
    return None


@dataclass(frozen=True)
class Opened:
    """What the customer is told: number and promise; `repeated` when the matter already had an open ticket."""

    number: str
    promise: str
    repeated: bool = False


@dataclass(frozen=True)
class Standing:
    """Where a ticket stands, in words: its state, whose it is, by when it is to be settled."""

    number: str
    state: str
    team: str
    due: str
    open: bool


class Intake:
    """Opens tickets, or adds to the one that is open for the same contact and matter."""

    def __init__(
        self,
        database: Database,
        classifier: Classifier,
        taxonomy: Taxonomy,
        bell: Bell,
        clock: Callable[[], datetime],
        locate: Locate = nowhere,
        verified: Verified = nobody,
    ) -> None:
        """`attach` must be called before use; `locate` finds the place on the grid of an account."""
        self._database = database
        self._classifier = classifier
        self._taxonomy = taxonomy
        self._clock = clock
        self._locate = locate
        self._verified = verified
        self._history = History(bell, clock)
        self._timing = Timing(taxonomy, PromiseBook.load(), clock)
        self._incidents = Incidents(clock)
        self._conversations: Conversations | None = None

    def attach(self, conversations: Conversations) -> None:
        """Conversations need a desk to exist, and the desk needs conversations: the second half of the knot."""
        self._conversations = conversations

    @property
    def classifier(self) -> Classifier:
        """What sorts the tickets."""
        return self._classifier

    @property
    def conversations(self) -> Conversations:
        """The conversations the tickets are about."""
        assert self._conversations is not None, "attach() was not called"
        return self._conversations

    async def open(self, session: AsyncSession, conversation: int, seq: int, reason: str) -> str:
        """`bot.conversation.Desk.open`: a ticket for a handoff; returns the one notice the customer reads.

        It tells the number, the place in the queue and the promised time, and a waiting interval when the claims of
        the last half hour allow an honest one.
        """
        row, repeated = await self._take_in(session, conversation, seq, reason, None, None, None)
        promise = await self._timing.told(session, row)
        if row.status in CLAIMED:
            await self.conversations.take(session, conversation)
            return f"您的工单{row.number}正在处理，已通知坐席。{promise}"
        ahead = await self._ahead(session, row)
        place = f"前面还有{ahead}位，" if ahead else "您排在最前面，"
        wait = await self._wait(session, ahead)
        known = "您的工单号" if repeated else "已为您登记，工单号"
        return f"{known} {row.number}。{place}{wait}{promise}"

    async def arrived(self, session: AsyncSession, conversation: int, seq: int) -> None:
        """`bot.conversation.Desk.arrived`: the customer wrote; a ticket that waited for them goes on."""
        row = await self._history.newest(session, conversation, OPEN)
        if row is None:
            await self._take_in(session, conversation, seq, "customer wrote", None, None, None)
            return
        if row.status == Status.WAITING_CUSTOMER:
            self._history.move(row, Status.ASSIGNED)
        await self._timing.customer_wrote(session, row)
        self._history.record(session, row, "customer_message", "customer", {"seq": seq})

    async def file(
        self, conversation: int, seq: int, text: str, account_no: str | None, place: Place | None = None
    ) -> Opened:
        """A ticket for the message `seq`, once per message; the bot keeps the conversation.

        The same matter while its ticket is open adds to that ticket and urges it. `place` puts an outage on the grid;
        without it the account's own place counts.
        """
        if place is None and account_no is not None:
            place = await self._locate(account_no)
        async with self._database.write() as session:
            row, repeated = await self._take_in(session, conversation, seq, None, text, account_no, place)
            return Opened(row.number, await self._timing.told(session, row), repeated)

    async def progress(self, conversation: int) -> list[Standing]:
        """The contact's tickets of the last 30 days, newest first."""
        async with self._database.read() as session:
            rows = await session.scalars(
                select(TicketRow)
                .where(TicketRow.conversation_id == conversation, TicketRow.created_at > self._clock() - RECENT)
                .order_by(TicketRow.id.desc())
                .limit(5)
            )
            return [
                Standing(
                    row.number, STATES[Status(row.status)], self._taxonomy.teams.get(row.team, row.team),
                    when(row.resolve_due), row.status in OPEN,
                )
                for row in rows
            ]  # fmt: skip

    async def reopen_newest(self, conversation: int, seq: int, text: str) -> Opened | None:
        """The customer says that it is not solved: their newest ticket, resolved within a week, is open again.

        The bot keeps the conversation. None when an open ticket or none is there to reopen.
        """
        async with self._database.write() as session:
            row = await self._history.newest(session, conversation, (*OPEN, Status.RESOLVED))
            since = self._clock() - REOPENABLE
            if row is None or row.status != Status.RESOLVED or (row.resolved_at or row.updated_at) < since:
                return None
            self._history.move(row, Status.REOPENED)
            await self._timing.reopened(session, row)
            self._history.record(session, row, "reopened", "customer", {"reason": text, "seq": seq})
            return Opened(row.number, await self._timing.told(session, row))

    async def add(self, conversation: int, seq: int, text: str) -> Opened | None:
        """Add what the contact's newest open ticket does not hold yet to its text; None when there is no ticket."""
        async with self._database.write() as session:
            row = await self._history.newest(session, conversation, OPEN)
            if row is None:
                return None
            if text not in row.text:
                row.text = f"{row.text}\n{text}"
                await self.arrived(session, conversation, seq)
            return Opened(row.number, await self._timing.told(session, row))

    async def rate(self, conversation: int, score: int, text: str) -> str | None:
        """评价 1 to 5 for the contact's newest ticket; its number, or None when there is no ticket."""
        async with self._database.write() as session:
            row = await self._history.newest(session, conversation, tuple(Status))
            if row is None:
                return None
            self._history.record(session, row, "rated", "customer", {"score": score, "text": text})
            return row.number

    async def urge(self, conversation: int) -> Opened | None:
        """Urge 催办 the newest open ticket, which becomes one step more urgent; None when there is none."""
        async with self._database.write() as session:
            row = await self._history.newest(session, conversation, OPEN)
            if row is None:
                return None
            await self._urge(session, row, raised(row.priority))
            return Opened(row.number, await self._timing.told(session, row))

    async def position(self, conversation: int) -> int | None:
        """How many open tickets stand before this conversation's in the queue; None when it is not waiting."""
        async with self._database.read() as session:
            row = await self._history.newest(session, conversation, UNCLAIMED)
            return await self._ahead(session, row) if row is not None else None

    @staticmethod
    async def _ahead(session: AsyncSession, row: TicketRow) -> int:
        mine = tuple_(TicketRow.rank, TicketRow.due_at, TicketRow.id) < (row.rank, row.due_at, row.id)
        return await session.scalar(select(func.count()).where(in_states(UNCLAIMED), mine)) or 0

    async def _wait(self, session: AsyncSession, ahead: int) -> str:
        """The 80 % interval until `ahead` + 1 claims at the pace of the last half hour; empty when that says little.

        Claims at rate r make the wait for the k-th one a Gamma(k, r): mean k/r, standard deviation √k/r.
        """
        since = self._clock() - RATE_OVER
        claims = await session.scalar(
            select(func.count()).where(TicketEventRow.kind == "claimed", TicketEventRow.at > since)
        )
        if not claims or claims < LEAST_CLAIMS:
            return ""
        mean = (ahead + 1) * (RATE_OVER / timedelta(minutes=1)) / claims
        spread = 1.28 / (ahead + 1) ** 0.5
        least, most = max(1, round(mean * (1 - spread))), max(2, -int(-mean * (1 + spread) // 1))
        return f"预计等待{least}到{most}分钟。"

    async def _urge(self, session: AsyncSession, row: TicketRow, priority: str) -> None:
        row.urged += 1
        row.priority_reasons = [*row.priority_reasons, f"客户第{row.urged}次催办"]
        if not row.priority_locked and priority < row.priority:
            row.priority = priority
            await self._timing.retargeted(session, row)
        self._history.record(session, row, "urged", "customer", {"times": row.urged})

    async def _take_in(
        self, session: AsyncSession, conversation: int, seq: int, handoff: str | None, text: str | None,
        account_no: str | None, place: Place | None,
    ) -> tuple[TicketRow, bool]:  # fmt: skip
        """The ticket of this message: the one it already has, the open one of the matter, or a new one.

        A second matter of the message joins the first one's ticket. True where the ticket was there and got more.
        """
        known = await session.scalar(
            select(TicketRow).where(TicketRow.conversation_id == conversation, TicketRow.message_seq == seq)
        )
        if known is not None:
            another = text is not None and text not in known.text
            if another:
                known.text = f"{known.text}\n{text}"
                self._history.record(session, known, "repeated", "customer", {"seq": seq, "text": text})
            return known, another
        now = self._clock()
        said = text or await self._said(session, conversation, seq)
        contacts = await session.scalar(
            select(func.count() + func.coalesce(func.sum(TicketRow.urged), 0))
            .select_from(TicketRow)
            .where(TicketRow.conversation_id == conversation, TicketRow.created_at > now - RECENT)
        )
        prediction = (await asyncio.to_thread(self._classifier.classify, [said]))[0]
        decided = assess(prediction, said, Facts(handoff, contacts or 0), self._taxonomy, now)
        account_no = account_no or await self._verified(conversation)
        row = await self._same_matter(session, conversation, decided, handoff)
        if row is not None:
            row.account_no = row.account_no or account_no
            await self._repeat(session, row, seq, said, decided, handoff)
            return row, True
        row = self._row(conversation, seq, decided, said)
        if words := await asyncio.to_thread(self._classifier.explain, said):
            row.priority_reasons = [*row.priority_reasons, f"关键词：{'、'.join(word for word, _ in words)}"]
        row.category_confidence, row.handoff, row.account_no = prediction.confidence, handoff, account_no
        if place is not None:
            row.area, row.transformer, row.feeder = place.area, place.transformer, place.feeder
        row.model = prediction.model or row.model
        await self._register(session, row, "bot", {"handoff": handoff, "model": row.model})
        joined = await self._incidents.join(session, row)
        if joined is not None:
            self._history.record(session, row, "incident", "system", {"number": joined.number})
        await session.flush()
        return row, False

    def _row(self, conversation: int, seq: int, decided: Assessment, text: str) -> TicketRow:
        now = self._clock()
        return TicketRow(
            number=f"{conversation}-{seq}-{now.timestamp()}"[:24], conversation_id=conversation, message_seq=seq,
            channel="", status=Status.NEW, category=decided.category, category_confidence=1.0,
            priority=decided.priority, priority_locked=False, aged=0, priority_reasons=list(decided.reasons),
            text=text, team=decided.team, due_at=decided.first_response_due,
            first_response_due=decided.first_response_due, resolve_due=decided.resolve_due, urged=0,
            model=self._classifier.version, created_at=now, updated_at=now, version=0, rank=0,
        )  # fmt: skip

    async def _register(self, session: AsyncSession, row: TicketRow, actor: str, detail: Mapping[str, object]) -> None:
        """Store a new ticket, give it its number, start its clocks and put it in the queue."""
        channel = await session.scalar(
            select(ContactRow.channel)
            .join(ConversationRow, ConversationRow.contact_id == ContactRow.id)
            .where(ConversationRow.id == row.conversation_id)
        )
        row.channel = channel or ""
        session.add(row)
        await session.flush()
        # readable on the telephone: the day and the running number
        row.number = f"DQ{row.created_at.astimezone(SHANGHAI):%y%m%d}{row.id:05d}"
        await self._timing.opened(session, row)
        row.ages_at = order.first_aging(row, row.created_at)
        row.escalate_at = row.created_at + UNCLAIMED_FOR if row.handoff is not None else None
        self._history.record(session, row, "opened", actor, detail)
        if row.handoff is not None:
            self._call_agents(session, row)

    def _call_agents(self, session: AsyncSession, row: TicketRow) -> None:
        """Heard and seen at every desk of the team: a customer waits for a person."""
        event = {"type": "handoff", "ticket": row.id, "team": row.team, "priority": row.priority}
        self._history.tell(session, event)

    @staticmethod
    async def _same_matter(
        session: AsyncSession, conversation: int, decided: Assessment, handoff: str | None
    ) -> TicketRow | None:
        """The contact's open ticket of this category; a handoff without a matter of its own goes to the newest."""
        query = select(TicketRow).where(TicketRow.conversation_id == conversation, in_states(OPEN))
        if handoff is None or decided.category != "other":
            query = query.where(TicketRow.category == decided.category)
        found: TicketRow | None = await session.scalar(query.order_by(TicketRow.id.desc()).limit(1))
        return found

    async def _repeat(
        self, session: AsyncSession, row: TicketRow, seq: int, said: str, decided: Assessment, handoff: str | None
    ) -> None:
        seen = await session.scalars(
            select(TicketEventRow.detail).where(
                TicketEventRow.ticket_id == row.id, TicketEventRow.kind.in_(("repeated", "handoff"))
            )
        )
        if any(detail.get("seq") == seq for detail in seen):
            return
        if said not in row.text:
            row.text = f"{row.text}\n{said}"
        priority = min(decided.priority, row.priority if handoff else raised(row.priority))
        if handoff is not None:
            row.handoff = handoff
            if row.status in UNCLAIMED:
                row.escalate_at = self._clock() + UNCLAIMED_FOR
                self._call_agents(session, row)
            elif row.status == Status.WAITING_CUSTOMER:
                self._history.move(row, Status.ASSIGNED)
            if not row.priority_locked and priority < row.priority:
                row.priority = priority
                await self._timing.retargeted(session, row)
            await self._timing.handed_off(session, row)
            self._history.record(session, row, "handoff", "customer", {"seq": seq, "reason": handoff, "text": said})
            return
        self._history.record(session, row, "repeated", "customer", {"seq": seq, "text": said})
        await self._urge(session, row, priority)

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
