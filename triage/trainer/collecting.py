"""Collecting: rounds that read what is new since their marks, and put what likely went wrong into the review list."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import String, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Base, Database, MessageRow
from bot.readings import ReadingRow, text_key
from models import ROOT, NoModel, Registry
from triage.classifier import Classifier
from triage.taxonomy import Taxonomy
from triage.ticket import TicketEventRow, TicketRow
from triage.trainer.labels import reopen, settled
from triage.trainer.points import WEIGHTS, Points, points
from triage.trainer.review import Kind, ReviewItemRow, ReviewReasonRow, State
from triage.trainer.signs import Finding, Heard, Signs, suggestion
from triage.trainer.vocabulary import Vocabulary

EVERY = 10.0
BATCH = 100
LATE = timedelta(minutes=1)
"""A transaction may commit after a younger one: rows of the last minute are looked at again."""
LATE_ROWS = 1000
BEFORE = timedelta(hours=1)
PLACES = 20
SETTLED = (State.DONE, State.DISMISSED)

Row = TypeVar("Row", ReadingRow, TicketEventRow)
log = logging.getLogger(__name__)


class ReviewMarkRow(Base):
    """How far a source was read: the last id."""

    __tablename__ = "review_mark"
    source: Mapped[str] = mapped_column(String(24), primary_key=True)
    last: Mapped[int]


class Collecting:
    """Goes round every ten seconds; any number of processes may, a round of two at once counts once."""

    def __init__(
        self, database: Database, classifier: Classifier, taxonomy: Taxonomy, now: Callable[[], datetime],
        vocabulary: Vocabulary | None = None, policy: Points | None = None, models: Path = ROOT,
    ) -> None:  # fmt: skip
        """`classifier` is asked for its own reading of every message; `models` holds the registries."""
        self._database = database
        self._classifier = classifier
        self._now = now
        self._models = models
        self._vocabulary = vocabulary or Vocabulary()
        self._points = policy or points()
        self._signs = Signs(self._points, taxonomy)
        self._looked: dict[str, set[int]] = defaultdict(set)

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            try:
                await self.once()
            except Exception:
                log.exception("a round of the review list failed; the next one tries again")
            await asyncio.sleep(EVERY)

    async def once(self) -> int:
        """Look at everything new; returns how many items are new in the list."""
        added = 0
        while True:
            readings, events = await self._new(ReadingRow), await self._new(TicketEventRow)
            if not readings and not events:
                return added
            found, heard = await self._look(readings, events)
            added += await self._put(found, heard, readings, events)
            for source, rows in (("reading", readings), ("ticket_event", events)):
                self._looked[source] |= {row.id for row in rows}

    async def _new(self, table: type[Row]) -> list[Row]:
        """Rows after the mark, and those before it that may have been committed late."""
        source = table.__tablename__
        async with self._database.survey() as session:
            mark = await session.get(ReviewMarkRow, source)
            last = mark.last if mark else 0
            late = (table.id > last - LATE_ROWS, table.id <= last, table.at > self._now() - LATE)
            rows = list(await session.scalars(select(table).where(*late)))
            rows = [row for row in rows if row.id not in self._looked[source]]
            after = select(table).where(table.id > last).order_by(table.id).limit(BATCH)
            rows.extend(await session.scalars(after))
        self._looked[source] = {id for id in self._looked[source] if id > last - LATE_ROWS}
        return rows

    async def _look(
        self, readings: Sequence[ReadingRow], events: Sequence[TicketEventRow]
    ) -> tuple[list[Finding], list[Heard]]:
        """What the signs find in these rows; and the readings with their words, for the vocabulary."""
        async with self._database.survey() as session:
            tickets = await self._tickets(session, events)
            conversations = {row.conversation_id for row in readings} | {
                one.conversation_id for one in tickets.values()
            }
            since = min([*(row.at for row in readings), *(event.at for event in events)]) - BEFORE
            spoken = await self._heard(session, conversations, since)
        new = {row.id for row in readings}
        heard = [one for every in spoken.values() for one in every if one.row.id in new]
        others = await asyncio.to_thread(self._classifier.classify, [one.text for one in heard]) if heard else []
        found: list[Finding] = []
        for one, other in zip(heard, others, strict=True):
            found += [*self._signs.doubtful(one), *self._signs.disagreement(one, other)]
        for every in spoken.values():
            for before, one in zip([None, *every[:-1]], every, strict=True):
                if one.row.id in new:
                    found += self._signs.in_a_row(before, one)
        for event in events:
            ticket = tickets[event.ticket_id]
            said = spoken.get(ticket.conversation_id, [])
            if event.kind == "rated":
                found += self._signs.rated(event, [one for one in said if one.row.at <= event.at])
            elif event.kind == "opened" and ticket.message_seq > 0:
                of_it = [one for one in said if one.row.seq <= ticket.message_seq and one.text in ticket.text]
                found += self._signs.odd(ticket, of_it[-1] if of_it else None)
            else:
                found += self._signs.corrected(event, ticket)
        return found, heard

    @staticmethod
    async def _tickets(session: AsyncSession, events: Sequence[TicketEventRow]) -> dict[int, TicketRow]:
        ids = {event.ticket_id for event in events}
        rows = await session.scalars(select(TicketRow).where(TicketRow.id.in_(ids)))
        return {row.id: row for row in rows}

    @staticmethod
    async def _heard(session: AsyncSession, conversations: Iterable[int], since: datetime) -> dict[int, list[Heard]]:
        """The readings of these conversations since then, in order, with what was said; pressed buttons left out."""
        rows = await session.execute(
            select(ReadingRow, MessageRow.text, MessageRow.payload)
            .join(
                MessageRow,
                (MessageRow.conversation_id == ReadingRow.conversation_id) & (MessageRow.seq == ReadingRow.seq),
            )
            .where(ReadingRow.conversation_id.in_(list(conversations)), ReadingRow.at >= since)
            .order_by(ReadingRow.conversation_id, ReadingRow.seq)
        )
        found: defaultdict[int, list[Heard]] = defaultdict(list)
        for row, text, payload in rows:
            if payload is None and _words(row.text_key) and text_key(text) == row.text_key:
                found[row.conversation_id].append(Heard(row, text))
        return found

    async def _put(
        self, found: Sequence[Finding], heard: Sequence[Heard], readings: Sequence[ReadingRow],
        events: Sequence[TicketEventRow],
    ) -> int:  # fmt: skip
        words = await asyncio.to_thread(lambda: [self._vocabulary.read(one.text) for one in heard])
        async with self._database.write() as session:
            for source, rows in (("reading", readings), ("ticket_event", events)):
                mark = await session.get(ReviewMarkRow, source, with_for_update=True)
                if mark is None:
                    session.add(mark := ReviewMarkRow(source=source, last=0))
                mark.last = max(mark.last, *(row.id for row in rows), 0)
            spread = await self._remember(session, heard, words)
            return await self._merge(session, [*found, *spread])

    async def _remember(
        self, session: AsyncSession, heard: Sequence[Heard], words: Sequence[frozenset[str]]
    ) -> list[Finding]:
        """Store the new words, and find the texts of those that spread."""
        for one, said in zip(heard, words, strict=True):
            place = (one.row.conversation_id, one.row.seq)
            await self._vocabulary.remember(session, said, one.row.text_key, place, one.row.at)
        await session.flush()
        since = self._now() - self._points.new_words_for
        spread = await self._vocabulary.spread(session, frozenset().union(*words), since, self._points.new_words_from)
        if not spread:
            return []
        found = []
        for key, rows in (await self._vocabulary.places(session, spread, since)).items():
            place = (rows[0].conversation_id, rows[0].seq)
            for first in await self._at(session, *place):
                new, texts = [row.word for row in rows], max(spread[row.word] for row in rows)
                found.append(self._signs.new_words(new, texts, key, first.text, place, suggestion(first)))
        return found

    @staticmethod
    async def _at(session: AsyncSession, conversation: int, seq: int) -> list[Heard]:
        rows = await session.execute(
            select(ReadingRow, MessageRow.text)
            .join(
                MessageRow,
                (MessageRow.conversation_id == ReadingRow.conversation_id) & (MessageRow.seq == ReadingRow.seq),
            )
            .where(ReadingRow.conversation_id == conversation, ReadingRow.seq == seq)
        )
        return [Heard(row, text) for row, text in rows]

    async def _merge(self, session: AsyncSession, found: Sequence[Finding]) -> int:
        """Add what was found to the items of the same text; a place counts once for a reason."""
        by_item: defaultdict[tuple[str, str], list[Finding]] = defaultdict(list)
        for one in found:
            by_item[one.kind, one.text_key].append(one)
        keys = {key for _, key in by_item}
        known = await session.scalars(select(ReviewItemRow).where(ReviewItemRow.text_key.in_(keys)).with_for_update())
        items = {(row.kind, row.text_key): row for row in known}
        said = await session.execute(
            select(ReadingRow.text_key, func.count()).where(ReadingRow.text_key.in_(keys)).group_by(ReadingRow.text_key)
        )
        times, given = (
            {key: count for key, count in said},
            {id: {one["reason"] for one in row.reasons} for id, row in items.items()},
        )
        for (kind, key), each in by_item.items():
            row = items.get((kind, key))
            if row is None:
                items[kind, key] = row = self._item_of(each[0])
                session.add(row)
            elif row.status in SETTLED and (again := [one for one in each if await self._against(session, row, one)]):
                await reopen(session, row, self._now())
                await session.execute(delete(ReviewReasonRow).where(ReviewReasonRow.item_id == row.id))
                _move(row, again[-1])
                each, given[kind, key] = again, set()
            self._grow(row, each, times.get(key, 1) if kind == Kind.DIALOGUE else None)
        await session.flush()
        for id in by_item:
            new = {one["reason"] for one in items[id].reasons} - given.get(id, set()) - {*WEIGHTS}
            session.add_all(ReviewReasonRow(item_id=items[id].id, reason=reason) for reason in new)
        return len(by_item.keys() - given.keys())

    async def _against(self, session: AsyncSession, row: ReviewItemRow, one: Finding) -> bool:
        """Whether a finding speaks against what an item was settled with.

        A model that was made before the label misreads it still: only one made since, or an agent who decides
        otherwise, says anything new. What was not worth a label needs a reason that it did not have then.
        """
        known = {reason["reason"]: reason["places"] for reason in row.reasons}
        if [one.conversation, one.seq] in known.get(one.reason, ()):
            return False
        if row.status == State.DISMISSED:
            return one.reason not in known
        label, since = await settled(session, row)
        changed = one.reason.removesuffix("_changed")
        if changed in ("category", "priority"):
            return bool(one.suggestion[changed] != label[changed])
        read, meant = ("read", "intent") if one.kind == Kind.DIALOGUE else ("category", "category")
        made = await asyncio.to_thread(self._made, one)
        return one.suggestion.get(read) != label[meant] and made is not None and made >= since.replace(microsecond=0)

    def _made(self, one: Finding) -> datetime | None:
        """When the model that read it was made, to the second; None for one that is not kept any more."""
        try:
            return datetime.fromisoformat(Registry(one.kind, self._models).card(one.suggestion["model"])["created"])
        except NoModel:
            return None

    def _grow(self, row: ReviewItemRow, found: Sequence[Finding], times: int | None) -> None:
        """`times`: how often the text was said; None when the places are all that is known."""
        reasons = [dict(reason) for reason in row.reasons if reason["reason"] not in WEIGHTS]
        for one in found:
            _add_reason(reasons, one)
        row.times = times or len({tuple(place) for reason in reasons for place in reason["places"]})
        if row.status == State.OPEN:
            first = {name: value for name, value in row.suggestion.items() if name.startswith("model_")}
            for one in found:
                first = {**one.suggestion, **first}
            row.suggestion = first
        row.reasons = [*reasons, *self._weights(row)]
        row.value = round(sum(reason["points"] for reason in row.reasons), 2)
        row.updated_at = self._now()

    def _weights(self, row: ReviewItemRow) -> list[dict[str, Any]]:
        """What weighs the reasons: how sure the dialogue was, and how often the text was said."""
        weights = []
        sure, start = row.suggestion["confidence"], self._points.sure_from
        if row.kind == Kind.DIALOGUE and sure > start:
            less = self._points.between("certain", (sure - start) / (1 - start))
            weights.append({"reason": "certain", "points": less, "words": f"把握有{sure:.0%}", "places": []})
        if row.times > 1:
            more = round(self._points.points["times"] * math.log2(row.times), 2)
            weights.append({"reason": "times", "points": more, "words": f"问过{row.times}次", "places": []})
        return weights

    def _item_of(self, one: Finding) -> ReviewItemRow:
        now = self._now()
        return ReviewItemRow(
            kind=one.kind, text_key=one.text_key, text=one.text, conversation_id=one.conversation, seq=one.seq,
            ticket_id=one.ticket, reasons=[], suggestion={}, status=State.OPEN, version=0, created_at=now,
            updated_at=now,
        )  # fmt: skip


def _move(row: ReviewItemRow, one: Finding) -> None:
    """The item speaks of another place from now on, and of what was found there."""
    row.text, row.conversation_id, row.seq, row.ticket_id = one.text, one.conversation, one.seq, one.ticket
    row.reasons, row.suggestion = [], {}


def _add_reason(reasons: list[dict[str, Any]], one: Finding) -> None:
    place = [one.conversation, one.seq]
    known = next((reason for reason in reasons if reason["reason"] == one.reason), None)
    if known is None:
        reasons.append({"reason": one.reason, "points": one.points, "words": one.words, "places": [place]})
        return
    if one.points >= known["points"]:
        known.update(points=one.points, words=one.words)
    if place not in known["places"]:
        known["places"] = [*known["places"], place][-PLACES:]


def _words(key: str) -> bool:
    """Whether a key says anything: a bare number is an account, an ending or a choice, and the form's matter."""
    return not key.isdigit() and key != ""
