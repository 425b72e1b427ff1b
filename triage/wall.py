"""What a supervisor watches: the wall of now, and charts of the last days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import func, select

from bot.database import Database
from triage.assignment import Assignment
from triage.board import RISK
from triage.calendar import SHANGHAI
from triage.clock import ClockKind, ClockRow
from triage.presence import GONE_AFTER, State
from triage.taxonomy import Taxonomy
from triage.ticket import OPEN, UNCLAIMED, TicketEventRow, TicketRow, in_states

BATCH = 5000


class Wall:
    """Counts; nothing here changes anything."""

    def __init__(
        self, database: Database, assignment: Assignment, taxonomy: Taxonomy, now: Callable[[], datetime]
    ) -> None:
        """`assignment` knows who is there."""
        self._database = database
        self._assignment = assignment
        self._taxonomy = taxonomy
        self._now = now

    async def live(self) -> Mapping[str, Any]:
        """Waiting, longest wait in seconds, at risk (due within 30 minutes) and broken, in all and per team."""
        now = self._now()
        teams: dict[str, dict[str, Any]] = {
            key: {
                "name": name, "waiting": 0, "open": 0, "longest_wait_seconds": 0, "at_risk": 0, "breached": 0,
                "online": 0, "load": 0, "capacity": 0,
            }
            for key, name in self._taxonomy.teams.items()
        }  # fmt: skip
        team = TicketRow.team
        async with self._database.survey() as session:
            for key, count, oldest in await session.execute(
                select(team, func.count(), func.min(TicketRow.created_at)).where(in_states(UNCLAIMED)).group_by(team)
            ):
                teams[key]["waiting"] = count
                teams[key]["longest_wait_seconds"] = round((now - oldest).total_seconds())
            for field, *wanted in (
                ("open",), ("at_risk", TicketRow.due_at >= now, TicketRow.due_at < now + RISK),
                ("breached", TicketRow.due_at < now),
            ):  # fmt: skip
                counted = select(team, func.count()).where(in_states(OPEN), *wanted).group_by(team)
                for key, count in await session.execute(counted):
                    teams[key][str(field)] = count
        agents = []
        for row, load in await self._assignment.agents():
            online = row.state == State.ONLINE and row.seen_at >= now - GONE_AFTER
            agents.append(
                {
                    "username": row.username, "team": row.team, "state": row.state if online else
                    (row.state if row.seen_at >= now - GONE_AFTER else "offline"), "load": load,
                    "capacity": row.capacity,
                }
            )  # fmt: skip
            if online and row.team in teams:
                teams[row.team]["online"] += 1
                teams[row.team]["load"] += load
                teams[row.team]["capacity"] += row.capacity
        total = {
            field: sum(one[field] for one in teams.values()) for field in ("waiting", "open", "at_risk", "breached")
        }
        total["online"] = sum(agent["state"] == State.ONLINE for agent in agents)
        total["longest_wait_seconds"] = max((one["longest_wait_seconds"] for one in teams.values()), default=0)
        return {"at": now.isoformat(), **total, "teams": teams, "agents": agents}

    async def charts(self, days: int) -> Mapping[str, Any]:
        """Per day: opened, resolved, share of clocks kept; per hour of the day: arrivals and agents needed.

        Agents needed is arrivals in the hour times the median time from claim to resolve, in hours (Little's law).
        """
        since = self._now() - timedelta(days=days)
        by_day: defaultdict[str, dict[str, Any]] = defaultdict(lambda: {"opened": 0, "resolved": 0})
        by_hour = [0] * 24
        claimed: dict[int, datetime] = {}
        handling: list[float] = []
        async with self._database.survey() as session:
            last = 0
            while True:
                rows = (
                    await session.execute(
                        select(TicketEventRow.id, TicketEventRow.ticket_id, TicketEventRow.kind, TicketEventRow.at)
                        .where(
                            TicketEventRow.id > last, TicketEventRow.at >= since,
                            TicketEventRow.kind.in_(("opened", "claimed", "resolved")),
                        )
                        .order_by(TicketEventRow.id)
                        .limit(BATCH)
                    )
                ).all()  # fmt: skip
                for id, ticket, kind, at in rows:
                    last, local = id, at.astimezone(SHANGHAI)
                    if kind == "opened":
                        by_day[f"{local:%Y-%m-%d}"]["opened"] += 1
                        by_hour[local.hour] += 1
                    elif kind == "claimed":
                        claimed[ticket] = at
                    else:
                        by_day[f"{local:%Y-%m-%d}"]["resolved"] += 1
                        if ticket in claimed:
                            handling.append((at - claimed.pop(ticket)).total_seconds() / 3600)
                if len(rows) < BATCH:
                    break
            kept = {}
            for kind in ClockKind:
                done = (ClockRow.kind == kind, ClockRow.met_at >= since)
                total = await session.scalar(select(func.count()).where(*done)) or 0
                late = await session.scalar(select(func.count()).where(*done, ClockRow.elapsed > ClockRow.target)) or 0
                kept[kind.value] = {"met": total, "in_time": total - late}
        hours = median(handling) if handling else 0.0
        return {
            "days": [{"day": day, **by_day[day]} for day in sorted(by_day)],
            "sla": kept,
            "staffing": [
                {"hour": hour, "arrivals": round(count / days, 2), "agents_needed": round(count / days * hours, 2)}
                for hour, count in enumerate(by_hour)
            ],
            "median_handling_hours": round(hours, 2),
        }
