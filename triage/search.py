"""Full-text search in Chinese over tickets and messages: words by jieba; FTS5 on SQLite, tsvector on PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ForeignKey, Integer, Row, Select, column, func, literal_column, or_, select, table, text, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bot.bell import QUEUE, Bell, rung
from bot.database import Base, Database, MessageRow
from models import encoder
from triage.ticket import Status, TicketEventRow, TicketRow
from triage.words import tokenizer

BATCH = 500
OVERLAP = 1000
LOOK_EVERY = 2.0
LONGEST_QUERY = 64
REACH = 20

log = logging.getLogger(__name__)
_words = table("search_words", column("rowid"), column("words"))


Words = Sequence[str]


class DocumentRow(Base):
    """What the index holds: a ticket (as of `ticket_version`) or a message; its words are in `search_words`."""

    __tablename__ = "search_document"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"), unique=True)
    ticket_version: Mapped[int | None]
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"), unique=True)
    conversation_id: Mapped[int | None] = mapped_column(ForeignKey("conversation.id"))


Put = tuple[DocumentRow, Words]
"""A document and the words of it."""


def words(text: str) -> list[str]:
    """The searchable words of a text, in order, long words with their parts."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return [word for word in tokenizer().cut_for_search(plain) if any(sign.isalnum() for sign in word)]


@lru_cache(4096)
def vector(text: str) -> NDArray[np.float32]:
    """The encoder's vector of a text, shape (width,); kept, since the same tickets are near again and again."""
    found: NDArray[np.float32] = encoder.encode([text])[0]
    return found


