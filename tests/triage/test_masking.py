"""Personal data is hidden in lists and made up in training files; nothing else moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nlu_data
from triage.masking import DOUBLE, GIVEN, SURNAMES, invent, mask, personal


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("我叫张伟，电话13812341580", "我叫**，电话138****1580"),
        ("王女士家停电了", "*女士家停电了"),
        ("姓名：欧阳修竹", "姓名：****"),
        ("户号3310000017", "户号33****0017"),
        ("户号３３１００００００１７", "户号３３*****００１７"),
        ("一三八零零一三八零零零", "***********"),
        ("138 1234 5678", "138 **** 5678"),
        ("幸福小区3栋2单元501没电", "幸福小区*栋*单元***没电"),
        ("人民路128号没电", "人民路***号没电"),
        ("身份证11010519491231002X", "身份证******************"),
        ("邮箱abc.def@qq.com", "邮箱***.***@**.***"),
        ("后四位1580", "后四位****"),
        ("1580", "****"),
        ("查电费 3310000017 1580 怎么多了", "查电费 33****0017 **** 怎么多了"),
        ("3310000017，2026年的电费", "33****0017，2026年的电费"),
        ("12号停电吗", "12号停电吗"),
        ("打95598没人接", "打95598没人接"),
        ("安装师傅什么时候来", "安装师傅什么时候来"),
        ("谢谢师傅", "谢谢师傅"),
        ("上个月172.46元，293度", "上个月172.46元，293度"),
        ("影响120户", "影响120户"),
    ],
)
def test_what_is_hidden_and_what_is_not(said: str, shown: str) -> None:
    assert mask(said) == shown


NAMES = st.builds(
    lambda family, given: family + given,
    st.sampled_from([*SURNAMES, *DOUBLE]),
    st.text(st.sampled_from(GIVEN), min_size=1, max_size=2),
)
PHONES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
ACCOUNTS = st.from_regex(r"[0-9]{10}|[0-9]{13}", fullmatch=True)


@given(name=NAMES, phone=PHONES, account=ACCOUNTS, door=st.integers(1, 3999), seed=st.integers(0, 9999))
def test_no_value_survives_and_every_span_stays(name: str, phone: str, account: str, door: int, seed: int) -> None:
    said = f"我叫{name}，住幸福里{door}号，户号{account}，电话{phone}，电费多少"
    hidden, made = mask(said), invent(said, seed)
    assert len(hidden) == len(made) == len(said)
    for value in (name, phone, account):
        assert value not in hidden
    assert f"里{door}号" not in hidden
    assert phone not in made and account not in made
    assert [(one.kind, one.start, one.end) for one in personal(made)] == [
        (one.kind, one.start, one.end) for one in personal(said)
    ]
    taken = {at for one in personal(said) for at in range(one.start, one.end)}
    assert all(made[at] == said[at] for at in range(len(said)) if at not in taken)
    assert invent(said, seed) == made


@given(st.text(max_size=80))
def test_any_text_keeps_its_length(said: str) -> None:
    assert len(mask(said)) == len(invent(said, 7)) == len(said)


def test_dates_amounts_months_cities_and_areas_can_still_be_labelled() -> None:
    """Of the trainers' files: these entities are not personal, and at most a door number in an area is hidden."""
    spans = [(name, span, row.plain) for row in nlu_data.utterances() for name, span in row.entities]
    kept = [span in mask(plain) for name, span, plain in spans if name in ("month", "date", "city", "amount")]
    assert sum(kept) / len(kept) > 0.995
