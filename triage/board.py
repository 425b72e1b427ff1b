"""What the desk shows of tickets: lists in their order, one ticket with its history; personal data masked in lists."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select, tuple_

from bot.database import Database
from triage import order
from triage.masking import mask
from triage.ticket import OPEN, NoTicket, TicketEventRow, TicketRow, in_states

SUMMARY = 60
MOST = 100


class WrongCursor(ValueError):
    """The cursor was not made by us."""


@dataclass(frozen=True)
class Filter:
    """Which tickets; None means any. `status` "open" means every state that is not resolved or closed."""

    status: str | None = None
    category: str | None = None
    priority: str | None = None
    team: str | None = None
    assignee: str | None = None
    q: str | None = None


class Board:
    """Reads tickets for the desk."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        """`clock` tells what is overdue."""
        self._database = database
        self._clock = clock

    async def page(
        self, wanted: Filter, cursor: str | None = None, limit: int = 50
    ) -> tuple[Sequence[dict[str, Any]], str | None]:
        """Tickets by points, then due time, then age, and the cursor of the next page; raises `WrongCursor`."""
        limit = max(1, min(limit, MOST))
        query = self._filtered(select(TicketRow), wanted)
        if cursor is not None:
            query = query.where(tuple_(TicketRow.rank, TicketRow.due_at, TicketRow.id) > _read(cursor))
        query = query.order_by(TicketRow.rank, TicketRow.due_at, TicketRow.id).limit(limit + 1)
        async with self._database.read() as session:
            rows = list(await session.scalars(query))
        more = _cursor(rows[limit - 1]) if len(rows) > limit else None
        return [self.view(row) for row in rows[:limit]], more

    async def counts(self) -> Mapping[str, int]:
        """How many tickets are in each state."""
        async with self._database.read() as session:
            rows = await session.execute(select(TicketRow.status, func.count()).group_by(TicketRow.status))
            return {status: count for status, count in rows}

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
        summary = mask(" ".join(row.text.split()))
        return {
            "id": row.id,
            "number": row.number,
            "status": row.status,
            "category": row.category,
            "category_confidence": row.category_confidence,
            "priority": row.priority,
            "priority_reasons": row.priority_reasons,
            "priority_locked": row.priority_locked,
            "points": order.total(row),
            "points_reasons": [{"reason": reason.text, "points": reason.points} for reason in order.reasons(row)],
            "summary": summary[:SUMMARY] + ("…" if len(summary) > SUMMARY else ""),
            "text": row.text if full else mask(row.text),
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

    @staticmethod
    def _filtered(query: Select[tuple[TicketRow]], wanted: Filter) -> Select[tuple[TicketRow]]:
        if wanted.status == "open":
            query = query.where(in_states(OPEN))
        elif wanted.status is not None:
            query = query.where(TicketRow.status.in_(wanted.status.split(",")))
        for column, value in (
            (TicketRow.category, wanted.category),
            (TicketRow.priority, wanted.priority),
            (TicketRow.team, wanted.team),
            (TicketRow.assignee, wanted.assignee),
        ):
            if value is not None:
                query = query.where(column == value)
        if wanted.q:
            query = query.where(
                or_(
                    TicketRow.number.contains(wanted.q, autoescape=True),
                    TicketRow.text.contains(wanted.q, autoescape=True),
                )
            )
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


def _cursor(row: TicketRow) -> str:
    place = [row.rank, row.due_at.isoformat(), row.id]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read(cursor: str) -> tuple[int, datetime, int]:
    try:
        rank, due, id = json.loads(base64.urlsafe_b64decode(cursor))
        return int(rank), datetime.fromisoformat(due), int(id)
    except (ValueError, TypeError) as error:
        raise WrongCursor("cursor 不对") from error
