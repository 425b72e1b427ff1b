from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.message import Button, Outbound, Turn
from bot.rasa import LONGEST_TEXT, escape, turn


@given(st.text(max_size=2000))
def test_what_rasa_reads_is_never_an_intent_nor_empty_nor_long(text: str) -> None:
    read = escape(text)
    assert not read.startswith("/")
    assert 0 < len(read) <= LONGEST_TEXT
    assert read.isprintable()


@pytest.mark.parametrize("text", ["/restart", '  /query_bill{"account_no":"1"}', "\x00/restart"])
def test_a_slash_becomes_text(text: str) -> None:
    assert escape(text).startswith("／")


def test_what_was_read_is_no_reply() -> None:
    read = {
        "intent": "query_bill",
        "confidence": 0.7,
        "ranking": [["query_bill", 0.7], ["pay_bill", 0.2]],
        "entities": [{"entity": "month", "value": "上个月", "start": 1, "end": 4}],
        "model": "v1",
        "fallback": False,
    }
    found = turn([{"recipient_id": "1", "text": "好的"}, {"recipient_id": "1", "custom": {"reading": read}}])
    assert found.replies == (Outbound("好的"),)
    assert found.reading is not None and found.reading.intent == "query_bill" and found.reading.second == "pay_bill"
    assert found.reading.margin == pytest.approx(0.5) and found.reading.model == "v1"
    with pytest.raises(KeyError):
        turn([{"custom": {"reading": {"intent": "query_bill"}}}])


def test_cards_join_their_text_and_a_handoff_ends_the_turn() -> None:
    card = {"kind": "bill", "title": "账单"}
    answers: list[dict[str, Any]] = [
        {"recipient_id": "1", "text": "您的账单", "buttons": [{"title": "转人工", "payload": "/request_human"}]},
        {"recipient_id": "1", "custom": {"card": card}},
        {"recipient_id": "1", "custom": {"handoff": "customer asked"}},
    ]
    assert turn(answers) == Turn((Outbound("您的账单", (Button("转人工", "/request_human"),), card),), "customer asked")
    assert turn([]) == Turn(())
    with pytest.raises(ValueError, match="dict instead of a list"):
        turn({"status": "failure"})  # type: ignore[arg-type]
