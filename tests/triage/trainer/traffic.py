"""Ordinary traffic with misread messages in it, as rows of a real database: what the review list must find.

The sentences are those of `nlu_data` with their true intents. Confidences are drawn from the quantiles that the
dialogue model of November 2026 showed on the frozen sets: `RIGHT` where it read rightly, `WRONG` where it misread (135
of 1572). How customers take a wrong answer is our own estimate (`AFTER_WRONG`), as is what happens anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import numpy as np

import nlu_data
from bot.database import ContactRow, ConversationRow, MessageRow
from bot.readings import ReadingRow, text_key
from nlu_data.checks import FROZEN
from tests.triage.stage import NOW, Stage, run
from triage.classifier import Prediction
from triage.taxonomy import Taxonomy
from triage.ticket import TicketEventRow, TicketRow
from triage.trainer.collecting import Collecting
from triage.trainer.points import points
from triage.trainer.review import Review, Wanted
from triage.trainer.signs import EMPTY

RIGHT = (
    0.216, 0.671, 0.813, 0.899, 0.951, 0.969, 0.98, 0.988, 0.993, 0.996, 0.997, 0.998, 0.999, 0.999,
    1, 1, 1, 1, 1, 1, 1,
)  # fmt: skip
WRONG = (
    0.2, 0.2, 0.2, 0.2, 0.226, 0.316, 0.345, 0.395, 0.424, 0.501, 0.553, 0.61, 0.652, 0.676, 0.744, 0.77, 0.833, 0.895,
    0.933, 0.978, 0.998,
)  # fmt: skip
FALLBACK_BELOW = 0.21
AFTER_WRONG = {"person": 0.4, "again": 0.35, "low": 0.1}
ANYWAY = {"person": 0.02, "again": 0.005, "low": 0.005}
TRIAGE_RIGHT = 0.93
CATEGORIES = nlu_data.CATEGORIES
FIRST = 200


@dataclass(frozen=True)
class Said:
    """A sentence with what it means and what the dialogue will read."""

    text: str
    intent: str
    read: str
    confidence: float
    wrong: bool


class Knowing:
    """A triage model that knows what the sentences mean and is right in `TRIAGE_RIGHT` of them, sure or not."""

    version = "knowing-1"

    def __init__(self, meaning: dict[str, str], seed: int) -> None:
        self._meaning, self._seed = meaning, seed

    def classify(self, texts: Sequence[str]) -> list[Prediction]:
        found = []
        for text in texts:
            chance = Random(f"{text}{self._seed}")
            right = sorted(points().plausible.get(self._meaning.get(text, ""), ["other"]))
            category = chance.choice(right if chance.random() < TRIAGE_RIGHT else CATEGORIES)
            sure = chance.uniform(0.5, 1.0)
            found.append(Prediction(category, sure, {category: sure}, "P3"))
        return found

    def explain(self, text: str, count: int = 3) -> list[tuple[str, float]]:
        return []


def sentences(count: int, wrong: int, seed: int) -> list[Said]:
    """`count` ordinary sentences and among them `wrong` misread ones of the frozen sets."""
    chance = Random(seed)
    frozen = {row.plain: row.intent for name in ("intents.yml", "intents_robust.yml")
              for row in nlu_data.utterances(FROZEN / name)}  # fmt: skip
    training = {row.plain: row.intent for row in nlu_data.utterances()}
    intents = sorted(set(training.values()) - EMPTY)
    misread = chance.sample(sorted(text for text, intent in frozen.items() if intent not in EMPTY), wrong)
    rest = sorted((frozen | training).items())
    ordinary = [(t, i) for t, i in chance.sample(rest, min(len(rest), count + wrong)) if t not in misread][:count]
    drawn = [Said(t, i, i, _draw(RIGHT, chance), False) for t, i in ordinary]
    for text in misread:
        read = chance.choice([intent for intent in intents if intent != frozen[text]])
        drawn.append(Said(text, frozen[text], read, _draw(WRONG, chance), True))
    chance.shuffle(drawn)
    return drawn


def _draw(quantiles: Sequence[float], chance: Random) -> float:
    return float(np.interp(chance.random(), np.linspace(0, 1, len(quantiles)), quantiles))


class Traffic:
    """Writes conversations as the service would have, each of its own contact."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage, self._chance, self._number = stage, Random(seed), 0
        self.at = NOW - timedelta(days=2)

    async def play(self, said: Sequence[Said], changed: int) -> set[str]:
        """Each sentence in its own conversation; returns the texts misread or, in `changed` tickets, sorted badly."""
        found = set()
        calm = [one for one in said if not one.wrong and one.intent not in EMPTY]
        tickets = {one.text for one in self._chance.sample(calm, changed)}
        async with self._stage.database.write() as session:
            for one in said:
                await self._conversation(session, one, one.text in tickets)
                if one.wrong or one.text in tickets:
                    found.add(one.text)
        return found

    async def _conversation(self, session: Any, one: Said, changed: bool) -> None:
        self._number += 1
        self.at += timedelta(seconds=40)
        contact = ContactRow(channel="web", sender=f"t{self._number}")
        session.add(contact)
        await session.flush()
        conversation = ConversationRow(contact_id=contact.id, owner="bot", owner_token=0, last_seq=0)
        session.add(conversation)
        await session.flush()
        then = AFTER_WRONG if one.wrong else ANYWAY
        self._turn(session, conversation, one.text, one.read, one.confidence)
        after = self._chance.random()
        if after < then["again"]:
            again = f"我是说{one.text[: max(4, len(one.text) * 3 // 4)]}"
            missed = one.confidence < FALLBACK_BELOW
            self._turn(session, conversation, again, one.read if missed else one.intent, 0.2 if missed else 0.95)
        elif after < then["again"] + then["person"]:
            self._turn(session, conversation, "转人工", "request_human", 0.99)
        if changed or self._chance.random() < then["low"]:
            await session.flush()
            await self._ticket(session, conversation, one, changed)

    def _turn(self, session: Any, conversation: ConversationRow, text: str, read: str, confidence: float) -> None:
        seq = conversation.last_seq + 1
        conversation.last_seq += 2
        missed = confidence < FALLBACK_BELOW
        second = (1 - confidence) * self._chance.triangular(0.1, 0.8, 0.25)
        second = min(second, confidence)
        ranking: list[list[Any]] = [[read, confidence], ["out_of_scope", second]]
        for number, speaker, words in ((seq, "customer", text), (seq + 1, "bot", "您看这样可以吗？")):
            session.add(
                MessageRow(
                    conversation_id=conversation.id, seq=number, speaker=speaker, text=words, at=self.at, card=None
                )
            )
        session.add(
            ReadingRow(
                conversation_id=conversation.id, seq=seq, text_key=text_key(text),
                intent="nlu_fallback" if missed else read, confidence=confidence, second="out_of_scope",
                margin=confidence - second, ranking=ranking, entities=[], model="d-1",
                fallback=missed, at=self.at,
            )
        )  # fmt: skip

    async def _ticket(self, session: Any, conversation: ConversationRow, one: Said, changed: bool) -> None:
        right = sorted(points().plausible.get(one.intent, ["other"]))[0]
        category = self._chance.choice([name for name in CATEGORIES if name != right]) if changed else right
        ticket = TicketRow(
            number=f"DQ{conversation.id}", conversation_id=conversation.id, message_seq=1, channel="web", status="new",
            category=right, category_confidence=0.8, priority="P3", priority_reasons=[], rank=0, text=one.text,
            team="service", due_at=NOW, first_response_due=NOW, resolve_due=NOW, model="t-1", created_at=self.at,
            updated_at=self.at,
        )  # fmt: skip
        session.add(ticket)
        await session.flush()
        done = ("category", "li", {"from": category, "to": right}) if changed else ("rated", "customer", {"score": 1})
        for version, (kind, actor, detail) in enumerate((("opened", "bot", {}), done), 1):
            session.add(
                TicketEventRow(
                    ticket_id=ticket.id, kind=kind, actor=actor, detail=detail, at=self.at, version=version
                )
            )  # fmt: skip


def errors_found(url: str, seed: int) -> tuple[int, int]:
    """How many seeded errors stand in the first `FIRST` rows of the list, and how many there are.

    3,000 ordinary conversations with 60 misread messages and 20 badly sorted tickets among them.
    """
    said = sentences(3000, 60, seed)

    async def scene(stage: Stage) -> tuple[int, int]:
        wrong = await Traffic(stage, seed).play(said, 20)
        knowing = Knowing({one.text: one.intent for one in said}, seed)
        await Collecting(stage.database, knowing, Taxonomy.load(), lambda: NOW).once()
        rows, _ = await Review(stage.database).page(Wanted(), None, FIRST)
        keys = {text_key(text) for text in wrong}
        return len(keys & {row.text_key for row in rows}), len(keys)

    return run(url, scene)
