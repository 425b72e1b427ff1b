"""A day at the desk in virtual time over the real queue: arrivals, hand-outs, work, and who idled beside whom."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import insert, update

from bot.database import ContactRow, ConversationRow
from tests.triage.rows import CATEGORIES, TEAMS
from tests.triage.stage import NOW, Stage
from triage.assignment import Agent
from triage.presence import PresenceRow, State
from triage.ticket import Status, TicketRow

GAP = 30.0
WORK = (200.0, 400.0)


@dataclass(frozen=True)
class Outcome:
    """`fairness` is Jain's index over busy seconds; the rest in virtual seconds."""

    handled: Counter[str]
    fairness: float
    longest_idle_beside_waiting: float
    longest_wait: float
    mean_wait: float


@dataclass(frozen=True)
class Job:
    """One ticket of the simulated day."""

    id: int
    arrives: float
    work: float
    category: str


def day(tickets: int, agents: int, seed: int = 7) -> tuple[Sequence[Job], dict[str, frozenset[str]]]:
    """Arrivals that keep `agents` about four fifths busy, and each agent's skills: four of the six categories."""
    draw = random.Random(seed)
    load = sum(WORK) / 2 / (0.8 * agents)
    at, jobs = 0.0, []
    for id in range(1, tickets + 1):
        at += draw.expovariate(1 / load)
        jobs.append(Job(id, at, draw.uniform(*WORK), draw.choice(CATEGORIES)))
    skills = {f"agent{n:02d}": frozenset(CATEGORIES[(n + k) % 6] for k in range(4)) for n in range(agents)}
    return jobs, skills


def jain(shares: Sequence[float]) -> float:
    """Jain's fairness index: (Σx)² / (n·Σx²); 1 when all shares are equal."""
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


async def simulate(stage: Stage, tickets: int, agents: int) -> Outcome:
    """Run the day through `Assignment.push`; after each event the next look is at once, as the bell makes it."""
    jobs, skills = day(tickets, agents)
    async with stage.database.write() as session:
        await session.execute(insert(ContactRow), [{"id": j.id, "channel": "web", "sender": str(j.id)} for j in jobs])
        await session.execute(
            insert(ConversationRow),
            [{"id": j.id, "contact_id": j.id, "owner": "queue", "owner_token": 0, "last_seq": 0} for j in jobs],
        )
    for name, able in skills.items():
        await stage.assignment.present(Agent(name, None, tuple(sorted(able)), 1), State.ONLINE, push=True)
    by_id = {job.id: job for job in jobs}
    events: list[tuple[float, int, str, int]] = [(job.arrives, job.id, "arrives", job.id) for job in jobs]
    heapq.heapify(events)
    waiting: dict[int, float] = {}
    idle_since = dict.fromkeys(skills, 0.0)
    busy, handled = Counter[str](), Counter[str]()
    waits: list[float] = []
    beside = 0.0
    while events:
        at, order, what, id = heapq.heappop(events)
        # how long did someone idle beside a ticket they may take, until this event?
        for ticket, since in waiting.items():
            for name, free in idle_since.items():
                if by_id[ticket].category in skills[name]:
                    beside = max(beside, at - max(since, free))
        stage.now = NOW + timedelta(seconds=at)
        if what == "arrives":
            await _arrive(stage, by_id[id])
            waiting[id] = at
        else:
            name = await _finish(stage, id)
            idle_since[name] = at
        async with stage.database.write() as session:
            await session.execute(update(PresenceRow).values(seen_at=stage.now))
        if await stage.assignment.push():
            for ticket in list(waiting):
                row, _ = await stage.board.ticket(ticket)
                if row.assignee is not None:
                    waits.append(at - waiting.pop(ticket))
                    idle_since.pop(row.assignee)
                    handled[row.assignee] += 1
                    busy[row.assignee] += int(by_id[ticket].work)
                    heapq.heappush(events, (at + by_id[ticket].work, tickets + ticket, "done", ticket))
    return Outcome(handled, jain([busy[name] for name in skills]), beside, max(waits), sum(waits) / len(waits))


def baseline(tickets: int, agents: int, rule: str) -> Outcome:
    """The same day without us. `fifo`: the first free agent by name takes the first ticket, skills ignored until it
    turns out they lack it (the head of the line blocks). `round_robin`: every ticket goes to the next agent in turn who
    has the skill, at arrival, and waits for them."""
    jobs, skills = day(tickets, agents)
    names = sorted(skills)
    free_at = dict.fromkeys(names, 0.0)
    busy, handled = Counter[str](), Counter[str]()
    spans: list[tuple[Job, str, float]] = []
    clock, turn = 0.0, 0
    for job in jobs:
        if rule == "fifo":
            clock = max(clock, job.arrives, min(free_at[n] for n in names if job.category in skills[n]))
            name = next(n for n in names if job.category in skills[n] and free_at[n] <= clock)
            begins = clock
        else:
            able = [n for n in names[turn % agents :] + names[: turn % agents] if job.category in skills[n]]
            name, turn = able[0], names.index(able[0]) + 1
            begins = max(job.arrives, free_at[name])
        free_at[name] = begins + job.work
        busy[name] += int(job.work)
        handled[name] += 1
        spans.append((job, name, begins))
    beside = 0.0
    for job, _, begins in spans:
        for name in names:
            if job.category not in skills[name]:
                continue
            taken = sorted((b, b + j.work) for j, n, b in spans if n == name)
            edge = job.arrives
            for first, last in [*taken, (float("inf"), float("inf"))]:
                beside = max(beside, min(first, begins) - max(edge, job.arrives))
                edge = max(edge, last)
                if edge >= begins:
                    break
    waits = [begins - job.arrives for job, _, begins in spans]
    return Outcome(handled, jain([busy[n] for n in names]), beside, max(waits), sum(waits) / len(waits))


async def _arrive(stage: Stage, job: Job) -> None:
    due = stage.now + timedelta(minutes=30)
    async with stage.database.write() as session:
        session.add(
            TicketRow(
                id=job.id, number=f"DQ{job.id:08d}", conversation_id=job.id, message_seq=1, channel="web",
                status=Status.NEW, category=job.category, category_confidence=1.0, priority="P3",
                priority_reasons=[], priority_locked=False, rank=-200, aged=0, text="", urged=0,
                team=TEAMS[CATEGORIES.index(job.category)], due_at=due, first_response_due=due, resolve_due=due,
                model="simulation", created_at=stage.now, updated_at=stage.now, version=0,
            )
        )  # fmt: skip


async def _finish(stage: Stage, id: int) -> str:
    row, _ = await stage.board.ticket(id)
    assert row.assignee is not None
    await stage.queue.resolve(id, row.assignee, "已处理")
    return row.assignee
