"""Danger to life: decided before and without Rasa.

Recall comes first: a message is danger unless every clause that names a hazard is idiom, past, hypothetical or negated.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from pathlib import Path

import yaml

from bot.message import Outbound, Turn

WORDS = Path(__file__).with_name("safety.yml")
WEIGHTS = Path(__file__).with_name("safety_weights.json")
LONGEST_RUN = 4
UNLIKELY, LIKELY, ALARMING = 0.05, 0.4, 0.9
TICKET_LINE = "我已为您发出特急工单，人工客服马上接手。请告诉我们：具体地址、有没有人受伤。"
HANDOFF = "danger"


@dataclass(frozen=True)
class Hazard:
    """One kind of danger: its words, `hints` that only tell kinds apart, and what a customer reads.

    `advice` is read first in danger, `reminder` where there is none now.
    """

    kind: str
    words: re.Pattern[str]
    hints: re.Pattern[str]
    advice: str
    reminder: str


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
        tuple(Hazard(h["kind"], re.compile("|".join(h["words"])), re.compile(h["hints"]), h["advice"], h["reminder"])
            for h in rules["hazards"]),
        re.compile("|".join(rules["idioms"])),
        *(re.compile(rules[name]) for name in ("past", "past_still", "hypothetical", "negated")),
    )


@cache
def weights() -> Mapping[str, float]:
    """Read safety_weights.json once: a weight for each run of characters, the bias under ""."""
    table: dict[str, float] = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return table


def mentioned(text: str) -> Hazard | None:
    """The first hazard a message names at all, present or not."""
    said = plain(text)
    return next((h for h in words().hazards if h.words.search(said)), None)


def danger(text: str) -> Hazard | None:
    """The hazard that exists now according to the message, or None.

    A word of safety.yml that stands for something present is danger unless the weights are sure of the contrary; the
    weights alone are danger where no word is denied, past or imagined.
    """
    told, score = _told(text), likelihood(text)
    if isinstance(told, Hazard):
        return told if score > UNLIKELY else None
    if score > (ALARMING if told is DENIED else LIKELY):
        return mentioned(text) or next((h for h in words().hazards if h.hints.search(plain(text))), words().hazards[0])
    return None


def likelihood(text: str) -> float:
    """How likely the message tells of present danger, 0 to 1, by the weights of `bot.safety_training`."""
    said, table = plain(text), weights()
    runs = {said[i : i + n] for n in range(1, LONGEST_RUN + 1) for i in range(len(said) - n + 1)}
    known = [table[run] for run in runs if run in table]
    score = table[""] + sum(known) / math.sqrt(len(known)) if known else table[""]
    return 1 / (1 + math.exp(-score))


def check(text: str) -> Turn | None:
    """The advice for a message that tells of present danger, with a handoff; None for every other message."""
    hazard = danger(text)
    return Turn((Outbound(hazard.advice), Outbound(TICKET_LINE)), handoff=HANDOFF) if hazard else None


def remind(text: str, turn: Turn) -> Turn:
    """Add the short advice to an answer when a hazard is named that is denied, past, imagined or an idiom."""
    hazard = mentioned(text)
    if hazard is None:
        return turn
    return replace(turn, replies=(*turn.replies, Outbound(hazard.reminder)))


class _Denied:
    """A hazard is named, and every time denied, past, imagined or an idiom."""


DENIED = _Denied()


def _told(text: str) -> Hazard | _Denied | None:
    """What the words say: a present hazard, only denied ones, or nothing."""
    rules, found_any = words(), False
    for clause in re.split(r"[。！？!?；;\n]+", plain(text)):
        for hazard in rules.hazards:
            for found in hazard.words.finditer(rules.idioms.sub("□", clause)):
                found_any = True
                if _present(clause, found, rules):
                    return hazard
    return DENIED if found_any or rules.idioms.search(plain(text)) else None


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


def plain(text: str) -> str:
    """Half-width and without blanks."""
    return re.sub(r"[ \t\u3000]", "", unicodedata.normalize("NFKC", text))