class Search:
    """Keeps the index and reads it; both databases answer alike."""

    def __init__(self, database: Database, bell: Bell) -> None:
        """`bell` says when something was written."""
        self._database = database
        self._bell = bell

    async def run(self) -> None:
        """Index what is new until cancelled."""
        with self._bell.listen(QUEUE) as rings:
            while True:
                try:
                    while await self.index():
                        pass
                except Exception:
                    log.exception("indexing failed; trying again")
                await rung(rings, LOOK_EVERY)
                await asyncio.sleep(LOOK_EVERY / 4)

    async def index(self, reach: int = OVERLAP) -> int:
        """Index up to `BATCH` new messages and changed tickets; returns how many.

        Ids up to `reach` below the newest indexed one are looked at again: a transaction may commit late.
        """
        async with self._database.survey() as session:
            last = await session.scalar(select(func.max(DocumentRow.message_id))) or 0
            messages = (
                await session.execute(
                    select(MessageRow.id, MessageRow.conversation_id, MessageRow.text)
                    .outerjoin(DocumentRow, DocumentRow.message_id == MessageRow.id)
                    .where(MessageRow.id > last - reach, DocumentRow.id.is_(None))
                    .order_by(MessageRow.id)
                    .limit(BATCH)
                )
            ).all()
            newest = await session.scalar(select(func.max(DocumentRow.ticket_id))) or 0
            events = await session.scalar(select(func.max(TicketEventRow.id))) or 0
            lately = select(TicketEventRow.ticket_id).where(TicketEventRow.id > events - reach)
            tickets = (
                await session.execute(
                    select(TicketRow.id, TicketRow.version, TicketRow.text, TicketRow.resolution, DocumentRow.id)
                    .outerjoin(DocumentRow, DocumentRow.ticket_id == TicketRow.id)
                    .where(
                        or_(TicketRow.id > newest - reach, TicketRow.id.in_(lately)),
                        or_(DocumentRow.id.is_(None), DocumentRow.ticket_version != TicketRow.version),
                    )
                    .order_by(TicketRow.id)
                    .limit(BATCH)
                )
            ).all()
        if not messages and not tickets:
            return 0
        bodies = [row[2] for row in messages] + [f"{row[2]} {row[3] or ''}" for row in tickets]
        cut = await asyncio.to_thread(lambda: [words(body) for body in bodies])
        async with self._database.write() as session:
            put = await self._documents(session, messages, cut)
            put += await self._changed(session, tickets, cut[len(messages) :])
            await self._put(session, put)
        return len(bodies)

    @staticmethod
    async def _documents(session: AsyncSession, messages: Sequence[Row[Any]], cut: Sequence[Words]) -> list[Put]:
        """Documents of messages that another process did not index meanwhile."""
        ids = [id for id, _, _ in messages]
        known = set(await session.scalars(select(DocumentRow.message_id).where(DocumentRow.message_id.in_(ids))))
        return [
            (DocumentRow(message_id=id, conversation_id=conversation), found)
            for (id, conversation, _), found in zip(messages, cut, strict=False)
            if id not in known
        ]

    @staticmethod
    async def _changed(session: AsyncSession, tickets: Sequence[Row[Any]], cut: Sequence[Words]) -> list[Put]:
        """Documents of tickets, new ones or those of an older version."""
        rows = await session.scalars(select(DocumentRow).where(DocumentRow.ticket_id.in_([row[0] for row in tickets])))
        known, put = {row.ticket_id: row for row in rows}, list[Put]()
        for (id, version, _, _, _), found in zip(tickets, cut, strict=True):
            document = known.get(id) or DocumentRow(ticket_id=id)
            document.ticket_version = version
            put.append((document, found))
        return put

    async def matching(self, session: AsyncSession, query: str) -> Select[tuple[int]] | None:
        """Ids of the tickets that hold every word of `query`, or whose conversation has a message that does.

        None when the query has no word. Only the first 64 characters count.
        """
        found = await asyncio.to_thread(words, query[:LONGEST_QUERY])
        if not found:
            return None
        matched = self._matched(session, found, " AND ", " & ")
        messages = (
            select(TicketRow.id)
            .join(DocumentRow, DocumentRow.conversation_id == TicketRow.conversation_id)
            .where(DocumentRow.id.in_(matched))
        )
        tickets = select(DocumentRow.ticket_id).where(DocumentRow.id.in_(matched), DocumentRow.ticket_id.is_not(None))
        both = union(messages, tickets).subquery()
        return select(both.c[0])

    async def similar(self, session: AsyncSession, row: TicketRow, most: int = 3) -> Sequence[TicketRow]:
        """Resolved tickets of the same category that mean most nearly the same, best first.

        Of the `REACH` tickets with the most words in common those whose encoder vectors are closest.
        """
        cut = await asyncio.to_thread(words, row.text)
        found = list(dict.fromkeys(word for word in cut if len(word) > 1))[:20]
        if not found:
            return []
        matched = self._matched(session, found, " OR ", " | ")
        query = (
            select(TicketRow)
            .join(DocumentRow, DocumentRow.ticket_id == TicketRow.id)
            .join(_words, _words.c.rowid == DocumentRow.id)
            .where(
                DocumentRow.id.in_(matched), TicketRow.category == row.category, TicketRow.id != row.id,
                TicketRow.status.in_((Status.RESOLVED, Status.CLOSED)), TicketRow.resolution.is_not(None),
            )
        )  # fmt: skip
        if session.get_bind().dialect.name == "sqlite":
            match = " OR ".join(_quoted(word) for word in found)
            query = query.where(text("search_words MATCH :match").bindparams(match=match))
            query = query.order_by(text("search_words.rank"))
        else:
            wanted = " | ".join(_lexeme(word) for word in found)
            query = query.order_by(text("ts_rank(search_words.words, CAST(:wanted AS tsquery)) DESC")).params(
                wanted=wanted
            )
        near = list(await session.scalars(query.limit(REACH)))
        if len(near) < 2:
            return near
        asked, *vectors = await asyncio.to_thread(lambda: [vector(one.text) for one in (row, *near)])
        order = sorted(range(len(near)), key=lambda place: -float(asked @ vectors[place]))
        return [near[place] for place in order[:most]]

    @staticmethod
    def _matched(session: AsyncSession, found: Sequence[str], sqlite: str, postgresql: str) -> Select[tuple[int]]:
        query = select(literal_column("search_words.rowid", Integer)).select_from(text("search_words"))
        if session.get_bind().dialect.name == "sqlite":
            condition = text("search_words MATCH :found").bindparams(found=sqlite.join(_quoted(w) for w in found))
        else:
            condition = text("search_words.words @@ CAST(:found AS tsquery)").bindparams(
                found=postgresql.join(_lexeme(w) for w in found)
            )
        return query.where(condition)

    @staticmethod
    async def _put(session: AsyncSession, documents: Sequence[Put]) -> None:
        """Store documents and their words, each in one statement for all."""
        if not documents:
            return
        old = [{"id": document.id} for document, _ in documents if document.id is not None]
        if old:
            await session.execute(text("DELETE FROM search_words WHERE rowid = :id"), old)
        session.add_all(document for document, _ in documents)
        await session.flush()
        if session.get_bind().dialect.name == "sqlite":
            statement = text("INSERT INTO search_words (rowid, words) VALUES (:id, :words)")
            rows: list[dict[str, Any]] = [{"id": one.id, "words": " ".join(found)} for one, found in documents]
        else:
            statement = text("INSERT INTO search_words (rowid, words) VALUES (:id, array_to_tsvector(:words))")
            rows = [{"id": one.id, "words": sorted(set(found)) or ["∅"]} for one, found in documents]
        await session.execute(statement, rows)


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _lexeme(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
