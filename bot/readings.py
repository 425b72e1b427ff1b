"""What the dialogue read in a customer's message 识别结果: stored with the turn, for the trainer and for replay."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Base, UtcDateTime
from bot.message import Reading

LONGEST_KEY = 500


class ReadingRow(Base):
    """One message's reading; `seq` is the customer's message, so a bot's reply finds it by its `answers`.

    `text_key` is `text_key` of what was read; `second` and `margin` are the runner-up and how far it lies behind,
    `ranking` up to five [intent, confidence], `model` the dialogue version that read, `fallback` whether the turn was
    answered as not understood. A pressed button is read as its own intent with confidence 1.
    """

    __tablename__ = "reading"
    __table_args__ = (
        UniqueConstraint("conversation_id", "seq"),
        Index("ix_reading_text_key", "text_key"),
        Index("ix_reading_at", "at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    seq: Mapped[int]
    text_key: Mapped[str] = mapped_column(String(LONGEST_KEY))
    intent: Mapped[str] = mapped_column(String(64))
    confidence: Mapped[float]
    second: Mapped[str | None] = mapped_column(String(64))
    margin: Mapped[float]
    ranking: Mapped[list[list[Any]]] = mapped_column(JSON)
    entities: Mapped[list[Mapping[str, Any]]] = mapped_column(JSON)
    model: Mapped[str] = mapped_column(String(64))
    fallback: Mapped[bool]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


def text_key(text: str) -> str:
    """NFKC, lower case, letters and digits alone, at most `LONGEST_KEY`: equal keys are one text to the trainer."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    return "".join(char for char in plain if char.isalnum())[:LONGEST_KEY]


def store(session: AsyncSession, conversation: int, seq: int, text: str, reading: Reading) -> None:
    """Add the reading of the message `seq`, which said `text`, to the caller's transaction."""
    session.add(
        ReadingRow(
            conversation_id=conversation,
            seq=seq,
            text_key=text_key(text),
            intent=reading.intent,
            confidence=reading.confidence,
            second=reading.second,
            margin=reading.margin,
            ranking=[list(one) for one in reading.ranking],
            entities=list(reading.entities),
            model=reading.model,
            fallback=reading.fallback,
            at=datetime.now(UTC),
        )
    )
