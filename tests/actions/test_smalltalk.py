"""What a reply says beside its intent."""

import pytest

from actions.smalltalk import pays


@pytest.mark.parametrize("text", ["我昨天交了", "钱已经缴清了", "刚充的", "早就还清了"])
def test_paid(text: str) -> None:
    assert pays(text)


@pytest.mark.parametrize("text", ["还没交清", "没付过", "不交了", "没有付清", "还没充的", "过两天再交了", "还了解一下"])
def test_not_paid(text: str) -> None:
    assert not pays(text)
