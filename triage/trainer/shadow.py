"""A shadow run 旁听: a candidate reads what customers say now, beside the current model, and never answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bot import dialogue_model
from bot.database import Base, Database, MessageRow, UtcDateTime
from bot.dialogue.reading import Reader
from bot.rasa import escape
from bot.readings import ReadingRow, text_key
from models import Registry
from triage.classifier import OnnxClassifier
from triage.masking import mask
from triage.ticket import TicketRow
from triage.trainer.jobs import WORK, Jobs
from triage.trainer.report import NOT_UNDERSTOOD

LASTS = timedelta(hours=24)
EVERY = 1.0
SETTLED = timedelta(seconds=2)
"""Rows get their numbers before they are seen; after so long the ones before have been seen too."""
BATCH = 100
SHOWN = 200
COMMAND = (*WORK[:-1], "shadow-work")


class ShadowReadingRow(Base):
    """One live message or ticket as the candidate read it, beside what the live model had read; `text` is masked."""

    __tablename__ = "shadow_reading"
    __table_args__ = (UniqueConstraint("kind", "version", "conversation_id", "seq"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    version: Mapped[str] = mapped_column(String(64))
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    seq: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    live: Mapped[str] = mapped_column(String(64))
    live_confidence: Mapped[float]
    read: Mapped[str] = mapped_column(String(64))
    confidence: Mapped[float]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Live:
    """A live text with what the live model read in it."""

    conversation: int
    seq: int
    text: str
    read: str
    confidence: float


Read = Callable[[Sequence[str]], Sequence[tuple[str, float]]]
"""From texts to what the candidate reads in each, with its confidence."""


def shadow_jobs(root: Path) -> Jobs:
    """The shadow runs of a models' folder: one at a time, beside trainings."""
    return Jobs(root, COMMAND, "shadow")


def work(id: str, root: Path, database: Database) -> None:
    """A shadow run's own process, until it is ended, a day has passed or the version is in service."""
    with shadow_jobs(root).working(id) as job, ExitStack() as stack, job.step("shadow"):
        kind, version = job.job.arguments["kind"], job.job.arguments["version"]
        registry = Registry(kind, root)
        if kind == "dialogue":
            reader = stack.enter_context(Reader(registry.path(version) / dialogue_model.MODEL_FILE))
            read = _intents(reader)
        else:
            read = _categories(OnnxClassifier(registry.path(version)))
        until = time.monotonic() + LASTS.total_seconds()

        async def listen() -> None:
            listener = Listener(database, kind, version, read)
            await listener.begin()
            while time.monotonic() < until and registry.current().name != version:
                await listener.look()
                await asyncio.sleep(EVERY)

        asyncio.run(listen())


class Listener:
    """Feeds what is new to a candidate."""

    def __init__(self, database: Database, kind: str, version: str, read: Read) -> None:
        """Nothing is read before `begin`."""
        self._database, self._kind, self._version, self._read = database, kind, version, read
        self._last = 0

    async def begin(self) -> None:
        """From here on: what was said before is not read."""
        number = ReadingRow.id if self._kind == "dialogue" else TicketRow.id
        async with self._database.survey() as session:
            self._last = await session.scalar(select(func.max(number))) or 0

    async def look(self, now: datetime | None = None) -> int:
        """Read what is new by now; how many texts that were."""
        before = (now or datetime.now(UTC)) - SETTLED
        async with self._database.survey() as session:
            found, last = await (_messages if self._kind == "dialogue" else _tickets)(session, self._last, before)
        read = await asyncio.to_thread(self._read, [one.text for one in found])
        async with self._database.write() as session:
            for one, (label, confidence) in zip(found, read, strict=True):
                session.add(
                    ShadowReadingRow(
                        kind=self._kind, version=self._version, conversation_id=one.conversation, seq=one.seq,
                        text=mask(one.text), live=one.read, live_confidence=one.confidence, read=label,
                        confidence=confidence, at=datetime.now(UTC),
                    )
                )  # fmt: skip
        self._last = last
        return len(found)


async def summary(database: Database) -> list[dict[str, Any]]:
    """Every shadowed version: how many texts, how many read alike, since when; the newest first."""
    row = ShadowReadingRow
    same = func.sum(case((row.read == row.live, 1), else_=0))
    async with database.survey() as session:
        found = await session.execute(
            select(row.kind, row.version, func.count(), same, func.min(row.at), func.max(row.at))
            .group_by(row.kind, row.version)
            .order_by(func.max(row.id).desc())
            .limit(20)
        )
        return [
            {
                "kind": kind, "version": version, "texts": texts, "alike": alike,
                "since": since.isoformat(), "until": until.isoformat(),
            }
            for kind, version, texts, alike, since, until in found
        ]  # fmt: skip


async def differing(database: Database, kind: str, version: str) -> list[dict[str, Any]]:
    """What the candidate read otherwise, newest first, masked."""
    row = ShadowReadingRow
    async with database.survey() as session:
        found = await session.scalars(
            select(row)
            .where(row.kind == kind, row.version == version, row.read != row.live)
            .order_by(row.id.desc())
            .limit(SHOWN)
        )
        return [
            {
                "text": one.text, "live": one.live, "live_confidence": round(one.live_confidence, 3),
                "read": one.read, "confidence": round(one.confidence, 3), "at": one.at.isoformat(),
            }
            for one in found
        ]  # fmt: skip


def _intents(reader: Reader) -> Read:
    def read(texts: Sequence[str]) -> list[tuple[str, float]]:
        found = reader.read([escape(text) for text in texts])
        return [(NOT_UNDERSTOOD if one["fallback"] else one["intent"], one["confidence"]) for one in found]

    return read


def _categories(model: OnnxClassifier) -> Read:
    return lambda texts: [(found.category, found.confidence) for found in model.classify(texts)]


async def _messages(session: AsyncSession, last: int, before: datetime) -> tuple[list[Live], int]:
    rows = await session.execute(
        select(ReadingRow, MessageRow)
        .join(
            MessageRow,
            (MessageRow.conversation_id == ReadingRow.conversation_id) & (MessageRow.seq == ReadingRow.seq),
        )
        .where(ReadingRow.id > last, ReadingRow.at < before)
        .order_by(ReadingRow.id)
        .limit(BATCH)
    )
    found = []
    for one, message in rows:
        last = one.id
        # a button is no text, and a backlog's turn answers several messages at once
        if message.payload is None and text_key(message.text) == one.text_key:
            read = NOT_UNDERSTOOD if one.fallback else one.intent
            found.append(Live(one.conversation_id, one.seq, message.text, read, one.confidence))
    return found, last


async def _tickets(session: AsyncSession, last: int, before: datetime) -> tuple[list[Live], int]:
    query = select(TicketRow).where(TicketRow.id > last, TicketRow.created_at < before)
    rows = list(await session.scalars(query.order_by(TicketRow.id).limit(BATCH)))
    found = [
        Live(one.conversation_id, one.message_seq, one.text, one.category, one.category_confidence) for one in rows
    ]
    return found, rows[-1].id if rows else last
