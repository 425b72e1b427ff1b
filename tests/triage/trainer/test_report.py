"""Figures of a model: checked against scikit-learn and SciPy, and against what they must never do."""

from __future__ import annotations

import random
from math import isclose

from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_fscore_support

from triage.trainer.report import Row, calibration, measure, share

TRUE_F1 = 2 * 0.775 / (1 + 0.925)
"""Of `rows(…, 0.7)`: a class is read right in 0.7 + 0.3/4, and given 0.775 + 2 · 0.3/4 times its size."""
NAMES = ("greet", "query_bill", "report_outage", "nlu_fallback")


def rows(count: int, right: float, seed: int = 1) -> list[Row]:
    dice = random.Random(seed)
    found = []
    for number in range(count):
        wanted = dice.choice(NAMES[:3])
        read = wanted if dice.random() < right else dice.choice(NAMES)
        found.append(Row(f"句子{number}", wanted, read, dice.random()))
    return found


def test_scores_are_scikit_learns() -> None:
    sample = rows(400, 0.8)
    found = measure(sample)
    precision, recall, f1, support = precision_recall_fscore_support(
        [row.wanted for row in sample], [row.read for row in sample], labels=list(NAMES), zero_division=0
    )
    for number, name in enumerate(NAMES):
        one = found["classes"][name]
        assert isclose(one["precision"]["value"] or 0, precision[number])
        assert isclose(one["recall"]["value"] or 0, recall[number])
        assert isclose(one["f1"]["value"], f1[number]) and one["support"] == support[number]
    assert isclose(found["macro_f1"]["value"], f1[:3].mean())
    assert found["macro_f1"]["low"] < found["macro_f1"]["value"] < found["macro_f1"]["high"]
    assert sum(n for *_, n in found["confusions"]) == 400


@given(st.integers(1, 2000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_intervals_of_shares_are_wilsons(pair: tuple[int, int]) -> None:
    found, wilson = share(*pair), binomtest(*pair).proportion_ci(method="wilson")
    assert isclose(found["low"], wilson.low, abs_tol=1e-6) and isclose(found["high"], wilson.high, abs_tol=1e-6)


def test_a_share_of_nothing_may_be_anything() -> None:
    assert share(0, 0) == {"value": None, "low": 0.0, "high": 1.0, "right": 0, "of": 0}


def test_the_bootstrap_covers_the_truth_as_often_as_it_says() -> None:
    inside = 0
    for seed in range(60):
        found = measure(rows(150, 0.7, seed))["macro_f1"]
        inside += found["low"] <= TRUE_F1 <= found["high"]
    assert inside >= 50  # 57 expected; fewer than 50 happens once in a thousand runs


def test_an_honest_model_has_no_gap_and_a_boaster_has_one() -> None:
    honest = [Row(str(n), "greet", "greet" if n % 10 < 7 else "x", 0.7) for n in range(1000)]
    boaster = [Row(row.text, row.wanted, row.read, 0.99) for row in honest]
    assert isclose(calibration(honest)["ece"], 0, abs_tol=1e-9)
    assert isclose(calibration(boaster)["ece"], 0.29, abs_tol=1e-9)
