"""Clocks 时限 of a ticket: what is promised by when, running only in their calendar's hours and while not paused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Base, UtcDateTime
from triage import calendar
from triage.calendar import BusinessCalendar

WARNINGS = (50, 80, 100)


class ClockKind(StrEnum):
    """What must happen before the clock is due."""

    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    FIELD_ARRIVAL = "field_arrival"
    RESOLVE = "resolve"
    PROMISE = "promise"


class ClockRow(Base):
    """One clock: `elapsed` is counted up to `running_since`, which is None while paused or when met.

    `due_at` is when it breaks if nothing happens (None while it does not run); `warn_at` when the next of 50, 80 and
    100 % is reached. `told_due` is the time the customer was last told, `apologise_at` when an apology and a new time
    must go out before that breaks; an apology moves `told_due`, never `due_at`. Durations are seconds of open time.
    """

    __tablename__ = "ticket_clock"
    __table_args__ = (Index("ix_clock_warn", "warn_at"), Index("ix_clock_apologise", "apologise_at"))
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    calendar: Mapped[str] = mapped_column(String(32))
    target: Mapped[float]
    elapsed: Mapped[float] = mapped_column(default=0.0)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    running_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    met_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    warned: Mapped[int] = mapped_column(default=0)
    warn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    told_due: Mapped[datetime | None] = mapped_column(UtcDateTime)
    apologise_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    apologies: Mapped[int] = mapped_column(default=0)
    source: Mapped[str] = mapped_column(String(128), default="")


class Clocks:
    """Starts, pauses, resumes, meets and re-targets clocks; pure of the database, all state is in the row."""

    def __init__(self, calendars: Mapping[str, BusinessCalendar] | None = None) -> None:
        """`calendars` by name; those of calendars.yml unless given."""
        self._calendars = calendars if calendars is not None else calendar.load()

    def start(
        self, ticket: int, kind: ClockKind, target: timedelta, calendar: str, now: datetime, source: str = ""
    ) -> ClockRow:
        """A running clock; raises `KeyError` for an unknown calendar."""
        row = ClockRow(
            ticket_id=ticket, kind=kind, calendar=calendar, target=target.total_seconds(), elapsed=0.0,
            started_at=now, running_since=now, warned=0, apologies=0, source=source,
        )  # fmt: skip
        self._plan(row)
        return row

    def elapsed(self, row: ClockRow, now: datetime) -> timedelta:
        """Open time counted so far, without pauses."""
        counted = timedelta(seconds=row.elapsed)
        if row.running_since is not None:
            counted += self._calendar(row).between(row.running_since, now)
        return counted

    def pause(self, row: ClockRow, now: datetime) -> None:
        """Stop counting, for instance while waiting for the customer; what was counted stays."""
        row.elapsed = self.elapsed(row, now).total_seconds()
        row.running_since = None
        self._plan(row)

    def resume(self, row: ClockRow, now: datetime) -> None:
        """Count on from what was counted; a clock that was met (a reopened ticket's) runs again."""
        if row.running_since is None:
            row.running_since, row.met_at = now, None
            self._plan(row)

    def meet(self, row: ClockRow, now: datetime) -> None:
        """It happened."""
        if row.met_at is None:
            self.pause(row, now)
            row.met_at = now
            row.apologise_at = None

    def retarget(self, row: ClockRow, target: timedelta, now: datetime) -> None:
        """The policy changed: a new target, the elapsed time kept."""
        row.elapsed = self.elapsed(row, now).total_seconds()
        row.target = target.total_seconds()
        if row.running_since is not None:
            row.running_since = now
        # a warning that the new target makes premature is due again
        reached = 100 * row.elapsed / row.target if row.target else 100.0
        row.warned = min(row.warned, max((p for p in WARNINGS if p <= reached), default=0))
        self._plan(row)

    def warn(self, row: ClockRow, now: datetime) -> int | None:
        """The highest warning (50, 80 or 100) that is reached and was not given; it counts as given afterwards."""
        given = None
        while row.warn_at is not None and row.warn_at <= now:
            row.warned = given = next(p for p in WARNINGS if p > row.warned)
            self._plan(row)
        return given

    def left(self, row: ClockRow, now: datetime) -> timedelta:
        """Open time left; negative when broken."""
        return timedelta(seconds=row.target) - self.elapsed(row, now)

    def after(self, row: ClockRow, moment: datetime, span: timedelta) -> datetime:
        """`span` of the clock's open time after `moment`."""
        return self._calendar(row).add(moment, span)

    def breached(self, row: ClockRow, now: datetime) -> bool:
        """Did it, or does it, take longer than its target."""
        return self.left(row, now) < timedelta()

    def _calendar(self, row: ClockRow) -> BusinessCalendar:
        return self._calendars[row.calendar]

    def _plan(self, row: ClockRow) -> None:
        """Recompute due and next warning from the state."""
        if row.running_since is None:
            row.due_at = row.warn_at = None
            return
        row.due_at = self._when(row, 100)
        ahead = next((percent for percent in WARNINGS if percent > row.warned), None)
        row.warn_at = self._when(row, ahead) if ahead is not None else None

    def _when(self, row: ClockRow, percent: int) -> datetime:
        assert row.running_since is not None
        wanted = timedelta(seconds=row.target) * percent / 100 - timedelta(seconds=row.elapsed)
        if wanted <= timedelta():
            return row.running_since
        return self._calendar(row).add(row.running_since, wanted)
