"""The review list 待复核: what likely went wrong, most worth a look first; one row for each text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ColumnElement, ForeignKey, Index, String, Text, UniqueConstraint, and_, func, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Base, Database, MessageRow, UtcDateTime
from triage.masking import mask

AROUND = 2


class Kind(StrEnum):
    """Which model is in question: the dialogue's intent and entities, or triage's category and priority."""

    DIALOGUE = "dialogue"
    TRIAGE = "triage"


class State(StrEnum):
    """How far an item is: `SECOND` waits for a second reader, `DISPUTED` for a third, `LABELLED` to be written."""

    OPEN = "open"
    SECOND = "second"
    DISPUTED = "disputed"
    LABELLED = "labelled"
    DISMISSED = "dismissed"
    DONE = "done"


class ReviewItemRow(Base):
    """One text to look at. `text` is masked, as long as what was said; `seq` is the message where it was first seen.

    `reasons`: [{reason, points, words, places: [[conversation, seq], …]}]; `value` is the sum of the points, by which
    the list is ordered. `suggestion`: {intent, confidence, ranking, entities, model} or {category, priority,
    confidence, model}. `status`, `version` (how many label events it has), `first_reader` and `second_reader` follow
    from the label events.
    """

    __tablename__ = "review_item"
    __table_args__ = (UniqueConstraint("kind", "text_key"), Index("ix_review_item_value", "status", "value", "id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    text_key: Mapped[str] = mapped_column(String(500))
    text: Mapped[str] = mapped_column(Text)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    seq: Mapped[int]
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    value: Mapped[float]
    suggestion: Mapped[dict[str, Any]] = mapped_column(JSON)
    times: Mapped[int] = mapped_column(default=1)
    status: Mapped[str] = mapped_column(String(12), default=State.OPEN)
    version: Mapped[int] = mapped_column(default=0)
    first_reader: Mapped[str | None] = mapped_column(String(64))
    second_reader: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ReviewReasonRow(Base):
    """One reason of an item, for filters and counts."""

    __tablename__ = "review_reason"
    item_id: Mapped[int] = mapped_column(ForeignKey("review_item.id"), primary_key=True)
    reason: Mapped[str] = mapped_column(String(24), primary_key=True, index=True)


class ReviewError(Exception):
    """Root of what the review list and its labels can refuse; the message is for the trainer, in Chinese."""


class NoItem(ReviewError):
    """There is no such item."""


class WrongCursor(ReviewError):
    """A cursor that no page gave."""


@dataclass(frozen=True)
class Wanted:
    """Which items: by state, kind, reason, words; `reader` narrows to what this trainer can label now."""

    status: str | None = None
    kind: str | None = None
    reason: str | None = None
    q: str | None = None
    reader: str | None = None


class Review:
    """Reads the list; what puts rows into it is `triage.trainer.signs`, what changes them `triage.trainer.labels`."""

    def __init__(self, database: Database) -> None:
        """Reads from `database` only."""
        self._database = database

    async def page(self, wanted: Wanted, cursor: str | None, limit: int) -> tuple[Sequence[ReviewItemRow], str | None]:
        """Items by value, the highest first, from `cursor` on; and the next cursor, None at the end.

        Raises `WrongCursor`.
        """
        query = select(ReviewItemRow).where(*_conditions(wanted))
        if cursor is not None:
            value, id = _place(cursor)
            after = and_(ReviewItemRow.value == value, ReviewItemRow.id < id)
            query = query.where(or_(ReviewItemRow.value < value, after))
        async with self._database.survey() as session:
            rows = list(
                await session.scalars(
                    query.order_by(ReviewItemRow.value.desc(), ReviewItemRow.id.desc()).limit(limit + 1)
                )
            )
        more = len(rows) > limit
        rows = rows[:limit]
        return rows, f"{rows[-1].value!r}_{rows[-1].id}" if more else None

    async def counts(self, reader: str) -> Mapping[str, Mapping[str, int]]:
        """How many: by state, and by kind and reason of those this `reader` can label now."""
        mine = _conditions(Wanted(reader=reader))
        async with self._database.survey() as session:
            states = await session.execute(select(ReviewItemRow.status, func.count()).group_by(ReviewItemRow.status))
            kinds = await session.execute(
                select(ReviewItemRow.kind, func.count()).where(*mine).group_by(ReviewItemRow.kind)
            )
            reasons = await session.execute(
                select(ReviewReasonRow.reason, func.count())
                .join(ReviewItemRow, ReviewItemRow.id == ReviewReasonRow.item_id)
                .where(*mine)
                .group_by(ReviewReasonRow.reason)
            )
            by_kind = {kind: count for kind, count in kinds}
            return {
                "states": {state: count for state, count in states},
                "kinds": by_kind,
                "reasons": {reason: count for reason, count in reasons},
                "mine": {"all": sum(by_kind.values())},
            }

    async def item(self, id: int) -> ReviewItemRow:
        """One item; raises `NoItem`."""
        async with self._database.survey() as session:
            return await found(session.get(ReviewItemRow, id), id)

    async def around(self, item: ReviewItemRow) -> list[dict[str, Any]]:
        """The conversation around the item's message, masked: up to `AROUND` messages before and after it."""
        async with self._database.survey() as session:
            rows = await session.scalars(
                select(MessageRow)
                .where(
                    MessageRow.conversation_id == item.conversation_id,
                    MessageRow.seq.between(item.seq - AROUND, item.seq + AROUND),
                )
                .order_by(MessageRow.seq)
            )
            return [
                {"seq": row.seq, "from": row.speaker, "text": mask(row.text), "at": row.at.isoformat(),
                 "this": row.seq == item.seq}
                for row in rows
            ]  # fmt: skip


async def found(reading: Any, id: int) -> ReviewItemRow:
    """What `reading` gives; raises `NoItem` for nothing."""
    row: ReviewItemRow | None = await reading
    if row is None:
        raise NoItem(f"没有第{id}条")
    return row


def for_reader(reader: str) -> ColumnElement[bool]:
    """Items this trainer can label now: open ones, second readings of others' labels, disputes of two others."""
    first, second = ReviewItemRow.first_reader, ReviewItemRow.second_reader
    return or_(
        ReviewItemRow.status == State.OPEN,
        and_(ReviewItemRow.status == State.SECOND, first != reader),
        and_(ReviewItemRow.status == State.DISPUTED, first != reader, second != reader),
    )


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.reader is not None:
        conditions.append(for_reader(wanted.reader))
    if wanted.status is not None:
        conditions.append(ReviewItemRow.status == wanted.status)
    if wanted.kind is not None:
        conditions.append(ReviewItemRow.kind == wanted.kind)
    if wanted.q:
        conditions.append(ReviewItemRow.text.contains(wanted.q, autoescape=True))
    if wanted.reason is not None:
        given = select(ReviewReasonRow.item_id).where(ReviewReasonRow.reason == wanted.reason)
        conditions.append(ReviewItemRow.id.in_(given))
    return conditions


def _place(cursor: str) -> tuple[float, int]:
    value, _, id = cursor.partition("_")
    try:
        return float(value), int(id)
    except ValueError as error:
        raise WrongCursor("翻页的位置不对，请从头看起") from error
