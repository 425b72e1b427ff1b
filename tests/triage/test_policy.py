from datetime import UTC, datetime, timedelta

import pytest

from triage.classifier import Prediction
from triage.policy import Facts, assess, raised
from triage.taxonomy import Taxonomy

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)  # a Friday
TAXONOMY = Taxonomy.load()


def decide(text: str, priority: str = "P3", category: str = "metering", facts: Facts | None = None) -> tuple[str, str]:
    found = assess(Prediction(category, 0.9, {category: 0.9}, priority), text, facts or Facts(), TAXONOMY, NOW)
    return found.category, found.priority


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("电表走得太快", ("metering", "P3")),
        ("再不处理我就打12345", ("metering", "P2")),
        ("现在还停电呢", ("metering", "P2")),
        ("整栋楼都没电", ("metering", "P2")),
        ("家里有老人卧床", ("metering", "P2")),
        ("反映了好几次都没人管", ("metering", "P2")),
        ("电表箱冒烟了", ("safety_hazard", "P1")),
        ("停电了，我妈用呼吸机", ("outage", "P1")),
    ],
)
def test_words_raise_the_priority(text: str, wanted: tuple[str, str]) -> None:
    assert decide(text) == wanted


def test_rules_never_lower_a_priority_but_a_denied_danger_is_no_alarm() -> None:
    assert decide("再不处理我就打12345", "P1") == ("metering", "P1")
    assert decide("没有冒火花，就是电表不走了", "P1") == ("metering", "P3")


def test_a_third_contact_and_a_waiting_customer_are_urgent() -> None:
    assert decide("电费不对", "P4", facts=Facts(earlier_tickets=2))[1] == "P2"
    assert decide("转人工", "P4", facts=Facts(handoff="customer asked"))[1] == "P3"
    assert [raised(p) for p in ("P1", "P2", "P3", "P4")] == ["P1", "P2", "P2", "P3"]


def test_working_days_skip_the_weekend() -> None:
    found = assess(Prediction("billing", 0.9, {}, "P3"), "电费不对", Facts(), TAXONOMY, NOW)
    assert found.resolve_due - NOW == timedelta(days=7)
    assert found.first_response_due - NOW == timedelta(days=1)
    assert found.team == "billing"
