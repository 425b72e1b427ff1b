"""Danger to life: decided before and without Rasa.

Recall comes first: a message is danger unless every clause that names a hazard is idiom, past, hypothetical or negated.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path

import yaml

from bot.message import Outbound, Turn

WORDS = Path(__file__).with_name("safety.yml")
TICKET_LINE = "我已为您发出特急工单，人工客服马上接手。请告诉我们：具体地址、有没有人受伤。"
HANDOFF = "danger"


@dataclass(frozen=True)
class Hazard:
    """One kind of danger: its words and the advice a customer reads first."""

    kind: str
    words: re.Pattern[str]
    advice: str


@dataclass(frozen=True)
class Words:
    """The rules of safety.yml, compiled."""

    hazards: tuple[Hazard, ...]
    idioms: re.Pattern[str]
    past: re.Pattern[str]
    past_still: re.Pattern[str]
    hypothetical: re.Pattern[str]
    negated: re.Pattern[str]


@cache
def words() -> Words:
    """Read safety.yml once; raises `re.error`, `KeyError` or `yaml.YAMLError` when it is broken, at start."""
    rules = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    return Words(
        tuple(Hazard(h["kind"], re.compile("|".join(h["words"])), h["advice"]) for h in rules["hazards"]),
        re.compile("|".join(rules["idioms"])),
        *(re.compile(rules[name]) for name in ("past", "past_still", "hypothetical", "negated")),
    )


def mentioned(text: str) -> Hazard | None:
    """The first hazard a message names at all, present or not."""
    plain = _plain(text)
    return next((h for h in words().hazards if h.words.search(plain)), None)


def danger(text: str) -> Hazard | None:
    """The hazard that exists now according to the message, or None."""
    rules = words()
    clauses = re.split(r"[。！？!?；;\n]+", _plain(text))
    for clause in clauses:
        for hazard in rules.hazards:
            if any(_present(clause, found, rules) for found in hazard.words.finditer(rules.idioms.sub("□", clause))):
                return hazard
    return None


def check(text: str) -> Turn | None:
    """The advice for a message that tells of present danger, with a handoff; None for every other message."""
    hazard = danger(text)
    return Turn((Outbound(hazard.advice), Outbound(TICKET_LINE)), handoff=HANDOFF) if hazard else None


def _present(clause: str, found: re.Match[str], rules: Words) -> bool:
    before = found.string[max(0, found.start() - 8) : found.start()]
    if rules.negated.search(before.rstrip("，, ")):
        return False
    if rules.past_still.search(clause):
        return True
    parts = re.split("[，,、]", found.string)
    ends = accumulate(len(part) + 1 for part in parts)
    part = next(part for part, end in zip(parts, ends, strict=True) if found.start() < end)
    return not (rules.past.search(clause) or rules.hypothetical.search(part))


def _plain(text: str) -> str:
    return re.sub(r"[ \t\u3000]", "", unicodedata.normalize("NFKC", text))
