"""Tickets 工单 and their history: tables, states and what may follow what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Base, UtcDateTime


class Status(StrEnum):
    """State of a ticket."""

    NEW = "new"
    ASSIGNED = "assigned"
    WAITING_CUSTOMER = "waiting_customer"
    WAITING_FIELD = "waiting_field"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CLOSED = "closed"


# new, reopened → assigned (claim); assigned ⇄ waiting; any of these → resolved; resolved → reopened or closed
OPEN = (Status.NEW, Status.REOPENED, Status.ASSIGNED, Status.WAITING_CUSTOMER, Status.WAITING_FIELD)
UNCLAIMED = (Status.NEW, Status.REOPENED)
CLAIMED = (Status.ASSIGNED, Status.WAITING_CUSTOMER, Status.WAITING_FIELD)


class TicketRow(Base):
    """工单; unique for the message it was opened for. `version` grows with every change."""

    __tablename__ = "ticket"
    __table_args__ = (
        UniqueConstraint("conversation_id", "message_seq"),
        Index("ix_ticket_order", "status", "priority", "first_response_due"),
    )
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
    text: Mapped[str] = mapped_column(Text)
    account_no: Mapped[str | None] = mapped_column(String(32))
    team: Mapped[str] = mapped_column(String(32))
    assignee: Mapped[str | None] = mapped_column(String(64))
    first_response_due: Mapped[datetime] = mapped_column(UtcDateTime)
    resolve_due: Mapped[datetime] = mapped_column(UtcDateTime)
    responded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    urged: Mapped[int] = mapped_column(default=0)
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    model: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=1)


class TicketEventRow(Base):
    """What happened to a ticket, by whom, when: only ever added to."""

    __tablename__ = "ticket_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    kind: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int]
