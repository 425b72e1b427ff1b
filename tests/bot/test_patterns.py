import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue.components.patterns import find


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("户号3310345528 9月账单", [("account_no", "3310345528"), ("month", "9月")]),
        ("户号33103455289月出账多少", [("account_no", "3310345528"), ("month", "9月")]),
        ("三三一零零零零零一七", [("account_no", "三三一零零零零零一七")]),
        ("户号0051772390846", [("account_no", "0051772390846")]),
        ("幺三八零零二三七七一九", [("phone", "幺三八零零二三七七一九")]),
        ("打0571-87654321", [("phone", "0571-87654321")]),
        ("工单gd20261124017到哪了", [("ticket_no", "gd20261124017")]),
        ("单号是2026112200000731", [("ticket_no", "2026112200000731")]),
        ("95598打不通，12345也没用", []),
        ("后四位1580", []),
        ("去年12月和这个月", [("month", "去年12月"), ("month", "这个月")]),
        ("三月份电费", [("month", "三月份")]),
        ("三个月没交", []),
        ("昨晚停的，下个月1号来", [("date", "昨晚"), ("date", "下个月1号")]),
        ("11月3号那天", [("date", "11月3号")]),
        ("3号楼停电", []),
        ("春城路88号停电", []),
        ("上周五停到现在，上周也停", [("date", "上周五")]),
        ("一个礼拜三四次", []),
        ("充了两百来块，还剩3块2", [("amount", "两百来块"), ("amount", "3块2")]),
        ("用了300度，一块电表", []),
    ],
)
def test_forms_are_found_as_annotated(text: str, wanted: list[tuple[str, str]]) -> None:
    assert [(one.entity, text[one.start : one.end]) for one in find(text)] == wanted


@given(st.text("户号电话工单上个月去年12月3号周五三百块元停电了，。 0123456789幺两三-a", max_size=40))
def test_what_is_found_lies_in_the_text_and_never_overlaps(text: str) -> None:
    found = find(text)
    assert all(0 <= one.start < one.end <= len(text) for one in found)
    assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))


@given(st.from_regex(r"\A[2-9][0-9]{9}\Z"))
def test_every_account_number_is_found_whole(number: str) -> None:
    text = f"我的户号是{number}，查电费"
    assert [(one.entity, text[one.start : one.end]) for one in find(text)] == [("account_no", number)]
