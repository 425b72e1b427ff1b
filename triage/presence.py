"""Presence 在岗: which agents are there, for which team and skills, and how much they can hold."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Base, UtcDateTime

GONE_AFTER = timedelta(seconds=90)
"""An agent whose page was silent for this long has left."""


class State(StrEnum):
    """online takes tickets; away keeps what it has and takes no more; offline gives back what nobody works on."""

    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


class PresenceRow(Base):
    """An agent at work. `push`: tickets are handed out without asking.

    `team` None serves every team; `skills` are categories, empty means all; `capacity` counts tickets that wait for the
    agent (state assigned). `last_assigned_at` orders agents, the least recently used first.
    """

    __tablename__ = "presence"
    __table_args__ = (Index("ix_presence_free", "state", "push", "last_assigned_at"),)
    username: Mapped[str] = mapped_column(String(64), primary_key=True)
    team: Mapped[str | None] = mapped_column(String(32))
    skills: Mapped[list[str]] = mapped_column(JSON)
    capacity: Mapped[int]
    state: Mapped[str] = mapped_column(String(8))
    push: Mapped[bool]
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_assigned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
