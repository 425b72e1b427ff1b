"""Incidents 停电事件: reports of one fault on one transformer or feeder within a window, with the tickets under it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ForeignKey, Index, String, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Base, UtcDateTime
from triage.calendar import SHANGHAI
from triage.ticket import OPEN, TicketRow, in_states

WINDOW = timedelta(hours=2)
LEAST_REPORTS = 2
LEAST_TRANSFORMERS = 3
CATEGORIES = frozenset(("outage", "power_quality"))


@dataclass(frozen=True)
class Place:
    """Where on the grid: the area's name, its transformer 配变 and feeder 馈线."""

    area: str
    transformer: str
    feeder: str


class IncidentRow(Base):
    """停电事件: of a transformer, or of a whole feeder (`transformer` is None).

    `key` names the place while the incident is open and is unique, so that two reports at once make one incident;
    `status` is open, resolved or merged (into a feeder's incident).
    """

    __tablename__ = "incident"
    __table_args__ = (Index("ix_incident_status", "status", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str | None] = mapped_column(String(24), unique=True)
    key: Mapped[str | None] = mapped_column(String(96), unique=True)
    category: Mapped[str] = mapped_column(String(32))
    feeder: Mapped[str] = mapped_column(String(64))
    transformer: Mapped[str | None] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(12))
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("incident.id"))
    reports: Mapped[int]
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_report_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Incidents:
    """Puts reports under their incident.

    Two reports on one transformer within two hours are one incident; when three transformers of one feeder report, the
    fault is the feeder's and their incidents become one. Feeders are never joined.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """`clock` ends the windows."""
        self._clock = clock

    async def join(self, session: AsyncSession, row: TicketRow) -> IncidentRow | None:
        """Put a new ticket under the incident it belongs to, making or widening it; None when it stands alone."""
        if row.category not in CATEGORIES or row.transformer is None or row.feeder is None:
            return None
        await _one_at_a_time(session, _feeder_key(row))
        found = await self._open(session, _feeder_key(row)) or await self._open(session, _transformer_key(row))
        if found is None:
            if await self._reports(session, row) < LEAST_REPORTS:
                return await self._widen(session, row, None)
            found = await self._start(session, row, _transformer_key(row), row.transformer)
        row.incident_id = found.id
        found.last_report_at = self._clock()
        await session.flush()
        await self._absorb(session, found)
        return found if found.transformer is None else await self._widen(session, row, found)

    async def _widen(self, session: AsyncSession, row: TicketRow, found: IncidentRow | None) -> IncidentRow | None:
        """Make it the feeder's incident when enough of its transformers report."""
        transformers = await session.scalar(
            select(func.count(TicketRow.transformer.distinct())).where(
                in_states(OPEN), TicketRow.feeder == row.feeder, TicketRow.category == row.category, self._recent()
            )
        )
        if (transformers or 0) < LEAST_TRANSFORMERS:
            return found
        whole = await self._start(session, row, _feeder_key(row), None)
        await session.execute(
            update(IncidentRow)
            .where(
                IncidentRow.feeder == row.feeder, IncidentRow.category == row.category, IncidentRow.status == "open",
                IncidentRow.id != whole.id,
            )
            .values(status="merged", merged_into=whole.id, key=None)
            .execution_options(synchronize_session="fetch")
        )  # fmt: skip
        await self._absorb(session, whole)
        return whole

    async def _absorb(self, session: AsyncSession, incident: IncidentRow) -> None:
        """Every open report of the incident's place within the window comes under it."""
        place = TicketRow.feeder == incident.feeder
        if incident.transformer is not None:
            place = TicketRow.transformer == incident.transformer
        await session.execute(
            update(TicketRow)
            .where(
                in_states(OPEN), place, TicketRow.category == incident.category, self._recent(),
                TicketRow.incident_id.is_(None) | (TicketRow.incident_id != incident.id),
            )
            .values(incident_id=incident.id)
            .execution_options(synchronize_session="fetch")
        )  # fmt: skip
        incident.reports = (
            await session.scalar(select(func.count()).where(TicketRow.incident_id == incident.id)) or incident.reports
        )

    async def _open(self, session: AsyncSession, key: str) -> IncidentRow | None:
        found: IncidentRow | None = await session.scalar(
            select(IncidentRow)
            .where(IncidentRow.key == key, IncidentRow.last_report_at > self._clock() - WINDOW)
            .with_for_update()
        )
        return found

    async def _reports(self, session: AsyncSession, row: TicketRow) -> int:
        return (
            await session.scalar(
                select(func.count()).where(
                    in_states(OPEN), TicketRow.transformer == row.transformer, TicketRow.category == row.category,
                    self._recent(),
                )
            )
            or 0
        )  # fmt: skip

    async def _start(self, session: AsyncSession, row: TicketRow, key: str, transformer: str | None) -> IncidentRow:
        now = self._clock()
        # an older one of the same place whose window is over keeps its tickets but not the key
        await session.execute(
            update(IncidentRow)
            .where(IncidentRow.key == key, IncidentRow.last_report_at <= now - WINDOW)
            .values(key=None)
        )
        made = IncidentRow(
            key=key, category=row.category, feeder=row.feeder, transformer=transformer, status="open", reports=0,
            opened_at=now, last_report_at=now,
        )  # fmt: skip
        try:
            async with session.begin_nested():
                session.add(made)
                await session.flush()
        except IntegrityError:
            known = await self._open(session, key)
            assert known is not None
            return known
        made.number = f"SJ{now.astimezone(SHANGHAI):%y%m%d}{made.id:04d}"
        return made

    def _recent(self) -> ColumnElement[bool]:
        return TicketRow.created_at > self._clock() - WINDOW


async def _one_at_a_time(session: AsyncSession, key: str) -> None:
    """Reports of one feeder join one after another: each moves the others' tickets, and two at once would deadlock.

    SQLite has a single writer already; PostgreSQL holds an advisory lock until the transaction ends.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(key))))


def _feeder_key(row: TicketRow) -> str:
    return f"{row.category}/F/{row.feeder}"


def _transformer_key(row: TicketRow) -> str:
    return f"{row.category}/T/{row.transformer}"
