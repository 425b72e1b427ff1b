"""Whether the bot understands better 成效: misses by day and by intent, before and after each promotion.

A miss is a message that was answered as not understood, read with little confidence, or read otherwise than a trainer
says. Messages whose meaning a trainer settled count for that intent, others for the likeliest. Buttons do not count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database
from bot.readings import ReadingRow
from triage.calendar import SHANGHAI
from triage.trainer.labels import LabelEventRow, effective
from triage.trainer.report import share
from triage.trainer.review import Kind, ReviewItemRow, State

LOW = 0.4
"""Below it the model of November 2026 read one in four of the frozen sentences right."""
BATCH = 500
WEEK = timedelta(days=7)
CHANCE = 1.0  # the confidence of a pressed button


@dataclass
class Count:
    """Messages, and of them the misses by kind."""

    turns: int = 0
    fallback: int = 0
    low: int = 0
    corrected: int = 0

    @property
    def misses(self) -> int:
        """All of them."""
        return self.fallback + self.low + self.corrected

    def add(self, miss: str | None, turns: int) -> None:
        """`turns` messages, all with the same kind of miss or none."""
        self.turns += turns
        if miss is not None:
            setattr(self, miss, getattr(self, miss) + turns)


Counts = Mapping[str, Count]
Promotion = tuple[datetime, str]
"""When, and which version."""


class Effect:
    """Reads `reading`; nothing here changes anything."""

    def __init__(self, database: Database) -> None:
        """Its table `reading` is filled by the conversations."""
        self._database = database

    async def days(self, first: date, last: date, truth: Mapping[str, str]) -> list[dict[str, Any]]:
        """Each day's messages and misses, Shanghai's days; `truth` gives settled intents by text key."""
        found = []
        async with self._database.survey() as session:
            for number in range((last - first).days + 1):
                day = first + timedelta(days=number)
                counts = await _counts(session, _begins(day), _begins(day + timedelta(days=1)), truth)
                found.append({"day": day.isoformat(), **told(_total(counts.values()))})
        return found

    async def intents(self, since: datetime, until: datetime, truth: Mapping[str, str]) -> list[dict[str, Any]]:
        """Messages and misses of every intent in a span of time, most misses first."""
        async with self._database.survey() as session:
            counts = await _counts(session, since, until, truth)
        rows = [{"intent": intent, **told(count)} for intent, count in counts.items()]
        return sorted(rows, key=lambda row: (-row["misses"], row["intent"]))

    async def promotions(
        self, promotions: Sequence[Promotion], now: datetime, truth: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """For each promotion, newest first: all messages and every intent, in the week before and the week after.

        A week is cut short by the promotion next to it, so that each side is one model's.
        """
        found = []
        async with self._database.survey() as session:
            for number, (at, version) in enumerate(promotions):
                since = max([at - WEEK, *(promotions[number - 1][:1] if number else ())])
                until = min([at + WEEK, now, *(promotions[number + 1][:1] if number + 1 < len(promotions) else ())])
                before = await _counts(session, since, at, truth)
                after = await _counts(session, at, until, truth)
                rows: list[dict[str, Any]] = [
                    {
                        "intent": intent, "before": told(before.get(intent, Count())),
                        "after": told(after.get(intent, Count())),
                    }
                    for intent in {*before, *after}
                ]  # fmt: skip
                rows.sort(key=lambda row: (-max(row["before"]["misses"], row["after"]["misses"]), row["intent"]))
                found.append(
                    {
                        "at": at.isoformat(), "day": f"{at.astimezone(SHANGHAI):%Y-%m-%d}", "part": _part(at),
                        "version": version, "since": since.isoformat(), "until": until.isoformat(),
                        "before": told(_total(before.values())), "after": told(_total(after.values())), "intents": rows,
                    }
                )  # fmt: skip
        return found[::-1]


async def settled(database: Database) -> dict[str, str]:
    """From text keys to the intent that trainers settled."""
    done = (ReviewItemRow.kind == Kind.DIALOGUE, ReviewItemRow.status.in_((State.LABELLED, State.DONE)))
    events: dict[str, list[LabelEventRow]] = defaultdict(list)
    async with database.survey() as session:
        for key, event in await session.execute(
            select(ReviewItemRow.text_key, LabelEventRow)
            .join(LabelEventRow, LabelEventRow.item_id == ReviewItemRow.id)
            .where(*done)
            .order_by(LabelEventRow.base)
        ):
            events[key].append(event)
    found = {key: [one.label for one in effective(rows) if one.label] for key, rows in events.items()}
    return {key: labels[-1]["intent"] for key, labels in found.items() if labels}


async def _counts(session: AsyncSession, since: datetime, until: datetime, truth: Mapping[str, str]) -> Counts:
    counts: dict[str, Count] = defaultdict(Count)
    within = (ReadingRow.at >= since, ReadingRow.at < until, ReadingRow.confidence < CHANCE)
    miss: ColumnElement[str | None] = case(
        (ReadingRow.fallback, "fallback"), (ReadingRow.confidence < LOW, "low"), else_=None
    )
    for intent, kind, turns in await session.execute(
        select(ReadingRow.intent, miss, func.count()).where(*within).group_by(ReadingRow.intent, miss)
    ):
        counts[intent].add(kind, turns)
    keys = list(truth)
    for start in range(0, len(keys), BATCH):
        key = ReadingRow.text_key
        for text, intent, kind, turns in await session.execute(
            select(key, ReadingRow.intent, miss, func.count())
            .where(*within, key.in_(keys[start : start + BATCH]))
            .group_by(key, ReadingRow.intent, miss)
        ):
            counts[intent].add(kind, -turns)
            wrong = "corrected" if intent != truth[text] else None
            counts[truth[text]].add(kind or wrong, turns)
    return {intent: count for intent, count in counts.items() if count.turns}


def _total(counts: Iterable[Count]) -> Count:
    total = Count()
    for one in counts:
        total.turns += one.turns
        total.fallback += one.fallback
        total.low += one.low
        total.corrected += one.corrected
    return total


def told(count: Count) -> dict[str, Any]:
    """A count as the page reads it, with the share of misses and its interval."""
    return {
        "turns": count.turns, "misses": count.misses, "fallback": count.fallback, "low": count.low,
        "corrected": count.corrected, "share": share(count.misses, count.turns),
    }  # fmt: skip


def total(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What `told` rows come to together."""
    rows = list(rows)
    summed = {name: sum(row[name] for row in rows) for name in ("turns", "misses", "fallback", "low", "corrected")}
    return {**summed, "share": share(summed["misses"], summed["turns"])}


def _part(at: datetime) -> float:
    """How much of its day had passed, 0 to 1."""
    local = at.astimezone(SHANGHAI)
    return round((local.hour * 60 + local.minute) / 1440, 3)


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)
