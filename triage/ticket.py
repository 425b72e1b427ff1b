"""Tickets 工单 and their history: tables, states, what may follow what, and what a ticket can refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BindParameter, ColumnElement, ForeignKey, Index, String, Text, UniqueConstraint, bindparam
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Base, UtcDateTime
from bot.message import Message


class Status(StrEnum):
    """State of a ticket."""

    NEW = "new"
    ASSIGNED = "assigned"
    WAITING_CUSTOMER = "waiting_customer"
    WAITING_FIELD = "waiting_field"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CLOSED = "closed"


OPEN = (Status.NEW, Status.REOPENED, Status.ASSIGNED, Status.WAITING_CUSTOMER, Status.WAITING_FIELD)
UNCLAIMED = (Status.NEW, Status.REOPENED)
CLAIMED = (Status.ASSIGNED, Status.WAITING_CUSTOMER, Status.WAITING_FIELD)

_WORKED = {*CLAIMED, Status.NEW, Status.RESOLVED, Status.CLOSED}
MOVES: Mapping[Status, frozenset[Status]] = {
    Status.NEW: frozenset({Status.NEW, Status.ASSIGNED, Status.CLOSED}),
    Status.REOPENED: frozenset({Status.NEW, Status.ASSIGNED, Status.CLOSED}),
    Status.ASSIGNED: frozenset(_WORKED),
    Status.WAITING_CUSTOMER: frozenset(_WORKED),
    Status.WAITING_FIELD: frozenset(_WORKED),
    Status.RESOLVED: frozenset({Status.REOPENED, Status.CLOSED}),
    Status.CLOSED: frozenset({Status.REOPENED}),
}
"""The guard table. To NEW means back to a team's queue; open to CLOSED happens only by a merge."""


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


class Unseen(QueueError):
    """Someone wrote in the conversation since the agent looked; `messages` are what they did not see."""

    def __init__(self, messages: Sequence[Message]) -> None:
        """`messages`, in order."""
        super().__init__("对话里有您还没看到的消息")
        self.messages = messages


class TicketRow(Base):
    """工单; unique for the message it was opened for. `version` grows with every change.

    Sorted by (`rank`, `due_at`, `id`), all ascending: `rank` is minus the sum of the points (triage/order.py), `due_at`
    the next clock to break. `ages_at` is when waiting makes it more urgent, `escalate_at` when a supervisor is called;
    both are None unless it waits to be claimed. `transformer` and `feeder` place an outage on the grid.
    """

    __tablename__ = "ticket"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(24), unique=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    message_seq: Mapped[int]
    channel: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(20))
    category: Mapped[str] = mapped_column(String(32))
    category_confidence: Mapped[float]
    priority: Mapped[str] = mapped_column(String(2))
    priority_reasons: Mapped[list[str]] = mapped_column(JSON)
    priority_locked: Mapped[bool] = mapped_column(default=False)
    rank: Mapped[int]
    aged: Mapped[int] = mapped_column(default=0)
    ages_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    text: Mapped[str] = mapped_column(Text)
    account_no: Mapped[str | None] = mapped_column(String(32))
    team: Mapped[str] = mapped_column(String(32))
    assignee: Mapped[str | None] = mapped_column(String(64))
    handoff: Mapped[str | None] = mapped_column(String(64))
    escalate_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    first_response_due: Mapped[datetime] = mapped_column(UtcDateTime)
    resolve_due: Mapped[datetime] = mapped_column(UtcDateTime)
    responded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolution: Mapped[str | None] = mapped_column(Text)
    urged: Mapped[int] = mapped_column(default=0)
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    area: Mapped[str | None] = mapped_column(String(64))
    transformer: Mapped[str | None] = mapped_column(String(64))
    feeder: Mapped[str | None] = mapped_column(String(64))
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incident.id"))
    model: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=1)


class TicketEventRow(Base):
    """What happened to a ticket, by whom, when: only ever added to."""

    __tablename__ = "ticket_event"
    __table_args__ = (Index("ix_event_kind_at", "kind", "at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    kind: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int]


def in_states(statuses: Sequence[Status]) -> ColumnElement[bool]:
    """`status IN (…)` with the values written out, so that both databases can use the partial indexes below."""
    values: BindParameter[list[str]] = bindparam(
        None, [status.value for status in statuses], expanding=True, literal_execute=True
    )
    return TicketRow.status.in_(values)


def _partial(name: str, statuses: Sequence[Status] | None, *columns: str) -> Index:
    if statuses is None:
        return Index(name, *(getattr(TicketRow, column) for column in columns))
    condition = sql(f"status IN ({', '.join(repr(status.value) for status in statuses)})")
    found = [getattr(TicketRow, column) for column in columns]
    return Index(name, *found, sqlite_where=condition, postgresql_where=condition)


ORDER = ("rank", "due_at", "id")
EVERYTHING = TicketRow.rank + 0
"""The rank where tickets of every state are listed. Written so, its index is no rival of the partial ones: SQLite's
planner takes those for as large as the one over all tickets, and would step over every resolved ticket to a claim."""
UniqueConstraint(TicketRow.conversation_id, TicketRow.message_seq)
INDEXES = (
    _partial("ix_ticket_waiting", UNCLAIMED, *ORDER),
    _partial("ix_ticket_waiting_team", UNCLAIMED, "team", *ORDER),
    _partial("ix_ticket_ages", UNCLAIMED, "ages_at"),
    _partial("ix_ticket_escalate", UNCLAIMED, "escalate_at"),
    _partial("ix_ticket_open", OPEN, *ORDER),
    _partial("ix_ticket_open_team", OPEN, "team", *ORDER),
    _partial("ix_ticket_open_due", OPEN, "due_at", "id"),
    _partial("ix_ticket_mine", OPEN, "assignee", *ORDER),
    _partial("ix_ticket_transformer", OPEN, "transformer", "created_at"),
    _partial("ix_ticket_feeder", OPEN, "feeder", "created_at"),
    Index("ix_ticket_all", EVERYTHING, TicketRow.due_at, TicketRow.id),
    _partial("ix_ticket_status", None, "status", *ORDER),
    _partial("ix_ticket_category", None, "category", *ORDER),
    _partial("ix_ticket_account", None, "account_no", "id"),
    _partial("ix_ticket_incident", None, "incident_id", "id"),
)
"""Every list of the desk reads one of these from its cursor on; claims read the first two."""
