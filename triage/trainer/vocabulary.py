"""New vocabulary 新词: words of customers that no training file knows, counted by the texts they stand in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache

from sqlalchemy import String, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

import nlu_data
from bot.database import Base, UtcDateTime
from triage.masking import mask
from triage.words import tokenizer

COMMON = 300
"""A word that jieba's dictionary counts so often is everyday language, not vocabulary."""
_WORD = re.compile("[一-鿿]{2,6}|[A-Za-z][A-Za-z0-9]{2,15}")


class ReviewWordRow(Base):
    """A new word in one text, first said in (`conversation_id`, `seq`)."""

    __tablename__ = "review_word"
    word: Mapped[str] = mapped_column(String(32), primary_key=True)
    text_key: Mapped[str] = mapped_column(String(500), primary_key=True)
    conversation_id: Mapped[int]
    seq: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@cache
def _known() -> str:
    """All that stands in the training files and word lists, as one text."""
    lines = [row.plain for row in nlu_data.utterances()] + [row.text for row in nlu_data.complaints()]
    lists = [file.read_text("utf-8") for file in sorted((nlu_data.HERE / "lookups").glob("*.txt"))]
    return "\n".join((*lines, *lists)).lower()


def new_words(text: str) -> frozenset[str]:
    """Words of a text that the training files do not contain and are not everyday language, personal data apart."""
    words = {word for word in tokenizer().cut(mask(text).replace("*", " ").lower()) if _WORD.fullmatch(word)}
    common = tokenizer().FREQ
    return frozenset(word for word in words if (common.get(word) or 0) < COMMON and word not in _known())


class Vocabulary:
    """Remembers new words; joins the caller's transaction."""

    def __init__(self, read: Callable[[str], frozenset[str]] = new_words) -> None:
        """`read` gives a text's new words."""
        self.read = read

    @staticmethod
    async def remember(
        session: AsyncSession, words: Iterable[str], key: str, place: tuple[int, int], at: datetime
    ) -> None:
        """Store the words of a text, each once."""
        for word in words:
            if await session.get(ReviewWordRow, (word, key)) is None:
                session.add(ReviewWordRow(word=word, text_key=key, conversation_id=place[0], seq=place[1], at=at))

    @staticmethod
    async def spread(session: AsyncSession, words: Iterable[str], since: datetime, least: int) -> dict[str, int]:
        """Of these words those said since then in at least `least` texts and conversations: word → how many texts."""
        rows = await session.execute(
            select(ReviewWordRow.word, func.count(ReviewWordRow.text_key))
            .where(ReviewWordRow.word.in_(list(words)), ReviewWordRow.at >= since)
            .group_by(ReviewWordRow.word)
            .having(func.count(ReviewWordRow.conversation_id.distinct()) >= least)
        )
        return {word: count for word, count in rows}

    @staticmethod
    async def places(session: AsyncSession, words: Iterable[str], since: datetime) -> dict[str, list[ReviewWordRow]]:
        """Where these words stand: text key → its rows."""
        rows = await session.scalars(
            select(ReviewWordRow).where(ReviewWordRow.word.in_(list(words)), ReviewWordRow.at >= since)
        )
        found: dict[str, list[ReviewWordRow]] = {}
        for row in rows:
            found.setdefault(row.text_key, []).append(row)
        return found
