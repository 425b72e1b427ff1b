"""Candidate against current: what counts as worse, and what may not go live."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from nlu_data.dialogues import Fault
from triage.trainer.compare import compare, mcnemar, view
from triage.trainer.rehearsal import Played
from triage.trainer.report import Report, Row


def report(
    version: str, reads: Sequence[str], wanted: Sequence[str], regressions: Sequence[Row] = (), *faults: Fault | None
) -> Report:
    rows = [Row(f"句子{n}", want, read, 0.9) for n, (want, read) in enumerate(zip(wanted, reads, strict=True))]
    sets = {"frozen": rows, "robust": [], "regressions": regressions}
    dialogues = [Played(f"对话{n}", fault) for n, fault in enumerate(faults)]
    return Report("dialogue", version, "d", "", sets, {}, {}, dialogues)


WANTED = ["query_bill"] * 20 + ["greet"] * 20


def test_wins_and_losses_are_told_in_one_sentence() -> None:
    old = report("old", ["greet"] * 3 + WANTED[3:], WANTED)
    new = report("new", WANTED[:-1] + ["query_bill"], WANTED)
    found = compare(old, new)
    assert (len(found.wins), len(found.losses)) == (3, 1)
    assert found.verdict == "比现用模型多认对3句，少认对1句，差别在偶然范围内。可以上线。"


def test_a_significantly_worse_candidate_is_refused() -> None:
    found = compare(report("old", WANTED, WANTED), report("new", ["greet"] * 9 + WANTED[9:], WANTED))
    assert found.p["frozen"] < 0.05 and "明显变差" in found.refusals[0]
    assert not compare(report("old", WANTED, WANTED), report("new", ["greet"] * 3 + WANTED[3:], WANTED)).refusals


def test_a_broken_correction_is_refused_even_when_all_else_is_better() -> None:
    old = report("old", ["greet"] * 12 + WANTED[12:], WANTED)
    misread = Row("宝贝不转了", "report_outage", "greet", 0.9)
    cut = Row("人民路", "inform", "inform", 0.9, missed=("area:人民路",))
    for broken in (misread, cut):
        found = compare(old, report("new", WANTED, WANTED, [broken]))
        assert found.refusals == ("1句纠正过的话又读错了",)
    assert not compare(old, report("new", WANTED, WANTED, [Row("x", "greet", "greet", 0.9)])).refusals


def test_one_lost_danger_row_is_refused() -> None:
    wanted = ["report_safety_hazard", *WANTED]
    found = compare(report("old", wanted, wanted), report("new", ["greet", *WANTED], wanted))
    assert found.refusals == ("1句涉及人身安全的话不再认得",)


def test_a_dialogue_that_went_well_and_no_longer_does_is_refused() -> None:
    fault = Fault(2, "催一下", ["没有说“催办”"], "您好")
    old, new = report("old", WANTED, WANTED, (), None, fault), report("new", WANTED, WANTED, (), fault, fault)
    found = compare(old, new)
    assert found.refusals == ("1段原来能办完的对话办不完了",)
    assert found.passed == "对话：通过 0 / 2，现用模型通过 1 / 2。"
    assert [(one["name"], one["turn"], one["current"]) for one in view(found)["dialogues"]] == [
        ("对话0", 2, True),
        ("对话1", 2, False),
    ]
    assert not compare(new, old).refusals and not compare(new, new).refusals


def test_a_p1_that_is_seen_as_p1_is_kept_whatever_its_category() -> None:
    assert Row("电线着火", "safety_hazard", "outage", 0.9, "P1", "P1").kept
    assert not Row("呼吸机没电", "outage", "outage", 0.9, "P1", "P2").kept


def test_reports_over_other_sets_are_not_compared() -> None:
    other = Report("dialogue", "new", "other", "", {"frozen": [], "robust": []}, {}, {})
    with pytest.raises(ValueError):
        compare(report("old", WANTED, WANTED), other)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(wins: int, losses: int) -> None:
    expected = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert isclose(mcnemar(wins, losses), expected, rel_tol=1e-9)
