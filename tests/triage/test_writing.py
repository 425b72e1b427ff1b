"""How canned replies are found."""

import pytest

from triage.desk.pinyin import initials, initials_of


@pytest.mark.parametrize(
    ("title", "typed"),
    [("办结通知", "bjtz"), ("银行代扣", "yhdk"), ("重复缴费", "cfjf"), ("校验电表", "jydb"), ("App 登录", "appdl")],
)
def test_initials_are_those_of_the_words_not_of_single_characters(title: str, typed: str) -> None:
    assert initials(title).replace(" ", "") == typed


def test_many_titles_are_read_at_once_and_keep_their_order() -> None:
    assert initials_of(("银行代扣", "", "办结\n通知", "重复缴费")) == ["yhdk", "", "bj tz", "cfjf"]
