"""Where a message without marks may be cut."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import seams_training
from bot.dialogue.seams import CLOSING, MOST, PAUSE, SHORTEST, likelihood, seams


@pytest.mark.parametrize(
    "matters",
    [
        ("上个月电费多少啊", "明天我们小区停不停电"),
        ("我想办过户要带啥", "你们营业厅周末开门不"),
        ("峰谷电价咋个算的嘛", "我家光伏啥时候结算"),
    ],
)
def test_two_sentences_in_one_breath_have_a_seam_between_them(matters: tuple[str, str]) -> None:
    assert len(matters[0]) in [at for _, at in seams("".join(matters))]


def test_a_place_inside_a_word_is_less_likely_than_the_end_of_a_question() -> None:
    said = "上个月电费多少啊明天停电吗"
    assert max(range(2, len(said) - 1), key=lambda at: likelihood(said, at)) == said.index("明")


@given(st.text(alphabet="上个月电费多少啊明天停吗，。 \n？", max_size=40))
def test_a_seam_stands_between_two_long_enough_sides_and_beside_no_mark(text: str) -> None:
    found = [at for _, at in seams(text)]
    assert len(found) == len(set(found)) <= MOST
    for at in found:
        assert text[at] not in CLOSING and not PAUSE.match(text[at]) and not PAUSE.match(text[at - 1])
        assert min(len(PAUSE.sub("", text[:at])), len(PAUSE.sub("", text[at:]))) >= SHORTEST


def test_training_knows_where_marks_stood_and_sets_sentences_side_by_side() -> None:
    assert seams_training.unmarked("您好，电费多少？ 谢谢！") == ("您好电费多少谢谢", {2, 6})
    found = list(seams_training.places(random.Random(1)))
    assert 0.1 < sum(seam for _, seam in found) / len(found) < 0.5
