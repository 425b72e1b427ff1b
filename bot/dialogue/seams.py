"""Seams 断句: where a message that has no marks may go from one matter to the next.

「上个月电费多少啊明天我们小区停不停电」, as speech is written down: a linear model weighs the characters beside every
place, learnt by `bot.seams_training` from the trainers' sentences.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

WEIGHTS = Path(__file__).with_name("seam_weights.json")
PAUSE = re.compile(r"[，,。；;！!？?、：:\s~…]+")
CLOSING = frozenset("呀啊吗呢吧嘛哦啦么咧嘞哇")
LIKELY = 0.3
MOST = 4
SHORTEST = 5
_FAR, _LONGEST_RUN, _FAR_FROM_END = 6, 4, 8


@cache
def weights() -> Mapping[str, float]:
    """Read seam_weights.json once: a weight for each of `marks`, the bias under ""."""
    table: dict[str, float] = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return table


def marks(said: str, at: int) -> set[str]:
    """What is weighed at a place: runs of characters before (<), behind (>) and across it (|), how far the ends are."""
    before, behind = said[max(0, at - _FAR) : at], said[at : at + _FAR]
    sizes = range(1, _LONGEST_RUN + 1)
    runs = {f"<{before[-n:]}" for n in sizes} | {f">{behind[:n]}" for n in sizes}
    across = {f"{before[-a:]}|{behind[:b]}" for a in (1, 2) for b in (1, 2)}
    return runs | across | {f"from {min(at, _FAR_FROM_END)}", f"to {min(len(said) - at, _FAR_FROM_END)}"}


def likelihood(said: str, at: int) -> float:
    """How likely a sentence ends before the character `at` of a text without marks, 0 to 1."""
    table = weights()
    return 1 / (1 + math.exp(-table[""] - sum(table.get(mark, 0.0) for mark in marks(said, at))))


def seams(text: str) -> list[tuple[float, int]]:
    """Where a sentence may end without a mark: how likely, and the place; likeliest first, at most `MOST`.

    No side is shorter than `SHORTEST`, and none begins with a word that ends a sentence (呀, 吗).
    """
    places = [place for place, sign in enumerate(text) if not PAUSE.match(sign)]
    said = "".join(text[place] for place in places)
    found = [
        (likelihood(said, at), places[at])
        for at in range(SHORTEST, len(said) - SHORTEST + 1)
        if places[at] == places[at - 1] + 1 and said[at] not in CLOSING
    ]
    return [(likely, place) for likely, place in sorted(found, reverse=True)[:MOST] if likely > LIKELY]
