"""Review items over a stage's real database, put there without the collecting rounds."""

from __future__ import annotations

from itertools import count, islice
from typing import Any

from sqlalchemy import select

from bot.database import MessageRow
from tests.triage.stage import Stage
from triage.masking import mask
from triage.trainer.labels import Labels, sampled
from triage.trainer.review import Kind, ReviewItemRow, ReviewReasonRow

QUERY = {"intent": "query_bill", "entities": []}
UNSURE = {
    "intent": "query_balance", "confidence": 0.4, "entities": [],
    "ranking": [["query_balance", 0.4], ["query_bill", 0.3], ["query_usage", 0.1]],
}  # fmt: skip


async def add(
    stage: Stage, text: str, kind: Kind = Kind.DIALOGUE, value: float = 1.0, reason: str = "low_confidence",
    suggestion: dict[str, Any] | None = None,
) -> int:  # fmt: skip
    """A customer says `text`, and it stands in the list; returns the item."""
    conversation = await stage.say("c" + text[:40], text)
    async with stage.database.write() as session:
        seq = await session.scalar(
            select(MessageRow.seq).where(MessageRow.conversation_id == conversation, MessageRow.text == text)
        )
        assert seq is not None
        item = ReviewItemRow(
            kind=kind, text_key=text, text=mask(text), conversation_id=conversation, seq=seq, ticket_id=None,
            reasons=[{"reason": reason, "points": value, "words": "没有把握", "places": []}], value=value,
            suggestion=suggestion or UNSURE, created_at=stage.now, updated_at=stage.now,
        )  # fmt: skip
        session.add(item)
        await session.flush()
        session.add(ReviewReasonRow(item_id=item.id, reason=reason))
        return item.id


def text_for(twice: bool, kind: Kind = Kind.DIALOGUE, nth: int = 0) -> str:
    """The nth text that is, or is not, in the sample for a second reader."""
    fit = (text for n in count() if sampled(kind, text := f"第{n}次查不到电费") == twice)
    return next(islice(fit, nth, None))


def labels(stage: Stage) -> Labels:
    """The stage's labels."""
    return Labels(stage.database, lambda: stage.now)
