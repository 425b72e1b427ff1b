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
from pathlib import Path

import yaml
from opencc import OpenCC

from bot.message import Outbound, Turn

WORDS = Path(__file__).with_name("safety.yml")
WEIGHTS = Path(__file__).with_name("safety_weights.json")
LONGEST_RUN = 4
# chosen on new voices that were left out of training
UNLIKELY, LIKELY, ALARMING = 0.1, 0.35, 0.5
# 「停电」 speaks against danger, but not where a life hangs on power
UNLIKELY_BY_KIND = {"life_support": 0.03}
UNNAMED = "line"
FAMILIAR = 0.12  # share of a message's marks; below it no danger of those voices stood
SHORT = 4
TICKET_LINE = "我已为您发出特急工单，人工客服马上接手。请告诉我们：具体地址、有没有人受伤。"
HANDOFF = "danger"
_TERM = re.compile(r"\{([a-z]+)\}")


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
    vital: re.Pattern[str]
    spellings: Mapping[str, re.Pattern[str]]
    blanks: tuple[re.Pattern[str], ...]
    past: re.Pattern[str]
    now: re.Pattern[str]
    over: re.Pattern[str]
    imagined: re.Pattern[str]
    wondered: re.Pattern[str]


@cache
def words() -> Words:
    """Read safety.yml once; raises `re.error`, `KeyError` or `yaml.YAMLError` when it is broken, at start."""
    rules = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    terms: dict[str, str] = rules["terms"]

    def ready(*patterns: str) -> re.Pattern[str]:
        return re.compile("|".join(_TERM.sub(lambda found: terms[found[1]], pattern) for pattern in patterns))

    blanks = rules["blanks"]
    return Words(
        tuple(
            Hazard(h["kind"], ready(*h["words"]), ready(h["hints"]), h["advice"], h["reminder"])
            for h in rules["hazards"]
        ),
        ready("{vital}"),
        {right: re.compile(wrong) for right, wrong in rules["spellings"].items()},
        (ready(*blanks["idioms"]), ready(*blanks["others"]), ready(blanks["denied"])),
        *(ready(rules[name]) for name in ("past", "now", "over", "imagined", "wondered")),
    )


@cache
def weights() -> Mapping[str, float]:
    """Read safety_weights.json once: a weight for each of `marks`, the bias under ""."""
    table: dict[str, float] = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return table


def mentioned(text: str) -> Hazard | None:
    """The first hazard a message names at all, present or not."""
    said = plain(text)
    return next((h for h in words().hazards if h.words.search(said)), None)


def life_support(text: str) -> bool:
    """Whether a device is named on which a life hangs 生命支持设备, with power or without."""
    return words().vital.search(plain(text)) is not None


def danger(text: str, table: Mapping[str, float] | None = None) -> Hazard | None:
    """The hazard that exists now according to the message, or None.

    A word of safety.yml that stands for something present is danger unless the weights are sure of the contrary. The
    weights alone are danger above `LIKELY`, or above `ALARMING` where every word is denied, past or imagined; never of
    a `SHORT` message, nor where under `FAMILIAR` of its marks were ever seen. Where no word even hints at a kind of
    hazard the advice is that of `UNNAMED`: keep away. `table`: other weights than those in use.
    """
    told, score, said = _told(text), likelihood(text, table), plain(text)
    if isinstance(told, Hazard):
        return told if score > UNLIKELY_BY_KIND.get(told.kind, UNLIKELY) else None
    if len(said) < SHORT or score <= (ALARMING if told is DENIED else LIKELY):
        return None
    if familiar(text, table) < FAMILIAR:
        return None
    hinted = mentioned(text) or next((h for h in words().hazards if h.hints.search(said)), None)
    return hinted or next(h for h in words().hazards if h.kind == UNNAMED)


def likelihood(text: str, table: Mapping[str, float] | None = None) -> float:
    """How likely the message tells of present danger, 0 to 1, by the weights of `bot.safety_training`."""
    table = weights() if table is None else table
    known = [table[mark] for mark in marks(text) if mark in table]
    score = table[""] + sum(known) / math.sqrt(len(known)) if known else table[""]
    return 1 / (1 + math.exp(-score))


def familiar(text: str, table: Mapping[str, float] | None = None) -> float:
    """The share of a message's marks that have a weight, 0 to 1."""
    every = marks(text)
    return len(every & (weights() if table is None else table).keys()) / len(every)


def marks(text: str) -> set[str]:
    """What the weights weigh: runs of characters, and pairs (a~b) with one to four characters between them.

    ^ and $ are the ends; what is denied or an idiom is one □.
    """
    said = f"^{left(plain(text), '□')}$"
    runs = {said[i : i + n] for n in range(1, LONGEST_RUN + 1) for i in range(len(said) - n + 1)}
    return runs | {f"{one}~{said[j]}" for i, one in enumerate(said) for j in range(i + 2, min(i + 6, len(said)))}


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


def denied(text: str) -> bool:
    """Whether every hazard the words name is denied, past, imagined or an idiom, and there is one."""
    return _told(text) is DENIED


def danger_by_words(text: str) -> Hazard | None:
    """The hazard that the words of safety.yml alone see now, or None."""
    told = _told(text)
    return told if isinstance(told, Hazard) else None


class _Denied:
    """A hazard is named, and every time denied, past, imagined or an idiom."""


DENIED = _Denied()


def _told(text: str) -> Hazard | _Denied | None:
    """What the words say: a present hazard, only denied ones, or nothing."""
    rules, denied = words(), False
    for sentence in re.split(r"[。！？!?；;\n]+", plain(text)):
        present = left(sentence)
        denied = denied or present != sentence
        for hazard in rules.hazards:
            for found in hazard.words.finditer(present):
                if _present(present, found.start(), found.end(), rules):
                    return hazard
                denied = True
    return DENIED if denied else None


def _present(sentence: str, start: int, end: int, rules: Words) -> bool:
    """Whether the hazard at `start` to `end` is there now: the last word about time before it decides."""
    begins = max(sentence.rfind(mark, 0, start) for mark in "，,") + 1
    ends = min((at for mark in "，," if (at := sentence.find(mark, end)) >= 0), default=len(sentence))
    now = max((found.start() for found in rules.now.finditer(sentence[:end])), default=-1)
    past = max((found.start() for found in rules.past.finditer(sentence[:ends])), default=-1)
    imagined = max((found.start() for found in rules.imagined.finditer(sentence[:ends])), default=-1)
    if max(past, imagined) > now:
        return False
    if now < begins and rules.wondered.search(sentence[begins:ends]):
        return False
    return now >= start or rules.over.search(sentence[start:]) is None


def left(said: str, blank: str | None = None) -> str:
    """A plain text without its idioms, other people's things and what it denies: `blank`, or as many □, for each."""
    for pattern in words().blanks:
        said = pattern.sub(lambda found: blank or "□" * len(found[0]), said)
    return said


@cache
def _simplified() -> OpenCC:
    return OpenCC("t2s")


def plain(text: str) -> str:
    """Half-width, simplified, without blanks, the words of danger spelled right."""
    said = _simplified().convert(re.sub(r"[ \t\u3000]", "", unicodedata.normalize("NFKC", text)))
    for right, wrong in words().spellings.items():
        said = wrong.sub(right, said)
    return str(said)
