"""By which letters canned replies and intents are found."""

import pytest

from triage.desk.initials import initials


@pytest.mark.parametrize(
    ("title", "typed"),
    [("办结通知", "bjtz"), ("银行代扣", "yhdk"), ("重复缴费", "cfjf"), ("校验电表", "jydb"), ("App 登录", "appdl")],
)
def test_initials_are_those_of_the_words_not_of_single_characters(title: str, typed: str) -> None:
    assert [found.replace(" ", "") for found in initials(title)] == [typed]
