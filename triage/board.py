"""What the desk shows of tickets: lists in their order, one ticket with its history; personal data masked in lists."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, SQLColumnExpression, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database, MessageRow
from triage import order
from triage.masking import mask
from triage.search import Search
from triage.ticket import EVERYTHING, OPEN, UNCLAIMED, NoTicket, Status, TicketEventRow, TicketRow, in_states

SUMMARY = 60
MOST = 100
RISK = timedelta(minutes=30)
COUNTS_LAST = 2.0
NUMBER = re.compile(r"[A-Za-z]{2}\d{8,}")
SORTS: Mapping[str, tuple[SQLColumnExpression[Any], ...]] = {
    "order": (TicketRow.rank, TicketRow.due_at, TicketRow.id),
    "everything": (EVERYTHING, TicketRow.due_at, TicketRow.id),
    "due": (TicketRow.due_at, TicketRow.id),
    "oldest": (TicketRow.id,),
    "newest": (TicketRow.id,),
}


class WrongCursor(ValueError):
    """The cursor was not made by us, or for another sort; or the filter names what does not exist."""


@dataclass(frozen=True)
class Filter:
    """Which tickets; None means any.

    `status` is one, several with commas, or "open": every state that is not resolved or closed. `view` is "unassigned",
    "at_risk" (due within 30 minutes, or broken) or "undelivered" (a message did not reach the customer). `q` is a
    ticket's number or words. `sort` is order, due, oldest or newest.
    """

    status: str | None = None
    category: str | None = None
    priority: str | None = None
    team: str | None = None
    assignee: str | None = None
    q: str | None = None
    view: str | None = None
    incident: int | None = None
    conversation: int | None = None
    sort: str = "order"


QUEUES, PAGE = (Filter(status="open"), Filter(view="unassigned")), 50
"""What every desk shows first: a page of these is read along an index, however long the queue is."""


class Board:
    """Reads tickets for the desk."""

    def __init__(self, database: Database, clock: Callable[[], datetime], search: Search | None = None) -> None:
        """`clock` tells what is overdue; without `search` only numbers are found."""
        self._database = database
        self._clock = clock
        self._search = search
        self._counts: tuple[float, Mapping[str, int]] | None = None
        self._counting = asyncio.Lock()

    async def page(
        self, wanted: Filter, cursor: str | None = None, limit: int = 50
    ) -> tuple[Sequence[dict[str, Any]], str | None]:
        """Tickets by points, then due time, then age, and the cursor of the next page; raises `WrongCursor`."""
        rows, more = await self.rows(wanted, cursor, max(1, min(limit, MOST)))
        return [self.view(row) for row in rows], more

    async def rows(self, wanted: Filter, cursor: str | None, limit: int) -> tuple[Sequence[TicketRow], str | None]:
        """The rows of a page of any size; keyset paging, so the last page is as quick as the first."""
        if wanted.sort not in SORTS:
            raise WrongCursor(f"没有“{wanted.sort}”这种排序")
        unlimited = wanted.sort == "order" and wanted.status is None and wanted.view is None
        columns = SORTS["everything" if unlimited else wanted.sort]
        newest = wanted.sort == "newest"
        look = self._database.read if wanted in QUEUES and limit <= PAGE else self._database.survey
        async with look() as session:
            query = await self._filtered(session, select(TicketRow), wanted)
            if cursor is not None:
                place = tuple_(*columns)
                after = _read(cursor, columns)
                query = query.where(place < after if newest else place > after)
            query = query.order_by(*(column.desc() if newest else column for column in columns)).limit(limit + 1)
            rows = list(await session.scalars(query))
        return rows[:limit], _cursor(rows[limit - 1], columns) if len(rows) > limit else None

    async def counts(self) -> Mapping[str, int]:
        """How many tickets are in each state; up to two seconds old."""
        async with self._counting:
            if self._counts is None or time.monotonic() - self._counts[0] > COUNTS_LAST:
                async with self._database.survey() as session:
                    rows = await session.execute(select(TicketRow.status, func.count()).group_by(TicketRow.status))
                    self._counts = time.monotonic(), {status: count for status, count in rows}
            return self._counts[1]

    async def ticket(self, id: int) -> tuple[TicketRow, Sequence[TicketEventRow]]:
        """One ticket and its events, oldest first; raises `NoTicket`."""
        async with self._database.read() as session:
            row = await session.get(TicketRow, id)
            if row is None:
                raise NoTicket(f"没有工单 {id}")
            events = await session.scalars(
                select(TicketEventRow).where(TicketEventRow.ticket_id == id).order_by(TicketEventRow.id)
            )
            return row, list(events)

    def view(self, row: TicketRow, full: bool = False) -> dict[str, Any]:
        """A ticket as the API gives it; only the full view has the unmasked text."""
        now = self._clock()
        is_open = row.status in OPEN
        late_answer = row.responded_at is None and row.first_response_due < now
        masked = mask(row.text)
        summary, points = " ".join(masked.split()), order.reasons(row)
        return {
            "id": row.id,
            "number": row.number,
            "status": row.status,
            "category": row.category,
            "category_confidence": row.category_confidence,
            "priority": row.priority,
            "priority_reasons": row.priority_reasons,
            "priority_locked": row.priority_locked,
            "points": sum(reason.points for reason in points),
            "points_reasons": [{"reason": reason.text, "points": reason.points} for reason in points],
            "summary": summary[:SUMMARY] + ("…" if len(summary) > SUMMARY else ""),
            "text": row.text if full else masked,
            "account_no_masked": mask(row.account_no) if row.account_no else None,
            "channel": row.channel,
            "conversation_id": row.conversation_id,
            "team": row.team,
            "assignee": row.assignee,
            "due_at": row.due_at.isoformat(),
            "first_response_due": row.first_response_due.isoformat(),
            "resolve_due": row.resolve_due.isoformat(),
            "responded_at": row.responded_at.isoformat() if row.responded_at else None,
            "breached": is_open and (late_answer or row.resolve_due < now),
            "urged": row.urged,
            "model": row.model,
            "handoff": row.handoff,
            "area": row.area,
            "transformer": row.transformer,
            "feeder": row.feeder,
            "incident_id": row.incident_id,
            "merged_into": row.merged_into,
            "resolution": row.resolution,
            "resolved_at": row.resolved_at.isoformat() if row.resolved_at else None,
            "created_at": row.created_at.isoformat(),
            "updated_at": row.updated_at.isoformat(),
            "version": row.version,
        }

    async def _filtered(
        self, session: AsyncSession, query: Select[tuple[TicketRow]], wanted: Filter
    ) -> Select[tuple[TicketRow]]:
        match wanted.view:
            case None:
                pass
            case "unassigned":
                query = query.where(in_states(UNCLAIMED))
            case "at_risk":
                query = query.where(in_states(OPEN), TicketRow.due_at < self._clock() + RISK)
            case "undelivered":
                failed = select(MessageRow.conversation_id).where(MessageRow.delivery.in_(("failed", "expired")))
                query = query.where(TicketRow.conversation_id.in_(failed))
            case other:
                raise WrongCursor(f"没有“{other}”这个视图")
        if wanted.status == "open":
            query = query.where(in_states(OPEN))
        elif wanted.status is not None:
            statuses = [Status(name) for name in wanted.status.split(",") if name in set(Status)]
            if not statuses:
                raise WrongCursor(f"没有“{wanted.status}”这个状态")
            query = query.where(in_states(statuses) if len(statuses) > 1 else TicketRow.status == statuses[0])
        for column, value in (
            (TicketRow.category, wanted.category),
            (TicketRow.priority, wanted.priority),
            (TicketRow.team, wanted.team),
            (TicketRow.assignee, wanted.assignee),
            (TicketRow.incident_id, wanted.incident),
            (TicketRow.conversation_id, wanted.conversation),
        ):
            if value is not None:
                query = query.where(column == value)
        if wanted.q and (said := wanted.q.strip()):
            matching = None
            if self._search is not None and not NUMBER.fullmatch(said):
                matching = await self._search.matching(session, said)
            number = TicketRow.number == said.upper()
            query = query.where(number if matching is None else TicketRow.id.in_(matching))
        return query


def event_view(event: TicketEventRow) -> dict[str, Any]:
    """One line of the history."""
    return {
        "kind": event.kind,
        "actor": event.actor,
        "detail": event.detail,
        "at": event.at.isoformat(),
        "version": event.version,
    }


def _cursor(row: TicketRow, columns: Sequence[SQLColumnExpression[Any]]) -> str:
    full = {"rank": row.rank, "due_at": row.due_at.isoformat(), "id": row.id}
    place = [full[key] for key in ("rank", "due_at", "id")[-len(columns) :]]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read(cursor: str, columns: Sequence[SQLColumnExpression[Any]]) -> tuple[Any, ...]:
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor))
        if len(place) != len(columns):
            raise ValueError("of another sort")
        return tuple(datetime.fromisoformat(value) if isinstance(value, str) else int(value) for value in place)
    except (ValueError, TypeError) as error:
        raise WrongCursor("cursor 不对") from error
