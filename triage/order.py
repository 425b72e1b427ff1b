"""The order of the queue: points with their reasons, and their sum. Within the same sum the next clock to break leads.

Priority comes first (100 points apart); while a ticket waits past its first-response time it gains 100 points for each
further span of that time (at least an hour), so anything waits a bounded time behind newer, more urgent work; urging
moves a ticket ahead of its equals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from triage.ticket import TicketRow

POINTS: Mapping[str, int] = {"P1": 400, "P2": 300, "P3": 200, "P4": 100}
AGING = 100
LEAST_SPAN = timedelta(hours=1)
URGING = 10
MOST_URGING = 50


@dataclass(frozen=True)
class Reason:
    """Why a ticket stands where it stands, in points."""

    text: str
    points: int


def reasons(row: TicketRow) -> tuple[Reason, ...]:
    """The parts of a ticket's place; `total` is their sum."""
    lock = "（已锁定）" if row.priority_locked else ""
    found = [Reason(f"优先级{row.priority}{lock}", POINTS[row.priority])]
    if row.aged:
        found.append(Reason(f"等待超时{row.aged}次", row.aged * AGING))
    if row.urged:
        found.append(Reason(f"客户催办{row.urged}次", min(row.urged * URGING, MOST_URGING)))
    return tuple(found)


def total(row: TicketRow) -> int:
    """Sum of the points."""
    return sum(reason.points for reason in reasons(row))


def place(row: TicketRow) -> None:
    """Set the rank from the points."""
    row.rank = -total(row)


def span(row: TicketRow) -> timedelta:
    """How long a wait past the first-response time counts as one step of aging."""
    return max(LEAST_SPAN, row.first_response_due - row.created_at)


def first_aging(row: TicketRow, now: datetime) -> datetime:
    """When a ticket that enters the queue now ages for the first time."""
    return max(row.first_response_due, now) + span(row)


def age(row: TicketRow, now: datetime) -> None:
    """Give the points of every span that has passed, and note when the next one will."""
    while row.ages_at is not None and row.ages_at <= now:
        row.aged += 1
        row.ages_at += span(row)
    place(row)
