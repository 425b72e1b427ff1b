"""What agents write before it is sent: drafts, canned replies with variables, saved views; and who is at a ticket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import JSON, ForeignKey, String, Text, delete, func, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from bot.bell import DESK, Bell
from bot.database import Base, Database, UtcDateTime
from triage.desk.initials import initials
from triage.ticket import NoTicket, TicketRow

CANNED = Path(__file__).with_name("canned.yml")
VIEWING_LASTS = timedelta(seconds=30)
TYPING_LASTS = timedelta(seconds=15)
_VARIABLE = re.compile(r"[{｛]+\s*([^{}｛｝\n]{1,20}?)\s*[}｝]+")


class DraftRow(Base):
    """草稿 of one agent for one ticket: survives refresh, logout and collision."""

    __tablename__ = "draft"
    username: Mapped[str] = mapped_column(String(64), primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CannedReplyRow(Base):
    """常用语: found by title or by the pinyin initials of its title; `{变量}` are filled from the ticket."""

    __tablename__ = "canned_reply"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(64), unique=True)
    initials: Mapped[str] = mapped_column(String(64), index=True)
    text: Mapped[str] = mapped_column(Text)
    team: Mapped[str | None] = mapped_column(String(32))


class SavedViewRow(Base):
    """A list an agent keeps: filters and sort under a name."""

    __tablename__ = "saved_view"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str] = mapped_column(String(64))
    query: Mapped[dict[str, Any]] = mapped_column(JSON)


class LeaseRow(Base):
    """Someone looks at a ticket; who types first holds its lease until they stop for 15 s."""

    __tablename__ = "lease"
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    username: Mapped[str] = mapped_column(String(64), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    typed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    typing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Viewer:
    """Who is at the ticket; `holds` the lease to write."""

    username: str
    typing: bool
    holds: bool


class Writing:
    """Keeps all of this."""

    def __init__(self, database: Database, bell: Bell, now: Callable[[], datetime]) -> None:
        """`bell` tells the desk who came and who types."""
        self._database = database
        self._bell = bell
        self._now = now

    async def save_draft(self, username: str, ticket: int, text: str) -> None:
        """Keep the draft; an empty one is dropped. Raises `NoTicket`."""
        async with self._database.write() as session:
            if await session.get(TicketRow, ticket) is None:
                raise NoTicket(f"没有工单 {ticket}")
            if text:
                await session.merge(DraftRow(username=username, ticket_id=ticket, text=text, updated_at=self._now()))
            else:
                await session.execute(
                    delete(DraftRow).where(DraftRow.username == username, DraftRow.ticket_id == ticket)
                )

    async def draft(self, username: str, ticket: int) -> str:
        """The agent's draft for this ticket, or nothing."""
        async with self._database.read() as session:
            row = await session.get(DraftRow, (username, ticket))
            return row.text if row is not None else ""

    async def ensure_canned(self) -> None:
        """Load the first canned replies into an empty table."""
        async with self._database.read() as session:
            if await session.scalar(select(func.count()).select_from(CannedReplyRow)):
                return
        rows = yaml.safe_load(CANNED.read_text(encoding="utf-8"))
        letters = await asyncio.to_thread(initials, *(row["title"] for row in rows))
        async with self._database.write() as session:
            if not await session.scalar(select(func.count()).select_from(CannedReplyRow)):
                for row, short in zip(rows, letters, strict=True):
                    session.add(CannedReplyRow(title=row["title"], initials=short, text=row["text"]))

    async def canned(self, query: str, team: str | None) -> Sequence[CannedReplyRow]:
        """Canned replies of everyone and of the team whose title or initials fit, initials first."""
        wanted = select(CannedReplyRow).where(or_(CannedReplyRow.team.is_(None), CannedReplyRow.team == team))
        if query:
            wanted = wanted.where(
                or_(
                    CannedReplyRow.initials.startswith(query.lower(), autoescape=True),
                    CannedReplyRow.title.contains(query, autoescape=True),
                )
            )
        async with self._database.read() as session:
            return list(await session.scalars(wanted.order_by(CannedReplyRow.initials).limit(50)))

    async def save_canned(self, title: str, text: str, team: str | None) -> CannedReplyRow:
        """Add a canned reply, or replace the one of this title."""
        [short] = await asyncio.to_thread(initials, title)
        async with self._database.write() as session:
            row = await session.scalar(select(CannedReplyRow).where(CannedReplyRow.title == title))
            if row is None:
                row = CannedReplyRow(title=title)
                session.add(row)
            row.initials, row.text, row.team = short, text, team
            await session.flush()
            return row

    async def drop_canned(self, id: int) -> bool:
        """Remove one; False when there is none such."""
        async with self._database.write() as session:
            found = await session.scalar(
                delete(CannedReplyRow).where(CannedReplyRow.id == id).returning(CannedReplyRow.id)
            )
            return found is not None

    async def canned_text(self, id: int) -> str | None:
        """The text with its variables."""
        async with self._database.read() as session:
            row = await session.get(CannedReplyRow, id)
            return row.text if row is not None else None

    async def views(self, username: str) -> Sequence[SavedViewRow]:
        """The agent's saved views."""
        async with self._database.read() as session:
            rows = await session.scalars(
                select(SavedViewRow).where(SavedViewRow.username == username).order_by(SavedViewRow.id)
            )
            return list(rows)

    async def save_view(self, username: str, name: str, query: Mapping[str, Any]) -> SavedViewRow:
        """Keep a view, replacing one of the same name."""
        async with self._database.write() as session:
            row = await session.scalar(
                select(SavedViewRow).where(SavedViewRow.username == username, SavedViewRow.name == name)
            )
            if row is None:
                row = SavedViewRow(username=username, name=name)
                session.add(row)
            row.query = dict(query)
            await session.flush()
            return row

    async def drop_view(self, username: str, id: int) -> bool:
        """Remove one of the agent's views; False when there is none such."""
        async with self._database.write() as session:
            found = await session.scalar(
                delete(SavedViewRow)
                .where(SavedViewRow.id == id, SavedViewRow.username == username)
                .returning(SavedViewRow.id)
            )
            return found is not None

    async def at(self, ticket: int, username: str, typing: bool) -> Sequence[Viewer]:
        """Heartbeat: the agent looks at the ticket, and perhaps types; returns everyone who is there."""
        now = self._now()
        async with self._database.write() as session:
            if await session.get(TicketRow, ticket) is None:
                raise NoTicket(f"没有工单 {ticket}")
            row = await session.get(LeaseRow, (ticket, username), with_for_update=True)
            if row is None:
                row = LeaseRow(ticket_id=ticket, username=username)
                session.add(row)
            if typing and (row.typed_at is None or row.typed_at < now - TYPING_LASTS):
                row.typing_since = now
            row.seen_at, row.typed_at = now, now if typing else row.typed_at
            await session.execute(
                delete(LeaseRow).where(LeaseRow.ticket_id == ticket, LeaseRow.seen_at < now - VIEWING_LASTS)
            )
        found = await self.viewers(ticket)
        self._bell.ring(DESK, {"type": "viewing", "ticket": ticket, "viewers": [[v.username, v.typing] for v in found]})
        return found

    async def left(self, ticket: int, username: str) -> None:
        """The agent looks elsewhere; the lease is free."""
        async with self._database.write() as session:
            await session.execute(delete(LeaseRow).where(LeaseRow.ticket_id == ticket, LeaseRow.username == username))
        found = await self.viewers(ticket)
        self._bell.ring(DESK, {"type": "viewing", "ticket": ticket, "viewers": [[v.username, v.typing] for v in found]})

    async def viewers(self, ticket: int) -> Sequence[Viewer]:
        """Who is at the ticket now; of those who type the first holds the lease."""
        now = self._now()
        async with self._database.read() as session:
            rows = await session.scalars(
                select(LeaseRow)
                .where(LeaseRow.ticket_id == ticket, LeaseRow.seen_at >= now - VIEWING_LASTS)
                .order_by(LeaseRow.typing_since.nulls_last(), LeaseRow.username)
            )
            found, held = [], False
            for row in rows:
                typing = row.typed_at is not None and row.typed_at >= now - TYPING_LASTS
                found.append(Viewer(row.username, typing, typing and not held))
                held = held or typing
            return found


def unfilled(text: str) -> list[str]:
    """The variables a text still holds: such a text is never sent."""
    return [match[1] for match in _VARIABLE.finditer(text)]


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put in what is known; what is not stays a variable, to be filled by hand."""
    return _VARIABLE.sub(lambda match: values.get(match[1]) or match[0], text)
