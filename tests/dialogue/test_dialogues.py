"""Whole dialogues with a real Rasa, as customers have them; the files beside this one hold what is said and heard."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.product import Customer, Product

pytestmark = pytest.mark.rasa
HERE = Path(__file__).parent
LONGEST_SENTENCE = 80
# accounts of the sample city: number and phone ending
ACCOUNTS = {
    "plain": "3310000017 1580",
    "faulty": "3310004116 4005",
    "owing": "3310008215 6968",
    "pending": "3310012314 2383",
    "failed": "3310016413 2742",
    "twice": "3310020512 8866",
    "corrected": "3310024611 7163",
    "beijing": "3310028710 7820",
    "prepaid": "3310041007 1443",
    "tou": "3310086096 9929",
    "cut": "3310110690 4031",
    "closed": "3310127086 7515",
    "loser": "3310991975 2306",
    "plain_no": "3310000017",
}


def dialogues() -> list[Any]:
    return [
        pytest.param(turns, id=f"{file.stem}-{name}")
        for file in sorted(HERE.glob("*.yml"))
        for one in yaml.safe_load(file.read_text("utf-8"))
        for name, turns in one.items()
    ]


def test_there_are_at_least_120_dialogues() -> None:
    assert len(dialogues()) >= 120


@pytest.mark.parametrize("turns", dialogues())
def test_dialogue(product: Product, turns: list[dict[str, Any]]) -> None:
    customer = Customer(product)
    offered: list[dict[str, str]] = []
    for turn in turns:
        if "tap" in turn:
            matching = [button for button in offered if turn["tap"] in button["title"]]
            assert matching, f"no button {turn['tap']} among {[button['title'] for button in offered]}"
            answers = customer.ask("", payload=matching[0]["payload"])
        else:
            answers = customer.ask(turn["say"].format(**ACCOUNTS))
        heard = "\n".join(answer["text"] for answer in answers)
        assert heard, f"no answer to {turn}"
        for words in _list(turn.get("hear")):
            assert words in heard, f"{words} not heard after {turn}: {heard}"
        for words in _list(turn.get("not")):
            assert words not in heard, f"{words} heard after {turn}: {heard}"
        if "card" in turn:
            assert turn["card"] in [answer["card"]["kind"] for answer in answers if answer["card"]]
        offered = [button for answer in answers for button in answer["buttons"]]
        if "buttons" in turn:
            assert len(offered) == turn["buttons"]
        if "owner" in turn:
            customer.look(0.5 if customer.owner != turn["owner"] else 0)
            assert customer.owner == turn["owner"]
        for sentence in re.split(r"[。！？\n]", heard):
            assert len(sentence) <= LONGEST_SENTENCE, sentence


def _list(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [] if value is None else [str(value)]
