"""`signs.yml`: which signs count how much, and what the two models may read in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from nlu_data import CATEGORIES, TOPICS

FILE = Path(__file__).with_name("signs.yml")
REASONS: Mapping[str, str] = {
    "low_confidence": "没有把握",
    "low_margin": "两种意思难分",
    "two_misses": "连着两次没听懂",
    "handoff_after_answer": "答完就转人工",
    "rephrased": "换句话又问",
    "low_rating": "评价低",
    "category_changed": "坐席改了类别",
    "priority_changed": "坐席改了优先级",
    "disagreement": "两个模型不一致",
    "new_words": "新词",
    "certain": "把握很大",
    "times": "多次出现",
}
"""The Chinese name of every reason; `certain` and `times` only weigh others."""
WEIGHTS = ("certain", "times")


class WrongSigns(ValueError):
    """`signs.yml` is wrong; the message says where."""


@dataclass(frozen=True)
class Points:
    """The policy as read; `points` are single numbers, `ranges` grow from one number to another."""

    points: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    plausible: Mapping[str, frozenset[str]]
    unsure_below: float
    sure_from: float
    close: float
    other_sure_from: float
    low_rating: int
    handoff_within: timedelta
    rephrased_within: timedelta
    alike: float
    rated_last: int
    new_words_from: int
    new_words_for: timedelta

    def between(self, reason: str, share: float) -> float:
        """The points of a reason with a range, at `share` (0 to 1) of the way."""
        low, high = self.ranges[reason]
        return round(low + (high - low) * min(1.0, max(0.0, share)), 2)


@cache
def points() -> Points:
    """Read `signs.yml`; raises `WrongSigns` for a reason, intent or category that does not exist."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    intents = {intent for group in TOPICS.values() for intent in group}
    for intent, categories in found["plausible"].items():
        if intent not in intents or not set(categories) <= set(CATEGORIES):
            raise WrongSigns(f"signs.yml, plausible: {intent}: {categories} is not in the taxonomy")
    if set(found["points"]) != set(REASONS):
        raise WrongSigns(f"signs.yml, points: {sorted(set(found['points']) ^ set(REASONS))} missing or unknown")
    given = found["points"].items()
    return Points(
        {reason: float(value) for reason, value in given if not isinstance(value, list)},
        {reason: (float(value[0]), float(value[1])) for reason, value in given if isinstance(value, list)},
        {intent: frozenset(categories) for intent, categories in found["plausible"].items()},
        found["unsure_below"], found["sure_from"], found["close"], found["other_sure_from"], found["low_rating"],
        timedelta(seconds=found["handoff_within"]), timedelta(seconds=found["rephrased_within"]), found["alike"],
        found["rated_last"], found["new_words_from"],
        timedelta(days=found["new_words_days"]),
    )  # fmt: skip
