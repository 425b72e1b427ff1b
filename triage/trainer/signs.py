"""Signs 迹象 that a message was misread: each finds the messages it speaks of in readings and ticket events."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.readings import ReadingRow, text_key
from nlu_data.names import FALLBACK, names
from triage.classifier import Prediction
from triage.masking import mask
from triage.taxonomy import Taxonomy
from triage.ticket import TicketEventRow, TicketRow
from triage.trainer.points import Points
from triage.trainer.review import Kind

EMPTY = frozenset(
    ("greet", "goodbye", "thank", "affirm", "deny", "inform", "bot_challenge", "ask_capabilities", "request_human",
     "rate_service")
)  # fmt: skip
"""Intents that answer nothing: a 转人工 or a low rating after them blames nobody's reading."""


@dataclass(frozen=True)
class Heard:
    """A reading with the words that were read, as the customer wrote them."""

    row: ReadingRow
    text: str


@dataclass(frozen=True)
class Finding:
    """One sign at one place; `text` is masked. `points` count once for a reason, at the place where they are most."""

    kind: Kind
    text_key: str
    text: str
    conversation: int
    seq: int
    reason: str
    points: float
    words: str
    suggestion: Mapping[str, Any]
    ticket: int | None = None


class Signs:
    """Looks at what was read and at what came of it; keeps nothing."""

    def __init__(self, points: Points, taxonomy: Taxonomy) -> None:
        """`taxonomy` has the Chinese names of categories and priorities."""
        self._points = points
        self._categories = {key: one.name for key, one in taxonomy.categories.items()}
        self._priorities = {key: one.name for key, one in taxonomy.priorities.items()}
        self._intents = names().intents

    def doubtful(self, one: Heard) -> list[Finding]:
        """Low confidence, and a runner-up close behind."""
        row, found = one.row, []
        ranking = _ranking(row)
        sure = ranking[0][1] if ranking else row.confidence
        if row.fallback or sure < self._points.unsure_below:
            share = 1 - sure / self._points.unsure_below
            words = "机器人没听懂" if row.fallback else f"把握只有{sure:.0%}"
            found.append(self._of(one, "low_confidence", self._points.between("low_confidence", share), words))
        if len(ranking) > 1 and ranking[0][1] - ranking[1][1] < self._points.close:
            first, second = (self._intents.get(name, name) for name, _ in ranking[:2])
            found.append(self._of(one, "low_margin", self._points.points["low_margin"], f"“{first}”和“{second}”难分"))
        return found

    def in_a_row(self, before: Heard | None, one: Heard) -> list[Finding]:
        """Two misses, 转人工 right after an answer, the same in other words: they speak of the message before."""
        if before is None:
            return []
        if before.row.fallback and one.row.fallback:
            value = self._points.points["two_misses"]
            return [self._of(each, "two_misses", value, "连着两次没听懂") for each in (before, one)]
        if before.row.fallback or before.row.intent in EMPTY:
            return []
        since, answered = one.row.at - before.row.at, self._intents.get(before.row.intent, before.row.intent)
        if one.row.intent == "request_human" and since <= self._points.handoff_within:
            value = self._points.points["handoff_after_answer"]
            return [self._of(before, "handoff_after_answer", value, f"按“{answered}”答完，客户马上要人工")]
        other = one.row.intent not in (*EMPTY, before.row.intent)
        if other and since <= self._points.rephrased_within and alike(before.text, one.text) >= self._points.alike:
            value = self._points.points["rephrased"]
            return [self._of(before, "rephrased", value, f"按“{answered}”答完，客户换句话又问")]
        return []

    def disagreement(self, one: Heard, other: Prediction) -> list[Finding]:
        """Triage reads in the same words what the intent does not allow."""
        plausible = self._points.plausible.get(one.row.intent)
        if plausible is None or other.category in plausible or other.confidence < self._points.other_sure_from:
            return []
        share = (other.confidence - self._points.other_sure_from) / (1 - self._points.other_sure_from)
        intent, category = self._intents[one.row.intent], self._categories[other.category]
        words = f"对话读作“{intent}”，分类读作“{category}”（{other.confidence:.0%}）"
        return [self._of(one, "disagreement", self._points.between("disagreement", share), words)]

    def rated(self, event: TicketEventRow, last: Sequence[Heard]) -> list[Finding]:
        """A low rating speaks of the last messages before it, oldest first in `last`."""
        score = event.detail.get("score")
        if not isinstance(score, int) or score > self._points.low_rating:
            return []
        blamed = [one for one in last if one.row.intent not in EMPTY][-self._points.rated_last :]
        return [self._of(one, "low_rating", self._points.points["low_rating"], f"客户评了{score}分") for one in blamed]

    def corrected(self, event: TicketEventRow, ticket: TicketRow) -> list[Finding]:
        """An agent's change of category or priority speaks of the triage model."""
        before, after = event.detail.get("from"), event.detail.get("to")
        if event.kind not in ("category", "priority") or before == after or event.actor in ("system", "customer"):
            return []
        titles = self._categories if event.kind == "category" else self._priorities
        words = f"坐席从“{titles.get(str(before), before)}”改为“{titles.get(str(after), after)}”"
        model = {"category": ticket.category, "priority": ticket.priority, event.kind: before}
        suggestion = {
            "category": ticket.category, "priority": ticket.priority, "confidence": ticket.category_confidence,
            "model": ticket.model, f"model_{event.kind}": model[event.kind],
        }  # fmt: skip
        return [self._about(ticket, f"{event.kind}_changed", words, suggestion)]

    def odd(self, ticket: TicketRow, one: Heard | None) -> list[Finding]:
        """A ticket whose category the intent of its message does not allow speaks of the triage model too."""
        plausible = self._points.plausible.get(one.row.intent) if one is not None else None
        if one is None or plausible is None or ticket.category in plausible:
            return []
        intent, category = self._intents[one.row.intent], self._categories.get(ticket.category, ticket.category)
        suggestion = {
            "category": ticket.category, "priority": ticket.priority, "confidence": ticket.category_confidence,
            "model": ticket.model,
        }  # fmt: skip
        found = self._about(ticket, "disagreement", f"对话读作“{intent}”，工单归在“{category}”", suggestion)
        return [found]

    def new_words(self, words: Iterable[str], texts: int, key: str, text: str, place: tuple[int, int],
                  suggestion: Mapping[str, Any]) -> Finding:  # fmt: skip
        """Words unknown to the training files that stand in `texts` different messages."""
        said = "、".join(sorted(words))
        value = self._points.between("new_words", math.log2(texts / self._points.new_words_from) / 3)
        return Finding(Kind.DIALOGUE, key, mask(text), *place, "new_words", value, f"新词“{said}”，{texts}句里都有",
                       suggestion)  # fmt: skip

    def _of(self, one: Heard, reason: str, value: float, words: str) -> Finding:
        row = one.row
        return Finding(Kind.DIALOGUE, row.text_key, mask(one.text), row.conversation_id, row.seq, reason, value, words,
                       suggestion(one))  # fmt: skip

    def _about(self, ticket: TicketRow, reason: str, words: str, suggestion: Mapping[str, Any]) -> Finding:
        value = self._points.points.get(reason) or self._points.ranges[reason][0]
        return Finding(Kind.TRIAGE, text_key(ticket.text), mask(ticket.text), ticket.conversation_id,
                       max(1, ticket.message_seq), reason, value, words, suggestion, ticket.id)  # fmt: skip


def suggestion(one: Heard) -> dict[str, Any]:
    """The trainer's first proposal; `read` is what the dialogue acted on: what it did not understand is misread."""
    ranking = _ranking(one.row)
    intent, confidence = ranking[0] if ranking else (one.row.intent, one.row.confidence)
    entities = [
        {"entity": each["entity"], "start": each["start"], "end": each["end"]}
        for each in one.row.entities
        if isinstance(each.get("start"), int) and 0 <= each["start"] < each["end"] <= len(one.text)
    ]
    return {
        "intent": intent, "confidence": confidence, "ranking": ranking, "entities": entities, "model": one.row.model,
        "read": FALLBACK if one.row.fallback else one.row.intent,
    }  # fmt: skip


def alike(one: str, other: str) -> float:
    """How much two sentences share, 0 to 1: Jaccard's index of their pairs of characters."""
    mine, theirs = ({key[i : i + 2] for i in range(len(key) - 1)} for key in (text_key(one), text_key(other)))
    return len(mine & theirs) / len(mine | theirs) if mine and theirs and mine != theirs else 0.0


def _ranking(row: ReadingRow) -> list[tuple[str, float]]:
    return [(name, float(confidence)) for name, confidence in row.ranking if name != FALLBACK]
