from datetime import UTC, datetime

import pytest

from bot.chaos import Talk, Verdict, judge
from bot.database import MessageRow
from bot.message import Speaker
from bot.outbox import AGAIN

CONTACT = ("telegram", "7")


def row(seq: int, speaker: Speaker, text: str, answered: bool = True) -> MessageRow:
    return MessageRow(seq=seq, speaker=speaker, text=text, answered=answered, buttons=[], at=datetime.now(UTC))


STORED = [
    row(1, Speaker.CUSTOMER, "一"),
    row(2, Speaker.BOT, "答一"),
    row(3, Speaker.CUSTOMER, "二"),
    row(4, Speaker.BOT, "答二"),
    row(5, Speaker.AGENT, "我是人工"),
]
SHOWN = ["答一", "答二", "我是人工"]


def judged(rows: list[MessageRow], said: list[str], shown: list[str]) -> Verdict:
    verdict = Verdict()
    judge([Talk(*CONTACT, rows)], {CONTACT: said}, {CONTACT: shown}, verdict)
    return verdict


def test_all_is_well_when_phones_show_what_was_stored_and_said() -> None:
    verdict = judged(STORED, ["一", "二"], SHOWN)
    assert verdict.well and (verdict.said, verdict.answers) == (2, 3)


@pytest.mark.parametrize(
    "rows, said, shown, fault",
    [
        (STORED, ["一", "二", "三"], SHOWN, "lost"),
        (STORED, ["一", "二"], SHOWN[:2], "lost"),
        ([*STORED, row(6, Speaker.CUSTOMER, "三", answered=False)], ["一", "二", "三"], SHOWN, "lost"),
        (STORED, ["一", "二"], [*SHOWN, "答一"], "doubled"),
        ([*STORED, row(6, Speaker.CUSTOMER, "二")], ["一", "二"], SHOWN, "doubled"),
        (STORED, ["一", "二"], ["答二", "答一", "我是人工"], "out_of_order"),
        ([*STORED[:1], *STORED[2:]], ["一", "二"], SHOWN[1:], "out_of_order"),
        ([*STORED, row(6, Speaker.BOT, "答三")], ["一", "二"], [*SHOWN, "答三"], "bot_after_handoff"),
    ],
)
def test_each_fault_is_counted(rows: list[MessageRow], said: list[str], shown: list[str], fault: str) -> None:
    assert getattr(judged(rows, said, shown), fault) > 0


@pytest.mark.parametrize(("kills", "shown", "in_flight", "doubled"), [(1, 2, 1, 0), (2, 3, 1, 1), (0, 2, 0, 1)])
def test_only_what_a_kill_met_on_its_way_may_be_shown_twice(
    kills: int, shown: int, in_flight: int, doubled: int
) -> None:
    rows = [row(1, Speaker.CUSTOMER, "一"), row(2, Speaker.BOT, "答一"), row(3, Speaker.BOT, "答二")]
    rows[1].delivery_error = AGAIN
    verdict = Verdict(kills=kills)
    judge([Talk(*CONTACT, rows)], {CONTACT: ["一"]}, {CONTACT: ["答一"] * shown + ["答二"]}, verdict)
    assert (verdict.in_flight, verdict.doubled, verdict.lost, verdict.out_of_order) == (in_flight, doubled, 0, 0)
    assert verdict.well is (doubled == 0)
