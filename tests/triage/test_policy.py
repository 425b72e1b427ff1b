from datetime import UTC, datetime, timedelta

import pytest

from triage.classifier import Prediction
from triage.policy import Facts, assess, raised
from triage.taxonomy import Taxonomy, TaxonomyError

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)  # a Friday
TAXONOMY = Taxonomy.load()


def decide(text: str, priority: str = "P3", category: str = "metering", facts: Facts | None = None) -> tuple[str, str]:
    found = assess(Prediction(category, 0.9, {category: 0.9}, priority), text, facts or Facts(), TAXONOMY, NOW)
    return found.category, found.priority


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("电表走得太快", "P3"),
        ("再不处理我就打12345", "P2"),
        ("现在还停电呢", "P2"),
        ("整栋楼都没电", "P2"),
        ("家里有老人卧床", "P2"),
        ("反映了好几次都没人管", "P2"),
        ("电表箱冒烟了", "P2"),
        ("停电了，我妈用呼吸机", "P1"),
        ("物业拉了闸，我爸插着氧气机", "P1"),
        ("不是医院停电，是医院旁边的药店停电", "P3"),
        ("医院去年停电过一次", "P3"),
    ],
)
def test_facts_raise_the_priority(text: str, wanted: str) -> None:
    assert decide(text) == ("metering", wanted)


def test_words_alone_make_no_emergency_however_many() -> None:
    text = "投诉投诉投诉！！！气死了，整栋楼老人都没电，现在还停电，反映了好几次，再不处理我找媒体曝光"
    assert decide(text)[1] == "P2"
    assert decide("投诉！！！投诉！！！" * 20)[1] == "P3"


def test_danger_that_the_model_takes_seriously_is_an_emergency() -> None:
    assert decide("电表箱冒烟了", "P1")[1] == "P1"
    assert decide("变压器冒火花了", "P2")[1] == "P2"


@pytest.mark.parametrize("text", ["没有冒火花，就是电表不走了", "去年变压器冒过烟，后来修好了", "万一电线掉下来怎么办"])
def test_denied_past_and_imagined_danger_is_no_alarm(text: str) -> None:
    assert decide(text, "P1") == ("metering", "P3")


def test_what_is_not_the_utilitys_business_stays_calm() -> None:
    assert decide("学校收费太高，全村老人都要上访", "P4", "other")[1] == "P4"
    assert decide("电焊火花四溅，电梯里困了人", "P1", "other")[1] == "P4"


def test_a_warned_customer_is_an_emergency_whatever_the_model_says() -> None:
    assert decide("电箱起火了", "P4", "other", Facts(handoff="danger")) == ("safety_hazard", "P1")
    assert decide("停电了我妈用呼吸机", "P4", facts=Facts(handoff="danger")) == ("outage", "P1")


def test_a_third_contact_and_a_waiting_customer_are_urgent() -> None:
    assert decide("电费不对", "P4", facts=Facts(earlier_tickets=2))[1] == "P2"
    assert decide("转人工", "P4", facts=Facts(handoff="customer asked"))[1] == "P3"
    assert [raised(p) for p in ("P1", "P2", "P3", "P4")] == ["P1", "P2", "P2", "P3"]


def test_the_reasons_add_up() -> None:
    found = assess(Prediction("billing", 0.9, {}, "P3"), "太过分了，再不退钱我就打12345", Facts(), TAXONOMY, NOW)
    assert found.reasons[1:] == ("模型判断一般 +30", "提到媒体曝光或上级渠道 +20", "情绪强烈 +3")
    assert found.priority == "P2"


def test_an_unsure_category_names_the_three_best() -> None:
    shares = {"billing": 0.4, "metering": 0.35, "payment": 0.2, "other": 0.05}
    found = assess(Prediction("billing", 0.4, shares, "P3", sure=False), "钱不对", Facts(), TAXONOMY, NOW)
    assert any("电费电价 40%、计量抄表 35%、缴费与发票 20%" in reason for reason in found.reasons)


def test_working_days_skip_the_weekend() -> None:
    found = assess(Prediction("billing", 0.9, {}, "P3"), "电费不对", Facts(), TAXONOMY, NOW)
    assert found.resolve_due - NOW == timedelta(days=7)
    assert found.first_response_due - NOW == timedelta(days=1)
    assert found.team == "billing"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [("calm: [other]", "calm: [others]", "calm"), ("P2: 60, P3: 30", "P2: 20, P3: 30", "points.base")],
)
def test_a_wrong_policy_names_the_key(tmp_path_factory: pytest.TempPathFactory, old: str, new: str, named: str) -> None:
    from triage.taxonomy import FILE

    file = tmp_path_factory.mktemp("policy") / "taxonomy.yml"
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(TaxonomyError, match=named):
        Taxonomy.load(file)
